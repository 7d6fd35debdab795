"""What is known after a call that gave no usable answer.

    REFUSED     the exchange answered no, in its own words: what was asked has not happened
    NOT_FOUND   the exchange does not know the order
    THROTTLED   it did not look at the request (429, 418): come back after ``retry_after``
    BUSY        it said that it could not do it now: what was asked has not happened
    CLOCK       it did not accept the timestamp: what was asked has not happened
    DENIED      the key or the account is wrong or may not do this: a person is needed
    RESTRICTED  it does not serve this country, address or account: a person is needed
    UNABLE      ccxt or the exchange does not offer it, or the symbol does not exist
    UNKNOWN     no answer that can be trusted: what was asked may have happened

Everything that is not known to be something else is UNKNOWN.
"""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    THROTTLED = "throttled"
    BUSY = "busy"
    CLOCK = "clock"
    DENIED = "denied"
    RESTRICTED = "restricted"
    UNABLE = "unable"
    UNKNOWN = "unknown"

    @property
    def happened_not(self) -> bool:
        """Whether it is certain that the exchange did not do what was asked."""
        return self not in (Fate.UNKNOWN, Fate.NOT_FOUND)

    @property
    def needs_a_person(self) -> bool:
        """Whether asking again will never help."""
        return self in (Fate.DENIED, Fate.RESTRICTED)

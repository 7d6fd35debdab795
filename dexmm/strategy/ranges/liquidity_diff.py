"""The difference between what is held and what is wanted, in liquidity.

NFTs with the same ticks count together. A range that lacks no more than
``liquidity_tolerance_bp`` of what is wanted is left alone, so that reaching a decision once is
reaching it for good: the price moves between deciding and minting, and then the same amounts are
worth less in liquidity, never more. A range that exceeds what is wanted would break a budget, so
of that no more is tolerated than roundings make.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from dexmm.decimal_context import BP
from dexmm.model.decision import TargetPosition
from dexmm.model.holdings import Position

ROUNDINGS = 1_000_000  # no rounding makes a millionth of a position


@dataclass(frozen=True, slots=True)
class Less:
    """Liquidity to take out of one NFT; all of it burns the NFT."""

    position: Position
    liquidity: int

    @property
    def burn(self) -> bool:
        return self.liquidity == self.position.liquidity


@dataclass(frozen=True, slots=True)
class More:
    """Liquidity to add to a range: to an NFT that has it, or a new one."""

    target: TargetPosition
    liquidity: int
    token_id: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    less: tuple[Less, ...]
    more: tuple[More, ...]

    def __bool__(self) -> bool:
        return bool(self.less or self.more)


NONE = Difference((), ())


def difference(
    positions: Iterable[Position], targets: Iterable[TargetPosition], tolerance_bp: Decimal
) -> Difference:
    """What must change so that ``positions`` become ``targets``; empty when they already are."""
    held: dict[tuple[int, int], list[Position]] = {}
    for position in positions:
        if position.liquidity > 0:
            held.setdefault((position.tick_lower, position.tick_upper), []).append(position)
    if _same(held, targets := tuple(targets)):
        return NONE
    less: list[Less] = []
    more: list[More] = []
    for target in targets:
        serving = held.pop((target.tick_lower, target.tick_upper), [])
        serving.sort(key=lambda p: (-p.liquidity, p.token_id))
        lacking = target.liquidity - sum(p.liquidity for p in serving)
        enough = lacking * BP <= tolerance_bp * target.liquidity
        if enough and -lacking * ROUNDINGS <= target.liquidity:
            continue
        if lacking > 0:
            more.append(More(target, lacking, serving[0].token_id if serving else None))
        else:
            less += _reduce(serving, -lacking)
    for unwanted in held.values():
        less += [Less(position, position.liquidity) for position in unwanted]
    return Difference(tuple(less), tuple(more))


def _same(held: dict[tuple[int, int], list[Position]], targets: tuple[TargetPosition, ...]) -> bool:
    """Whether each target is held to the last unit, and nothing else is: so most turns find it."""
    wanted = {(target.tick_lower, target.tick_upper): target.liquidity for target in targets}
    if len(wanted) != len(targets) or wanted.keys() != held.keys():
        return False
    return all(sum([p.liquidity for p in held[ticks]]) == wanted[ticks] for ticks in wanted)


def _reduce(positions: list[Position], excess: int) -> list[Less]:
    """Take ``excess`` out, smallest NFT first, so that as few as possible remain."""
    less = []
    for position in reversed(positions):
        taken = min(position.liquidity, excess)
        if taken:
            less.append(Less(position, taken))
        excess -= taken
    return less

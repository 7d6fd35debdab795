"""What nodes say when they do not answer, and whom it is about.

A refusal can be the answer to the question (a revert, an impossible parameter), or it can be about
the node: its plan, its limits, a block that it does not have yet. The second kind says nothing
about the chain, and another node, a smaller batch or a second try may answer. Providers have no
common codes for these, so words are read too; where neither is known, a refusal is an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

from dexmm.chain.rpc.revert_reason import revert_reason
from dexmm.errors import DexmmError, NodeError

ELSEWHERE = "; time does not change that: name another node in network.rpc_urls"
LONGEST = 200  # characters shown of what a node says
REVERTED = (3, -32015)  # a revert: geth, Erigon, Anvil; Nethermind


class About(Enum):
    """What a refusal is about."""

    QUESTION = "question"  # asked anywhere, it would be refused
    BATCH = "batch"  # too many requests in one: fewer may be answered
    BUSY = "busy"  # a rate limit: later it may answer
    BEHIND = "behind"  # it does not have the block, or its state, yet or any more
    UNABLE = "unable"  # not on this node, its plan or its key


class Unreached(NodeError):
    """No connection was made, so nothing can have been delivered."""


class Unanswered(NodeError):
    """A node answered no request of ours. ``about`` None: nothing tells why. ``said`` are the
    node's own words."""

    def __init__(
        self, message: str, about: About | None = None, said: str = "", **facts: object
    ) -> None:
        super().__init__(message, **facts)
        self.about = about
        self.said = said


class RpcError(NodeError):
    """The node answered with a JSON-RPC error."""

    def __init__(
        self, message: str, code: int, data: bytes = b"", about: About = About.QUESTION
    ) -> None:
        super().__init__(message, code=code)
        self.code = code
        self.data = data
        self.about = about

    @property
    def of_node(self) -> bool:
        """It is about this node alone: another one may answer the same question."""
        return self.about is not About.QUESTION


class Reverted(RpcError):
    """The call was run and the contract reverted; ``reason`` says why."""

    def __init__(self, message: str, code: int, data: bytes, reason: str) -> None:
        super().__init__(message, code, data)
        self.reason = reason


_BATCH_CODES = {-32600, -32700}  # of a whole batch: it was not understood as one
_BUSY_CODES = {-32005, -32007, -32016, -32029, -32090, -32097, 429}
_UNABLE_CODES = {-32601, -32004, 401, 402, 403}
_BUSY_STATUS = {408, 425, 429, 502, 503, 504}
_UNABLE_STATUS = {401, 402, 403, 404, 405, 407, 451}

_BATCH = re.compile(r"\bbatch|payload too large|request entity too large|too many .*\bmethods\b")
# Said of the question: gas and nonces have limits too, and logs are refused by their number.
_QUESTION = re.compile(
    r"\bgas\b|nonce|insufficient funds|underpriced|already known|revert|\blogs?\b|results|range"
    r"|argument|param|override|pending"
)
_UNABLE = re.compile(
    r"method (is )?(not |un)|not (be )?(supported|whitelisted|allowed|permitted|authori[sz]ed)"
    r"|unsupported method|does not exist|\bplans?\b|\btier\b|upgrade|subscri|\bpaid\b|payment"
    r"|forbidden|unauthori[sz]ed|access denied|api.?key|project id|blocked|\bdaily\b|\bmonthly\b"
    r"|quota|credits"
)
_BEHIND = re.compile(
    r"header not found|block not found|unknown block|block .*not (found|available)"
    r"|missing trie node|state (is )?not available|not synced|syncing"
)
_BUSY = re.compile(
    r"\brate\b|rate.?limit|too many requests|requests? limit|limited|throttl"
    r"|limit (exceeded|reached)|capacity|compute units|try again|retry|overload|temporar"
    r"|busy|unavailable|no response"
)


def about(code: int, message: str, *, of_batch: bool = False) -> About:
    """What an error is about. ``of_batch``: it stands in the place of a whole batch's answer."""
    said = message.lower()
    if _BATCH.search(said):
        return About.BATCH
    if code in REVERTED or code == -32602:
        return About.BATCH if of_batch else About.QUESTION
    if code in _UNABLE_CODES:
        return About.BATCH if of_batch and code == -32601 else About.UNABLE
    if _QUESTION.search(said):
        return About.QUESTION
    if _BEHIND.search(said):
        return About.BEHIND
    if _UNABLE.search(said):
        return About.UNABLE
    if code in _BUSY_CODES or _BUSY.search(said):
        return About.BUSY
    return About.BATCH if of_batch and code in _BATCH_CODES else About.QUESTION


def about_status(status: int, message: str) -> About | None:
    """What an HTTP status other than 200 is about; None when it can be anything."""
    if status == 413 or _BATCH.search(message.lower()):
        return About.BATCH
    if status in _UNABLE_STATUS:
        return About.UNABLE
    return About.BUSY if status in _BUSY_STATUS else None


def advice(kind: About | None) -> str:
    """What a person can do where time alone changes nothing; empty where it may."""
    return ELSEWHERE if kind is About.UNABLE else ""


def retry_after(error: DexmmError) -> float:
    """Seconds that the node asked us to wait before the next question; 0 when it did not."""
    return cast("float", error.facts.get("retry_after", 0.0))


def fits(said: str, asked: int) -> int:
    """How many requests to try after ``asked`` were too many: what the node says, or half."""
    named = [int(number) for number in re.findall(r"\b\d{1,4}\b", said)]
    return max((number for number in named if 0 < number < asked), default=max(asked // 2, 1))


def rpc_error(
    error: Any, name: str, redacted: Callable[[str], str] = str, *, of_batch: bool = False
) -> RpcError:
    """The error object of an answer, in the words that ``redacted`` leaves of the node's.

    Raises ``Unanswered`` for one without a number as its code, and for one of a whole batch:
    nothing can be told from those but that, and perhaps why, the node does not answer.
    """
    code, message = error_parts(error)
    shown = redacted(first_line(message))
    kind = about(code or 0, message, of_batch=of_batch)
    if code is None or of_batch:
        said = f"{name} refused: {shown}" if shown else f"{name} answered an error that is not one"
        raise Unanswered(said, None if kind is About.QUESTION else kind, message)
    data = _revert_data(error)
    if code in REVERTED or data:
        reason = revert_reason(data)
        return Reverted(f"the call reverted: {reason}", code, data, reason)
    message = f"{name} refused: {shown or 'no reason given'} (code {code}){advice(kind)}"
    return RpcError(message, code, data, kind)


def error_parts(error: Any) -> tuple[int | None, str]:
    """Code and message of an error, as odd as nodes write them: codes as text, errors as text."""
    if isinstance(error, str):
        return None, error
    if not isinstance(error, dict):
        return None, ""
    code, message = error.get("code"), error.get("message", "")
    if isinstance(code, str) and re.fullmatch(r"-?\d{1,9}", code):
        code = int(code)
    known = isinstance(code, int) and not isinstance(code, bool)
    return (code if known else None), message if isinstance(message, str) else str(message)


def first_line(message: str) -> str:
    return message.splitlines()[0][:LONGEST] if message else ""


def _revert_data(error: dict[str, Any]) -> bytes:
    """Nodes put the revert's bytes in ``data``, or one level deeper, or behind a word."""
    found = error.get("data")
    if isinstance(found, dict):
        found = found.get("data")
    found = found.removeprefix("Reverted ") if isinstance(found, str) else ""
    if not found.startswith("0x"):
        return b""
    try:
        return bytes.fromhex(found[2:])
    except ValueError:
        return b""

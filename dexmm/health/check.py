"""One line of the doctor's list: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dexmm.errors import DexmmError


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"  # works, but somebody should know
    FAIL = "fail"  # does not work until it is mended
    SKIP = "skip"  # could not be looked at, for want of something before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    name: str
    verdict: Verdict
    detail: str
    advice: str = ""  # what to do; empty when it is fine
    exit_code: int = 0  # of a failure


@dataclass(frozen=True, slots=True)
class Diagnosis:
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0 when nothing failed; otherwise the first failure's, the causes being listed first."""
        return next((c.exit_code for c in self.checks if c.verdict is Verdict.FAIL), 0)


def ok(name: str, detail: str) -> Check:
    return Check(name=name, verdict=Verdict.OK, detail=detail)


def warn(name: str, detail: str, advice: str = "") -> Check:
    return Check(name=name, verdict=Verdict.WARN, detail=detail, advice=advice)


def fail(name: str, detail: str, advice: str = "", exit_code: int = 2) -> Check:
    return Check(name=name, verdict=Verdict.FAIL, detail=detail, advice=advice, exit_code=exit_code)


def skip(name: str, why: str, advice: str = "") -> Check:
    return Check(name=name, verdict=Verdict.SKIP, detail=why, advice=advice)


def failed_by(name: str, error: DexmmError) -> Check:
    """An error's own sentence says what is wrong and what to do."""
    return fail(name, error.message, exit_code=error.exit_code)

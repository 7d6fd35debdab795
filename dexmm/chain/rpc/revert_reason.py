"""Why a call reverted, from the bytes it left: ``Error(string)``, ``Panic(uint256)``, or the
selector of a custom error."""

from __future__ import annotations

ERROR_STRING = bytes.fromhex("08c379a0")
PANIC = bytes.fromhex("4e487b71")
PANICS = {
    0x01: "an assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division by zero",
    0x21: "an enum out of range",
    0x31: "a pop of an empty array",
    0x32: "an array index out of bounds",
    0x41: "too much memory",
    0x51: "a call of an empty function pointer",
}
LONGEST = 200  # characters shown of a reason: a contract may write whatever it likes


def revert_reason(data: bytes) -> str:
    """A few printable words; never raises, whatever the contract answered."""
    if not data:
        return "no reason given"
    if data[:4] == ERROR_STRING:
        return _string(data[4:]) or "no reason given"
    if data[:4] == PANIC and len(data) == 36:
        code = int.from_bytes(data[4:], "big")
        return PANICS.get(code, f"panic {code:#x}")
    return f"custom error 0x{data[:4].hex()}"


def _string(body: bytes) -> str:
    """The string of an ABI-encoded ``(string)``, printable characters only."""
    start = int.from_bytes(body[:32], "big")
    length = int.from_bytes(body[start : start + 32], "big") if start <= len(body) else 0
    text = body[start + 32 : start + 32 + min(length, LONGEST)].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "?" for c in text)

"""How many blocks to ask for at once: what the node bears, found by asking.

Half as many after every refusal; twice as many after every answer, but no nearer to what was
refused last than a half, a quarter, an eighth: the distance to it is halved. Every eighth answer
the refusal is doubted, since a stretch of busy blocks ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST = 2_000
MOST = 100_000
FULL = 10_000  # logs: an answer that large is large enough
_DOUBTED_AFTER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Stride:
    blocks: int = FIRST
    refused: int = MOST + 1  # so many were too many
    answers: int = 0  # since then

    def answered(self, logs: int, full: int = FULL) -> Stride:
        """The next stride after an answer with so many logs; ``full`` are as many as it may
        have."""
        answers = self.answers + 1
        refused = self.refused
        if answers >= _DOUBTED_AFTER:
            answers, refused = 0, min(2 * refused, MOST + 1)
        if 2 * logs > full:
            return replace(self, answers=answers, refused=refused)
        most = max(self.blocks, (self.blocks + refused) // 2)
        grown = min(2 * self.blocks, most, MOST)
        return Stride(blocks=grown, refused=refused, answers=answers)

    def refused_at(self, blocks: int) -> Stride | None:
        """The next stride after ``blocks`` were too many; None when one block was."""
        if blocks <= 1:
            return None
        return Stride(blocks=blocks // 2, refused=blocks)

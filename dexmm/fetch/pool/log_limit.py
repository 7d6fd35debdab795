"""How many logs a node puts into one answer, when it cuts the rest off without a word.

Providers cut at round numbers: 100, 1,000, 10,000. So an answer of a round number of logs is
doubted, and one as long as the longest that this node has given to other blocks: a cut answer
looks like that too. Whoever doubts asks for the two halves of the range; when they hold more
logs, the length of the first answer is the node's limit, and no answer as long as that is
believed again.
"""

from __future__ import annotations

ROUND = 50  # a whole multiple of it is suspicious
FEWEST = 16  # logs: nobody cuts at fewer, and short answers are alike by chance


class LogLimit:
    """What one node's answers have shown so far."""

    def __init__(self) -> None:
        self.most: int | None = None  # logs in an answer; None: no limit has shown
        self._longest = 0
        self._of: object = None  # the range of the longest

    def reached(self, logs: int) -> bool:
        """An answer of so many logs is cut for all that is known."""
        return self.most is not None and logs == self.most

    def doubts(self, logs: int, blocks: object) -> bool:
        """An answer of so many logs to these blocks may have been cut. Remembers the longest."""
        again = logs == self._longest and blocks != self._of
        if logs > self._longest:
            self._longest, self._of = logs, blocks
        return logs >= FEWEST and (again or _is_round(logs))

    def learn(self, logs: int) -> None:
        """An answer of so many logs has turned out to be cut."""
        self.most = logs


def _is_round(logs: int) -> bool:
    return logs % ROUND == 0 or logs & (logs - 1) == 0

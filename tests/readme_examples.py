"""The README's examples: found in its text, run, compared, and written anew.

    .venv/bin/python tests/readme_examples.py            # compare; says what differs
    .venv/bin/python tests/readme_examples.py --write    # put what the code says now into README.md

An example is an indented block with lines that begin with ``$ ``. It runs in an empty folder of
its own, on a terminal of 110 columns, with ``dexmm`` on the path and ``scripts/``, ``docs/`` and
``bench/`` as in the checkout; a later command of a block finds what an earlier one has left. Blocks
that name ``.../dexmm.toml`` use the chain that the sandbox's example has kept. Standard output is
compared; what a terminal shows besides (progress, what was read of a file) is standard error.

An output may be shortened: a line ``...`` stands for any lines, ``...`` within a line for any text.
What differs by machine or moment is not compared (``MASKS``): how long something took, the size of
a page, a node's port, a process's number, hashes, and the block at which the exit is proved. All
other numbers are compared to their last digit. The kept chain, which would go on by a block a
second, is stopped at one block until the exit.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import requests

PROJECT = Path(__file__).resolve().parents[1]
README = PROJECT / "README.md"
FOLDERS = ("scripts/", "docs/", "bench/")
KEPT = ".../dexmm.toml"
ELISION = "..."
INDENT = "    "
PROMPT = re.compile(r"^( {4,})\$ ")  # deeper in a list
LONGEST_SECONDS = 600
WIDTH = "110"  # columns of the terminal that the README shows
TOOLS = ("DEXMM_NODE_MODULES", "DEXMM_ANVIL")  # where they are, not how the product is set
EXPECTED_CODES = {0, 2, 3, 4, 5}
LEAST_ALIKE = 0.6  # of two lines that say the same of different figures
BLOCK, AT = 10_000, 1_704_586_800  # where the kept chain stands still; the sandbox ends before
LAST = "dexmm withdraw"  # takes everything out of the kept chain

MASKS = (
    (r"\bin \d+(\.\d+)? s\b", "in <time> s"),
    (r"\(\d+(\.\d+)? s\)", "(<time> s)"),
    (r"\b\d+ s old\b", "<time> s old"),
    (r"\b\d+(\.\d+)? MB\b", "<size> MB"),
    (r"\bat block \d+", "at block <block>"),
    (r"(wallet 0x\w{40}, )block \d+", r"\1block <block>"),
    (r"\(block \d+, ", "(block <block>, "),
    (r"\bkill \d+", "kill <process>"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"0x[0-9a-f]{8,64}(…|\.\.\.)?(?![0-9a-zA-Z])", "<hash>"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a block, and the output shown below it."""

    line: str  # without the prompt
    shown: tuple[str, ...]
    first: int  # the README's line of ``shown[0]``, counted from 0
    indent: str = INDENT


@dataclass(frozen=True, slots=True)
class Block:
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        return self.commands[0].line

    @property
    def on_kept_chain(self) -> bool:
        return any(KEPT in command.line for command in self.commands)

    @property
    def keeps_chain(self) -> bool:
        return any("--keep" in shlex.split(command.line) for command in self.commands)


def blocks(text: str) -> tuple[Block, ...]:
    """Every block with commands, in the order of the text."""
    lines = text.splitlines()
    found: list[Block] = []
    number = 0
    while number < len(lines):
        prompt = PROMPT.match(lines[number])
        if prompt is None:
            number += 1
            continue
        indent = prompt[1]
        commands: list[Command] = []
        while number < len(lines) and lines[number].startswith(f"{indent}$ "):
            line, number = lines[number].removeprefix(f"{indent}$ "), number + 1
            end = _end_of_output(lines, number, indent)
            shown = tuple(each.removeprefix(indent) for each in lines[number:end])
            commands.append(Command(line, shown, number, indent))
            number = end
        found.append(Block(tuple(commands)))
    return tuple(found)


def _end_of_output(lines: Sequence[str], start: int, indent: str) -> int:
    """Behind the last indented line before the next command or the next text."""
    end = number = start
    while number < len(lines) and (lines[number].startswith(indent) or not lines[number]):
        if lines[number].startswith(f"{indent}$ "):
            break
        number += 1
        if lines[number - 1]:
            end = number
    return end


@dataclass(frozen=True, slots=True)
class KeptChain:
    """The chain that the sandbox's example keeps, and what the example said."""

    folder: Path
    url: str
    said: list[str]

    def stand_still(self) -> None:
        """At one block of one time, whatever time the sandbox took."""
        self._rpc("evm_setIntervalMining", [0])
        blocks_to_mine = BLOCK - 1 - int(self._rpc("eth_blockNumber", []), 16)
        self._rpc("anvil_mine", [hex(blocks_to_mine), "0x1"])
        self._rpc("evm_setNextBlockTimestamp", [AT])
        self._rpc("evm_mine", [])

    def go_on(self) -> None:
        self._rpc("evm_setIntervalMining", [1])

    def _rpc(self, method: str, params: list[object]) -> str:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return str(requests.post(self.url, json=asked, timeout=60).json()["result"])


@contextlib.contextmanager
def kept_chain(blocks_: Sequence[Block]) -> Iterator[KeptChain]:
    """Run the sandbox's example, and end its chain afterwards."""
    (command,) = next(block for block in blocks_ if block.keeps_chain).commands
    with tempfile.TemporaryDirectory(prefix="dexmm-readme-") as name:
        folder = Path(name) / "kept"
        said = run(f"{command.line} --state-dir {folder}", Path(name))
        chain = json.loads((folder / "chain.json").read_text("utf-8"))
        try:
            kept = KeptChain(folder, str(chain["url"]), [_as_shown(line, folder) for line in said])
            kept.stand_still()
            yield kept
        finally:
            os.kill(int(chain["pid"]), signal.SIGTERM)


def outputs(block: Block, kept: KeptChain | None) -> list[list[str]]:
    """What each command of a block says now, line by line. A block that needs the kept chain, or
    makes it, needs ``kept``."""
    if block.keeps_chain and kept is not None:
        return [kept.said]
    if kept is not None and block.name.startswith(LAST):
        kept.go_on()
    with tempfile.TemporaryDirectory(prefix="dexmm-readme-") as folder:
        said = []
        for command in block.commands:
            line = command.line
            if kept is not None:
                line = line.replace(KEPT, shlex.quote(str(kept.folder / "dexmm.toml")))
            answered = run(line, Path(folder))
            said.append([_as_shown(text, kept.folder) if kept else text for text in answered])
        return said


def _as_shown(text: str, folder: Path) -> str:
    return text.replace(str(folder / "dexmm.toml"), KEPT)


def run(line: str, folder: Path) -> list[str]:
    """Standard output of one command, as a reader in ``folder`` would see it."""
    words = [
        str(PROJECT / word) if word.startswith(FOLDERS) else word for word in shlex.split(line)
    ]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DEXMM_", "XDG_", "PYTEST_")) or name in TOOLS
    }
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TZ": "UTC",
        "COLUMNS": WIDTH,
    }
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS
    )
    if done.returncode not in EXPECTED_CODES:
        raise AssertionError(f"{line} ended with {done.returncode}: {done.stderr[-2000:]}")
    return [each.rstrip() for each in done.stdout.strip("\n").splitlines()]


def masked(line: str) -> str:
    """A line without what differs by machine or moment."""
    line = " ".join(line.split())
    for pattern, name in MASKS:
        line = re.sub(pattern, name, line)
    return line


def same(shown: str, said: str) -> bool:
    """Whether a shown line is what was said. Spaces in a row count as one."""
    parts = [re.escape(part) for part in masked(shown).split(ELISION)]
    return re.fullmatch(".*".join(parts), masked(said)) is not None


def difference(command: Command, said: Sequence[str]) -> str:
    """What is shown otherwise than it was said; empty where all of it was."""
    at, skipping = 0, False
    for shown in command.shown:
        if shown.strip() == ELISION:
            skipping = True
            continue
        while at < len(said) and not same(shown, said[at]):
            if not skipping:
                break
            at += 1
        if at == len(said) or not same(shown, said[at]):
            there = said[at] if at < len(said) else "the end"
            return f"README: {shown}\nnow:    {there}"
        at, skipping = at + 1, False
    if not skipping and at < len(said):
        return f"README: the end\nnow:    {said[at]}"
    return ""


def rewritten(command: Command, said: Sequence[str]) -> list[str]:
    """The lines to show now: those that were shown, with the text of today.

    A shown line is the one that looks most like it, in the same order; what is new between two of
    them is shown too, what stood at ``...`` stays away. Where fewer than half of them are found,
    everything that was said is shown, for a person to shorten.
    """
    if not difference(command, said):
        return list(command.shown)
    kept = [line for line in command.shown if line.strip() != ELISION]
    if not command.shown or len(kept) == len(command.shown):
        return list(said) if command.shown else []
    places = _aligned(kept, said)
    if 2 * sum(place is not None for place in places) < len(kept):
        return list(said)
    lines: list[str] = []
    left_out, last = False, -1
    found = iter(places)
    for shown in command.shown:
        if shown.strip() == ELISION:
            left_out = True
            continue
        place = next(found)
        if place is None:
            continue
        if left_out:
            lines.append(ELISION)
        else:
            lines += said[last + 1 : place]
        lines.append(said[place])
        left_out, last = False, place
    if left_out:
        lines.append(ELISION)
    else:
        lines += said[last + 1 :]
    return lines


def _aligned(shown: Sequence[str], said: Sequence[str]) -> list[int | None]:
    """Which line of ``said`` stands for each of ``shown``, in order, looking most alike in sum."""
    shapes = [[_shape(line) for line in lines] for lines in (shown, said)]
    best = [[0.0] * (len(said) + 1) for _ in range(len(shown) + 1)]
    for i, one in enumerate(shapes[0]):
        for j, other in enumerate(shapes[1]):
            take = best[i][j] + _alike(one, other)
            best[i + 1][j + 1] = max(take, best[i][j + 1], best[i + 1][j])
    places: list[int | None] = [None] * len(shown)
    i, j = len(shown), len(said)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            places[i] = j
    return places


def _alike(one: str, other: str) -> float:
    """0 to 1; 0 for lines that are not the same but for some figures and words."""
    if one == other:
        return 1.0
    ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
    return ratio if ratio > LEAST_ALIKE else 0.0


def _shape(line: str) -> str:
    return re.sub(r"[\d.,  ]+", "0", " ".join(line.split()))


def check(write: bool) -> int:
    """Compare every example, and write what differs into the README if asked."""
    text = README.read_text("utf-8")
    found = blocks(text)
    lines = text.splitlines()
    changes: list[tuple[Command, list[str]]] = []
    with kept_chain(found) as kept:
        for block in in_order(found):
            there = block.on_kept_chain or block.keeps_chain
            said = outputs(block, kept if there else None)
            for command, now in zip(block.commands, said, strict=True):
                if differs := difference(command, now):
                    print(f"$ {command.line}\n{differs}\n")
                    changes.append((command, rewritten(command, now)))
    if write:
        for command, now in sorted(changes, key=lambda change: -change[0].first):
            shown = [f"{command.indent}{line}".rstrip() for line in now]
            lines[command.first : command.first + len(command.shown)] = shown
        README.write_text("\n".join(lines) + "\n", "utf-8")
    return 1 if changes and not write else 0


def in_order(found: Sequence[Block]) -> list[Block]:
    """As in the text; what takes everything out of the kept chain comes last."""
    return sorted(found, key=lambda block: block.name.startswith(LAST))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compare the README's examples with the code.")
    parser.add_argument("--write", action="store_true", help="put today's outputs into README.md")
    sys.exit(check(parser.parse_args().write))

"""The README's commands do what it says, to the last digit: see ``readme_examples``."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import readme_examples as examples
from readme_examples import (
    Block,
    Command,
    KeptChain,
    blocks,
    difference,
    masked,
    outputs,
    rewritten,
)

from dexmm.cli.main import COMMANDS, LazyGroup

PROJECT = Path(__file__).resolve().parents[1]
TEXT = examples.README.read_text("utf-8")
BLOCKS = examples.in_order(blocks(TEXT))
DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def kept() -> Iterator[KeptChain]:
    with examples.kept_chain(BLOCKS) as chain:
        yield chain


def compared(block: Block, said: list[list[str]]) -> None:
    for command, now in zip(block.commands, said, strict=True):
        assert not difference(command, now), (
            f"$ {command.line}\n{difference(command, now)}\n"
            "`.venv/bin/python tests/readme_examples.py --write` puts today's output into README.md"
        )


@pytest.mark.anvil
def test_a_scout_of_the_kept_chain(kept: KeptChain, tmp_path: Path) -> None:
    line = "dexmm scout --base PAXG --rpc URL --days 7 --capital 50000"
    assert line in TEXT
    said = examples.run(f"{line.replace('URL', kept.url)} --json", tmp_path)
    (pool, *_) = json.loads(said[-1])["pools"]
    assert "PAXG" in str(pool)


@pytest.mark.anvil
def test_the_script_is_the_command(kept: KeptChain, tmp_path: Path) -> None:
    line = f"--config {kept.folder / 'dexmm.toml'} --dry-run"
    said, alike = (
        [masked(each) for each in examples.run(f"{program} {line}", tmp_path)]
        for program in ("scripts/withdraw.py", "dexmm withdraw")
    )
    assert said == alike
    assert any("nothing was sent" in each for each in said)


@pytest.mark.slow
@pytest.mark.anvil
@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.on_kept_chain or block.keeps_chain],
    ids=lambda block: block.name,
)
def test_examples_on_the_kept_chain(block: Block, kept: KeptChain) -> None:
    compared(block, outputs(block, kept))


@pytest.mark.slow
@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if not (block.on_kept_chain or block.keeps_chain)],
    ids=lambda block: block.name,
)
def test_examples_over_the_sample(block: Block) -> None:
    compared(block, outputs(block, None))


# Commands of the README that are shown without an output, and where each of them is run.
WITHOUT_OUTPUT = {
    "scripts/sandbox": "the first example, with options",
    "scripts/test": "this run",
    "scripts/test [...]": "this run",
    "scripts/check": ".ci/run",
    "scripts/withdraw.py --config dexmm.toml": "here, without what it would take out",
    "dexmm scout --base PAXG --rpc URL --days 7 --capital 50000": "here",
    "dexmm fetch candles --exchange binance --symbol PAXG/USDT --since 2025-07-01 "
    "-o gold.parquet": "a network: tests/fetch/candles/test_download.py asks exchanges of its own",
    "dexmm fetch swaps --from-block 24000000 -o pool.parquet": "mainnet; an example on a chain",
    ".venv/bin/python tests/readme_examples.py --write": "what this file runs, without --write",
    ".venv/bin/python bench/startup.py": "tests/test_benches.py",
}


def test_every_command_without_an_output_is_run_somewhere() -> None:
    shown = {line.strip() for block in BLOCKS for c in block.commands for line in c.shown}
    lines = re.findall(r"^ {4,}((?:dexmm|scripts/|\.venv/bin/)\S* ?.*)$", TEXT, re.MULTILINE)
    plain = {re.split(r"  +#", line)[0].strip() for line in lines if line.strip() not in shown}
    assert plain == set(WITHOUT_OUTPUT)


def commands_of(document: Path) -> list[str]:
    """Every command in a document: in code spans, and in blocks with or without a prompt."""
    text = document.read_text("utf-8")
    spans = re.findall(r"`((?:dexmm|scripts/\w+(?:\.py|\.sh)?)(?: [^`]*)?)`", text)
    lines = re.findall(
        r"^ {4,}(\$ )?((?:dexmm|scripts/\w+(?:\.py)?) .*?)(?:  +#.*)?$", text, re.MULTILINE
    )
    shown = {line for block in blocks(text) for c in block.commands for line in c.shown}
    plain = [line for prompt, line in lines if prompt or line not in shown]
    return [" ".join(command.split()) for command in (*spans, *plain)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_and_option_that_is_named_exists(document: Path) -> None:
    group = LazyGroup("dexmm")
    for line in commands_of(document):
        program, *words = shlex.split(line.replace("'", ""), comments=True)
        if program != "dexmm":
            assert (PROJECT / program).is_file(), line
            continue
        if not words or words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, line
        command = group.get_command(click.Context(group), words[0])
        while isinstance(command, click.Group) and len(words) > 1:
            words = words[1:]
            command = command.get_command(click.Context(command), words[0])
        assert command is not None, line
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        named = [word.split("=")[0] for word in words if re.fullmatch(r"--?[a-z].*", word)]
        assert set(named) <= known | {"--help"}, line


COMMAND = Command(
    "dexmm x", ("price 3 982.98", "...", "in 3 s, block 7", "net +1.00 USDT", "..."), 0
)
SAID = ["price 3 982.98", "noise", "in 41.5 s, block 7", "net +1.00 USDT", "more"]


@pytest.mark.parametrize(
    "said",
    [
        ["price 3 982.97", *SAID[1:]],
        [*SAID[:3], "net +1.01 USDT", "more"],
        [*SAID[:3], "net -1.00 USDT", "more"],
        [*SAID[:2], "in 3 s, block 8", *SAID[3:]],
        SAID[:3],
        ["something", *SAID],
        [*SAID[:3], "between", *SAID[3:]],
    ],
)
def test_another_digit_or_another_line_is_a_difference(said: list[str]) -> None:
    assert difference(COMMAND, SAID) == ""
    assert difference(COMMAND, said)


def test_what_is_written_anew_is_no_difference_and_stays_as_short() -> None:
    said = ["price 4 001.00", "noise", "in 5 s, block 9", "net −7.25 USDT", "more"]
    anew = rewritten(COMMAND, said)
    assert anew == ["price 4 001.00", "...", "in 5 s, block 9", "net −7.25 USDT", "..."]
    assert difference(Command("dexmm x", tuple(anew), 0), said) == ""
    assert rewritten(COMMAND, SAID) == list(COMMAND.shown)


def test_a_line_that_is_new_between_two_that_are_shown_is_shown_too() -> None:
    said = ["price 4 001.00", "noise", "in 5 s, block 9", "share 35.0 %", "net −7.25 USDT", "more"]
    anew = ["price 4 001.00", "...", "in 5 s, block 9", "share 35.0 %", "net −7.25 USDT", "..."]
    assert rewritten(COMMAND, said) == anew


def test_an_output_of_another_shape_is_shown_whole() -> None:
    assert rewritten(COMMAND, ["nothing", "alike"]) == ["nothing", "alike"]

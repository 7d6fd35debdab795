"""Every ending of a command is an exit code and at most one line; never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from dexmm.cli import main
from dexmm.errors import BadInput, Busy, Halt, Transient

URL = "https://node.example/v2/aBcDeFgHiJkLmNoP"


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Registers a command ``end`` that raises what it is given."""

    def register(error: BaseException) -> None:
        @click.command()
        @click.option("--json", "as_json", is_flag=True)
        @click.option("--debug", is_flag=True)
        def end(as_json: bool, debug: bool) -> None:
            raise error

        monkeypatch.setattr(main.LazyGroup, "get_command", lambda *_: end)

    return register


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("mend it"), 2),
        (Halt("look at it"), 4),
        (Transient("later"), 5),
        (Busy("not now"), 6),
        (click.exceptions.Exit(3), 3),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("what?"), 2),
        (BrokenPipeError(), 141),
    ],
)
def test_exit_codes(
    ends_with: Callable[[BaseException], None], error: BaseException, code: int
) -> None:
    ends_with(error)
    assert _in_child(main.run, ["end"]) == code


def _in_child(run: Callable[[list[str]], int], arguments: list[str]) -> int:
    """A broken pipe redirects the process's own stdout, so it is tried in a child."""
    pid = os.fork()
    if pid == 0:
        os._exit(run(arguments))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_an_error_is_one_line(
    ends_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(BadInput("mend it"))
    assert main.run(["end"]) == 2
    assert capsys.readouterr() == ("", "dexmm: mend it\n")


def test_with_json_an_error_is_an_object_as_well(
    ends_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(Halt("look at it"))
    assert main.run(["end", "--json"]) == 4
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "look at it", "exit_code": 4}
    assert err == "dexmm: look at it\n"


def test_an_unexpected_error_is_one_line_and_its_trace_is_kept_without_secrets(
    ends_with: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    ends_with(ValueError(f"could not reach {URL} with password=hunter22\nand more"))
    assert main.run(["end"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("dexmm: unexpected ValueError: could not reach https://node.example/***")
    (trace,) = tmp_path.glob("dexmm-*.trace")
    assert str(trace) in err
    assert trace.stat().st_mode & 0o077 == 0
    text = trace.read_text()
    assert "raise error" in text
    for secret in ("aBcDeFgH", "hunter22"):
        assert secret not in err + text


def test_debug_shows_the_trace_at_once(
    ends_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(ValueError(f"no answer from {URL}"))
    assert main.run(["end", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "aBcDeFgH" not in err


def test_every_command_of_the_table_exists_and_helps() -> None:
    for name, (_, line) in main.COMMANDS.items():
        command = main.cli.get_command(click.Context(main.cli), name)
        assert command is not None
        assert command.name == name
        assert line.endswith(".")
        assert command.help
        each = list(command.commands.values()) if isinstance(command, click.Group) else [command]
        options = {option for one in each for param in one.params for option in param.opts}
        # A sandbox and a paper exchange make their own world.
        assert "--config" in options or name in {"sandbox", "paper"}, name
        assert "--json" in options, name


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command 'nonsense'; see `dexmm --help`"),
        (["log", "--nonsense"], "see `dexmm log --help`"),
        (["replay", "--since", "yesterday"], "--since yesterday is no date"),
        (["status", "--config", "nowhere.toml"], "there is no configuration at nowhere.toml"),
    ],
)
def test_bad_usage_is_one_line_that_says_where_help_is(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([]) == 2
    assert main.run(["--help"]) == 0
    assert "withdraw" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dexmm.cli.main", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141

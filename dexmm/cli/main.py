"""The ``dexmm`` command: finds the subcommand, and turns every ending into an exit code.

``dexmm --help`` is answered from the table below without importing any subcommand; a subcommand
is imported when it runs or shows its own help.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from dexmm import __version__
from dexmm.errors import BadInput, DexmmError, Transient, passes
from dexmm.terminal import streams

# name -> (where it lives, its line in the help)
COMMANDS = {
    "init": ("dexmm.cli.init:init", "Write a commented dexmm.toml and .env.example."),
    "keystore": (
        "dexmm.cli.keystore:keystore",
        "Encrypt a wallet's key into a file that only you can read.",
    ),
    "doctor": ("dexmm.cli.doctor:doctor", "Check every prerequisite, and say what to do."),
    "scout": ("dexmm.cli.scout:scout", "Compare all pools of a token: which of them pays."),
    "status": ("dexmm.cli.status:status", "Show the pool, the positions and the inventory."),
    "log": ("dexmm.cli.log:log", "Show what it did, refused, paid and had filled since then."),
    "run": ("dexmm.cli.run:run", "Keep the inventory in its band: a loop, or one turn."),
    "withdraw": ("dexmm.cli.withdraw:withdraw", "Get everything out of the pool, now."),
    "halt": ("dexmm.cli.halt:halt", "Stop acting until `dexmm resume`."),
    "resume": ("dexmm.cli.resume:resume", "Show why it was halted, and act again."),
    "sandbox": ("dexmm.cli.sandbox:sandbox", "Watch it work on a local mainnet."),
    "paper": ("dexmm.cli.paper:paper", "Run a paper exchange on this machine."),
    "calendar": (
        "dexmm.cli.calendar:calendar",
        "Write gold's holidays and early closes as a setting.",
    ),
    "fetch": ("dexmm.cli.fetch:fetch", "Fetch candles, or a pool's swaps, into a file."),
    "backtest": (
        "dexmm.cli.backtest:backtest",
        "Run it over a history, with every cost, beside what others do.",
    ),
    "tune": (
        "dexmm.cli.tune:tune",
        "Search for better settings, scored on history it never saw.",
    ),
    "replay": ("dexmm.cli.replay:replay", "Decide recorded history again and show differences."),
    "report": (
        "dexmm.cli.report:report",
        "Show what was earned, spent and refused, as one page.",
    ),
}

INTERRUPTED = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED = 141  # 128 + SIGPIPE


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports only the one asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above says so
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    epilog="Exit codes: 0 done, 2 bad usage or configuration, 3 a guard refused, 4 halted, "
    "5 try again later, 6 another process holds the wallet.",
)
@click.version_option(__version__, prog_name="dexmm")
def cli() -> None:
    """An inventory-aware market maker for Uniswap v3 pools that can always get out."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; never with a traceback.

    The exit code is the work's, whatever became of the words: see ``streams``.
    """
    streams.prepare()
    asked = list(sys.argv[1:] if arguments is None else arguments)
    code = run(asked)
    sys.stdout.flush()
    if streams.reader_went_away() and _only_help(asked):
        code = PIPE_CLOSED  # telling was all the work there was
    elif why := streams.why_answer_is_lost():
        print(f"dexmm: the answer is lost: {why}", file=sys.stderr)  # noqa: T201 - the terminal
    sys.exit(code)


def _only_help(arguments: Sequence[str]) -> bool:
    return bool({"--help", "--version"} & set(arguments))


def run(arguments: list[str]) -> int:
    """Run one command. Returns the exit code; prints at most one error."""
    if "_DEXMM_COMPLETE" in os.environ:
        cli(prog_name="dexmm")
    try:
        with cli.make_context("dexmm", list(arguments)) as context:
            cli.invoke(context)
            sys.stdout.flush()
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except BrokenPipeError:
        return _pipe_closed()
    except (KeyboardInterrupt, click.Abort):
        print("\ndexmm: interrupted", file=sys.stderr)  # noqa: T201 - this is the terminal
        return INTERRUPTED
    except click.ClickException as error:
        return _tell(_usage(error), arguments)
    except DexmmError as error:
        return _tell(error, arguments)
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, not a trace
        return _unexpected(error, arguments)
    return 0


def _usage(error: click.ClickException) -> BadInput:
    """Click's own complaints, in one line that says where help is."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "dexmm"
    return BadInput(f"{error.format_message().rstrip('.')}; see `{where} --help`")


def _tell(error: DexmmError, arguments: Sequence[str]) -> int:
    if "--debug" in arguments:
        print(_trace(error), file=sys.stderr)  # noqa: T201 - this is the terminal
    return _say(error.message, error.exit_code, arguments)


def _unexpected(error: Exception, arguments: Sequence[str]) -> int:
    """A mistake of ours: one line, and the traceback where it can be found.

    A full disk is none, wherever it was noticed.
    """
    if isinstance(error, OSError) and passes(error):
        where = f"{error.filename}: " if error.filename else ""
        return _tell(Transient(f"{where}{error.strerror}; make room, then try again"), arguments)
    what = f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else '-'}"
    if "--debug" in arguments:
        print(_trace(error), file=sys.stderr)  # noqa: T201 - this is the terminal
        return _say(what, 1, arguments)
    return _say(f"{what} ({_keep_trace(error)})", 1, arguments)


def _keep_trace(error: Exception) -> str:
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="dexmm-", suffix=".trace", delete=False, encoding="utf-8"
        ) as file:
            file.write(_trace(error))
    except OSError:
        return "repeat with --debug to see where"
    return f"the traceback is in {file.name}; --debug shows it at once"


def _trace(error: BaseException) -> str:
    import traceback

    from dexmm.telemetry.redact import redact

    return redact("".join(traceback.format_exception(error)))


def _say(message: str, exit_code: int, arguments: Sequence[str]) -> int:
    """The error on stderr, and as one JSON object on stdout for whoever asked for JSON."""
    from dexmm.telemetry.redact import redact

    message = redact(message)
    try:
        if "--json" in arguments:
            import json

            answer = json.dumps({"error": message, "exit_code": exit_code})
            print(answer, flush=True)  # noqa: T201 - this is the answer
        print(f"dexmm: {message}", file=sys.stderr)  # noqa: T201 - this is the terminal
    except BrokenPipeError:
        _pipe_closed()
    return exit_code


def _pipe_closed() -> int:
    """The reader has gone (``dexmm status | head -1``): leave without a second complaint."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return PIPE_CLOSED


if __name__ == "__main__":
    main()

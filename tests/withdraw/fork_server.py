"""Runs the command line in forked children, so that a case costs milliseconds of start-up.

Everything heavy is imported once; a request on stdin (one line of JSON) forks a child that is in
every other respect a process of its own: its pid can be killed, its file descriptors and locks are
its own. The product knows nothing of this. With ``kill_commit`` the child kills itself before its
n-th database commit, by listening to SQLAlchemy's own event: between two writes there is no
request on which anybody could cut it down from outside.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys

HEAVY = (
    "eth_account",
    "web3",
    "dexmm.cli.run",
    "dexmm.cli.withdraw",
    "dexmm.wiring.exit",
    "dexmm.performance.entry_text",
    "dexmm.withdraw.withdraw",
)


def serve() -> None:
    for name in HEAVY:
        importlib.import_module(name)
    children: set[int] = set()
    _answer({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            children.discard(request["wait"])
            _answer({"code": os.waitstatus_to_exitcode(status)})
            continue
        pid = os.fork()
        if pid == 0:
            _child(request)
        children.add(pid)
        _answer({"pid": pid})
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _answer(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _child(request: dict[str, object]) -> None:
    code = 70
    try:
        for descriptor, name in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
            flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            opened = os.open(str(name), flags, 0o600)
            os.dup2(opened, descriptor)
            os.close(opened)
        os.chdir(str(request["cwd"]))
        os.environ.clear()
        os.environ.update(request["env"])  # type: ignore[call-overload]
        if request.get("kill_commit"):
            _die_before_commit(int(str(request["kill_commit"])))
        from dexmm.cli.main import run

        code = run(request["argv"])  # type: ignore[arg-type]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_before_commit(count: int) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    commits = 0

    def die(_connection: object) -> None:
        nonlocal commits
        commits += 1
        if commits == count:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "commit", die)


if __name__ == "__main__":
    serve()

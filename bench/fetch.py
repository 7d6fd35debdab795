"""`dexmm fetch swaps`: at least 300,000 logs a second, from a node's bytes to a Parquet file.

    python bench/fetch.py [--answers 20] [--logs 10000] [--rounds 5] [--seed 1] [--json]

A node's answers are made from a seed: nine in ten logs are swaps, the rest mints, burns and
collects, each as geth writes it, about 900 bytes. Then, on one core:

    decoded     the bytes of the answers to Arrow columns in memory
    end to end  from the bytes of the answers to a written Parquet file: this is the target
    resumable   the same by way of the parts that a fetch keeps, synced to the disk, and merges
    over HTTP   the same, and the answers come through the product's own client
    web3.py     contract.events.*().process_log on a sample, from JSON to its dictionaries in memory

Speeds are logs a second of processor time, medians of rounds in which the sides take turns: other
people's work on the machine does not count. ``wall`` is by the clock, with the disk's own time.
The HTTP server is another process, and its time does not count. Before anything is timed, both
sides must agree on every value of the sample.
"""

from __future__ import annotations

import sys

if sys.path[0].endswith("bench"):
    sys.path[0] = sys.path[0].removesuffix("bench")

import gc
import json
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from web3 import Web3
from web3.contract import Contract

from bench._harness import arguments, finish
from dexmm.fetch.pool.event_schema import EVENTS, Event, Word
from dexmm.fetch.pool.log_decoder import Asked, decode_logs
from dexmm.fetch.pool.log_limit import LogLimit
from dexmm.fetch.pool.log_source import Node
from dexmm.fetch.pool.resumable_parts import Parts, Span, Wanted, write_logs
from dexmm.uniswap.tick_math import MAX_TICK, MIN_TICK

LEAST = 300_000
POOL = "0x7Cb85f75e61226060453a997a7733F76707Df337"
ABI = Path(__file__).resolve().parents[1] / "contracts" / "abi" / "UniswapV3Pool.json"
BLOCKS = 2_000  # of an answer
SAMPLE = 2_000  # logs for web3.py
PEOPLE = 300  # addresses that come again and again
BITS = {Word.SIGNED: 90, Word.UINT256: 90, Word.UINT160: 82, Word.UINT128: 64}


def word(kind: Word, dice: random.Random, people: list[str]) -> str:
    if kind is Word.ADDRESS:
        return "0" * 24 + dice.choice(people)
    if kind is Word.TICK:
        value = dice.randint(MIN_TICK // 4, MAX_TICK // 4)
    else:
        value = dice.getrandbits(BITS[kind])
        value = -value if kind is Word.SIGNED and dice.random() < 0.5 else value
    return f"{value % (1 << 256):064x}"


def a_log(event: Event, block: int, index: int, dice: random.Random, people: list[str]) -> Any:
    return {
        "address": POOL.lower(),
        "topics": [event.topic, *("0x" + word(kind, dice, people) for _, kind in event.indexed)],
        "data": "0x" + "".join(word(kind, dice, people) for _, kind in event.data),
        "blockNumber": hex(block),
        "transactionHash": "0x" + dice.randbytes(32).hex(),
        "transactionIndex": hex(dice.randint(0, 300)),
        "blockHash": f"0x{block:064x}",
        "blockTimestamp": hex(1_500_000_000 + 12 * block),
        "logIndex": hex(index),
        "removed": False,
    }


def an_answer(first: int, count: int, dice: random.Random, people: list[str]) -> bytes:
    """``count`` logs in the blocks from ``first`` on, about five in each block that has any."""
    logs, begun = [], (0, 0)  # the block of the last log, and the number of its first
    blocks = sorted(dice.sample(range(BLOCKS), min(BLOCKS, max(1, count // 5))))
    for number in range(count):
        event = EVENTS[0] if dice.random() < 0.9 else dice.choice(EVENTS[1:4])
        block = first + blocks[number * len(blocks) // count]
        index = (block * 7 % 990) + (number - begun[-1] if block == begun[0] else 0)
        begun = begun if block == begun[0] else (block, number)
        logs.append(a_log(event, block, index, dice, people))
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": logs}, separators=(",", ":")).encode()


def plain_counts(answers: int, most: int) -> list[int]:
    """So many different counts below ``most``, none of which a node's limit may be: those are
    asked for again in halves."""
    found: list[int] = []
    count = most
    while len(found) < answers:
        count -= 1
        if count < 1 or not LogLimit().doubts(count, None):
            found.append(max(count, 1))
    return found


class History:
    """Answers of a node to ranges that follow each other."""

    def __init__(self, answers: int, logs: int, seed: int) -> None:
        dice = random.Random(seed)
        people = [dice.randbytes(20).hex() for _ in range(PEOPLE)]
        self.first = 17_000_000
        starts = [self.first + BLOCKS * number for number in range(answers)]
        self.spans = [Span(start, start + BLOCKS - 1) for start in starts]
        counts = plain_counts(answers, logs)
        self.bodies = [
            an_answer(start, count, dice, people)
            for start, count in zip(starts, counts, strict=True)
        ]
        self.logs = sum(counts)

    def wanted(self) -> Wanted:
        return Wanted(
            chain_id=1,
            pool=POOL,
            from_block=self.first,
            to_block=self.spans[-1].last,
            anchor="0x",
            timestamps=False,
        )

    def decoded(self) -> Iterator[tuple[Span, pa.RecordBatch]]:
        for span, body in zip(self.spans, self.bodies, strict=True):
            yield span, decode_logs(body, asked(span))


def asked(span: Span) -> Asked:
    return Asked(
        request_id=1, pool=POOL, from_block=span.first, to_block=span.last, node="the bench"
    )


def write(history: History, folder: Path) -> None:
    """From answers to a file, and nothing kept between."""
    write_logs(folder / "once.parquet", (logs for _, logs in history.decoded()), {})


def store(history: History, answers: Iterator[tuple[Span, pa.RecordBatch]], folder: Path) -> Path:
    """What a fetch does with its answers, up to the finished file."""
    output = folder / "history.parquet"
    output.unlink(missing_ok=True)
    with Parts.of(output, history.wanted()) as parts:
        for span, logs in answers:
            parts.keep(span, logs)
        parts.merge({"dexmm.pool": POOL})
    return output


def by_web3(contract: Contract, body: bytes, count: int) -> list[dict[str, Any]]:
    """The first logs of an answer, each through its event's own processor."""
    events = {event.topic: getattr(contract.events, event.kind.title())() for event in EVENTS}
    found = []
    for log in json.loads(body)["result"][:count]:
        raw = {
            **log,
            "topics": [bytes.fromhex(topic[2:]) for topic in log["topics"]],
            "data": bytes.fromhex(log["data"][2:]),
            "blockNumber": int(log["blockNumber"], 16),
            "logIndex": int(log["logIndex"], 16),
            "transactionIndex": int(log["transactionIndex"], 16),
        }
        found.append(events[log["topics"][0]].process_log(raw))
    return found


def demand_agreement(theirs: list[dict[str, Any]], ours: pa.RecordBatch) -> None:
    """Every value that web3.py decodes is the one in the columns."""
    names = {"sqrtPriceX96": "sqrt_price_x96", "tickLower": "tick_lower", "tickUpper": "tick_upper"}
    for event, row in zip(theirs, ours.slice(0, len(theirs)).to_pylist(), strict=True):
        assert (event["blockNumber"], event["logIndex"]) == (row["block_number"], row["log_index"])
        for name, value in event["args"].items():
            mine = row[names.get(name, name)]
            assert (bytes.fromhex(value[2:]) if isinstance(value, str) else value) == mine, name


class Timed:
    """Processor and wall seconds of sides that take turns."""

    def __init__(self) -> None:
        self.processor: dict[str, list[float]] = {}
        self.wall: dict[str, list[float]] = {}

    def run(self, name: str, side: Callable[[], object]) -> None:
        gc.collect()
        started, clock = process_time(), perf_counter()
        side()
        self.processor.setdefault(name, []).append(process_time() - started)
        self.wall.setdefault(name, []).append(perf_counter() - clock)

    def speed(self, seconds: Mapping[str, list[float]], name: str, count: int) -> float:
        return count / median(seconds[name])


def serve(folder: str) -> None:
    """Send the answer whose first block is asked for, until standard input ends."""
    paths = {int(path.name): path for path in Path(folder).iterdir()}
    bodies = {first: path.read_bytes() for first, path in paths.items()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = bodies[int(call["params"][0]["fromBlock"], 16)]
            body = body.replace(b'"id":1,', f'"id":{call["id"]},'.encode(), 1)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            pass

    import threading

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


@contextmanager
def served(history: History, folder: Path) -> Iterator[Node]:
    answers = folder / "answers"
    answers.mkdir()
    for span, body in zip(history.spans, history.bodies, strict=True):
        (answers / str(span.first)).write_bytes(body)
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(answers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield Node([f"http://127.0.0.1:{int(server.stdout.readline())}"], timeout_seconds=60)
    finally:
        server.stdin.close()
        server.wait(timeout=30)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--answers", type=int, default=20, help="of the node (default 20)")
    parser.add_argument("--logs", type=int, default=10_000, help="in each, about (default 10,000)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    history = History(options.answers, options.logs, options.seed)
    sample = min(SAMPLE, options.logs)
    contract = Web3().eth.contract(abi=json.loads(ABI.read_text()))
    _, first = next(history.decoded())
    demand_agreement(by_web3(contract, history.bodies[0], sample), first)

    timed = Timed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(history, folder) as node:
            for _ in range(options.rounds):
                timed.run("decoded", lambda: [logs.num_rows for _, logs in history.decoded()])
                timed.run("end to end", lambda: write(history, folder))
                timed.run("resumable", lambda: store(history, history.decoded(), folder))
                timed.run(
                    "over HTTP",
                    lambda: store(
                        history, ((s, node.logs(POOL, s)) for s in history.spans), folder
                    ),
                )
                timed.run("web3.py", lambda: by_web3(contract, history.bodies[0], sample))
        stored = folder / "history.parquet"
        assert pq.read_metadata(stored).num_rows == history.logs
        size = stored.stat().st_size
    return finish(*results(history, sample, size, timed), options.json)


def results(
    history: History, sample: int, size: int, timed: Timed
) -> tuple[dict[str, Any], list[str]]:
    counts = dict.fromkeys(("decoded", "end to end", "resumable", "over HTTP"), history.logs)
    counts["web3.py"] = sample
    speeds = {name: timed.speed(timed.processor, name, n) for name, n in counts.items()}
    shown: dict[str, Any] = {
        "logs": history.logs,
        "answer, megabytes each": len(history.bodies[0]) / 1e6,
        "Parquet, bytes a log": size / history.logs,
    }
    for name, count in counts.items():
        shown[f"{name}, logs a second"] = round(speeds[name])
        shown[f"{name}, wall, logs a second"] = round(timed.speed(timed.wall, name, count))
    shown["end to end against web3.py, ratio"] = speeds["end to end"] / speeds["web3.py"]
    missed = []
    if speeds["end to end"] < LEAST:
        missed.append(f"{speeds['end to end']:,.0f} logs a second end to end, not {LEAST:,}")
    return shown, missed


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        sys.exit(main())

#!/usr/bin/env bash
# Anvil 1.7.1 mines empty blocks ever more slowly on its default hardfork, and does not on Cancun.
#
# Since Prague every block begins with a system call that stores its parent's hash in the history
# contract of EIP-2935 (0x0000F90827F1C53a10cb7A02335B175320002935), a ring of 8,191 storage slots.
# In Anvil 1.7.1 the cost of mining a block grows with the number of slots that contract holds, so a
# local chain that is moved on by thousands of empty blocks becomes tens of times slower while its
# ring fills, although nobody uses it. On Cancun, which has no such call, or once the contract's code
# is taken away (anvil_setCode), blocks cost a tenth of that and grow far less.
#
# Source: seen with a local chain that a simulation moves through weeks of blocks; EIP-2935;
# @foundry-rs/anvil 1.7.1 from npm (linux-amd64).
#
# Output seen (seconds for 2,000 empty blocks by anvil_mine, one after another; a busy machine):
#   cancun:                0.51  0.81  1.25
#   default:               2.28  8.79  17.08
#   default, without code: 0.34  0.81  1.63
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-fund --no-audit --ignore-scripts @foundry-rs/anvil-linux-amd64@1.7.1 >/dev/null
anvil=$(find "$work/node_modules/@foundry-rs" -type f -name anvil | head -1)
cat >run.py <<'PYTHON'
import json
import socket
import subprocess
import sys
import time
import urllib.request

HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"
ROUNDS, BLOCKS = 3, 2000


def measure(anvil: str, options: list[str], empty: bool) -> list[float]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [anvil, "--port", str(port), "--quiet", "--no-mining", *options]
    node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:

        def rpc(method: str, *params: object) -> object:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            asked = urllib.request.Request(
                url, json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(asked, timeout=120) as answer:
                return json.load(answer)["result"]

        for _ in range(100):
            try:
                rpc("eth_blockNumber")
                break
            except OSError:
                time.sleep(0.1)
        if empty:
            rpc("anvil_setCode", HISTORY, "0x")
        seconds = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            rpc("anvil_mine", hex(BLOCKS))
            seconds.append(time.perf_counter() - started)
        return seconds
    finally:
        node.terminate()
        node.wait()


anvil = sys.argv[1]
cancun = measure(anvil, ["--hardfork", "cancun"], empty=False)
default = measure(anvil, [], empty=False)
without = measure(anvil, [], empty=True)
for name, seconds in (
    ("cancun:", cancun),
    ("default:", default),
    ("default, without code:", without),
):
    print(f"{name:<23}" + "  ".join(f"{each:.2f}" for each in seconds))
grows = default[-1] > 2 * default[0] and default[-1] > 4 * max(cancun[-1], without[-1])
sys.exit(0 if grows else "blocks no longer get slower as the history contract fills")
PYTHON
python3 run.py "$anvil"

"""Selectors and topics written by hand, against the contracts' own ABIs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from dexmm.chain.rpc import abi

FOLDER = Path(__file__).resolve().parents[3] / "contracts" / "abi"


def canonical(kind: dict[str, Any]) -> str:
    if not kind["type"].startswith("tuple"):
        return str(kind["type"])
    inner = ",".join(canonical(component) for component in kind["components"])
    return f"({inner}){kind['type'][5:]}"


def signatures() -> dict[str, set[str]]:
    """Of every function and event in ``contracts/abi``, by kind."""
    found: dict[str, set[str]] = {"function": set(), "event": set()}
    for path in FOLDER.glob("*.json"):
        for entry in json.loads(path.read_text()):
            if entry["type"] in found:
                inputs = ",".join(canonical(each) for each in entry["inputs"])
                found[entry["type"]].add(f"{entry['name']}({inputs})")
    return found


FUNCTIONS = {k: v for k, v in vars(abi).items() if isinstance(v, abi.Function)}
EVENTS = {
    "INCREASE_EVENT": "IncreaseLiquidity(uint256,uint128,uint256,uint256)",
    "POOL_COLLECT_EVENT": "Collect(address,address,int24,int24,uint128,uint128)",
    "POOL_MINT_EVENT": "Mint(address,address,int24,int24,uint128,uint256,uint256)",
    "SWAP_EVENT": "Swap(address,address,int256,int256,uint160,uint128,int24)",
}
# USDC's spelling; its contract is not among ours.
FOREIGN = {"isBlacklisted(address)"}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_is_one_of_the_contracts(name: str) -> None:
    function = FUNCTIONS[name]
    assert keccak(text=function.signature)[:4] == function.selector
    assert function.signature in signatures()["function"] | FOREIGN


def test_every_event_is_one_of_the_contracts() -> None:
    assert set(EVENTS) == {name for name in vars(abi) if name.endswith("_EVENT")}
    for name, signature in EVENTS.items():
        assert getattr(abi, name) == "0x" + keccak(text=signature).hex()
        assert signature in signatures()["event"]


def test_the_layout_of_the_lens_is_what_the_decoder_reads() -> None:
    """The decoder's word offsets, from the ABI."""
    from dexmm.chain.observe import lens, pool_ticks

    entries = json.loads((FOLDER / "SnapshotLens.json").read_text())
    by_name = {entry["name"]: entry for entry in entries if entry["type"] == "function"}
    fields = by_name["snapshot"]["outputs"][0]["components"]
    places, at = {}, 0
    for each in fields:
        places[each["name"]] = at
        at += _words(each)
    assert places == {
        "flags": lens._FLAGS,
        "at": lens._BLOCK,
        "pool": lens._POOL,
        "oracle": lens._ORACLE,
        "nfts": lens._NFTS,
        "positions": lens._POSITIONS,
        "probes": lens._PROBES,
    }
    assert _words({**fields[5], "type": "tuple"}) == lens._NFT_WORDS
    outputs = by_name["ticks"]["outputs"]
    assert [_words(each) for each in outputs] == [1, 7, 19, 1]
    assert _words({**outputs[3], "type": "tuple"}) == pool_ticks.TICK_WORDS
    for name in ("POOL_ANSWERS", "POOL_INITIALISED", "MANAGER_ANSWERS"):
        assert f"{name}()" in signatures()["function"]


def _words(kind: dict[str, Any]) -> int:
    """In the head: a static tuple lies there whole, anything dynamic is an offset."""
    dynamic = kind["type"].endswith("[]") or kind["type"] in {"bytes", "string"}
    if dynamic or kind["type"] != "tuple":
        return 1
    inner = kind["components"]
    if any(each["type"].endswith("[]") or each["type"] == "bytes" for each in inner):
        return 1
    return sum(_words(each) for each in inner)

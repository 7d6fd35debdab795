"""What an exit asks of the wallet's ether, and of a transaction's gas."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from dexmm.config.schema import Gas
from dexmm.model.gas import TRANSACTION_GAS_CAP
from dexmm.units import to_units_down

if TYPE_CHECKING:
    from tests.withdraw.conftest import Scene
else:
    Scene = Any

pytestmark = pytest.mark.anvil

WALLET = "0xa8049bB68181799124F98E467DD749e120abFA64"
GWEI = 10**9
DEAR = 40 * GWEI


def hold_base_fee(scene: Scene, base_fee: int = DEAR) -> None:
    """Every block from now on costs so much, as on a chain that others fill."""
    forward = scene.proxy._forward

    def dear(body: bytes) -> bytes:
        if b"eth_sendRawTransaction" in body:
            scene.anvil.set_base_fee(base_fee)
        answer: bytes = forward(body)
        return answer

    scene.proxy._forward = dear
    scene.anvil.set_base_fee(base_fee)
    scene.anvil.mine()


def limits(scene: Scene) -> list[int]:
    """The gas limit of every transaction that the wallet has in a block, the oldest first."""
    found = []
    for number in range(int(scene.anvil.block()["number"], 16) + 1):
        block = scene.anvil.rpc("eth_getBlockByNumber", [hex(number), True])
        found += [
            int(t["gas"], 16) for t in block["transactions"] if t["from"].lower() == WALLET.lower()
        ]
    return found


def test_the_reserve_alone_takes_two_positions_out_at_forty_gwei(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.mint(-900, 300)
    scene.anvil.set_balance(WALLET, to_units_down(Gas().reserve_eth, 18))
    hold_base_fee(scene)
    ran = scene.withdraw()
    assert ran.code == 0, ran.out + ran.err
    assert ran.answer["proved"]
    assert scene.all_out()


def test_more_than_one_transaction_may_take_is_split_by_its_estimate(scene: Scene) -> None:
    for i in range(80):
        scene.mint(-700 - 10 * i, 700 + 10 * i, "0.01", "40")
    before = len(limits(scene))
    ran = scene.withdraw()
    assert ran.code == 0, ran.out + ran.err
    assert scene.token_ids() == []
    mined = [leg for leg in ran.answer["legs"] if leg["outcome"]["status"] == "mined"]
    assert len(mined) == 2
    sent = limits(scene)[before:]
    assert len(sent) == 2
    assert max(sent) <= TRANSACTION_GAS_CAP
    # The first is as large as its estimate with a fifth on top lets it be.
    assert max(sent) > TRANSACTION_GAS_CAP * 9 // 10


def test_the_largest_first_and_the_rest_is_named_with_the_ether_it_needs(scene: Scene) -> None:
    small = scene.mint(-600, 600, "0.1", "400")
    large = scene.mint(-900, 300, "3", "12000")
    medium = scene.mint(-1200, 900, "1", "4000")
    scene.anvil.set_balance(WALLET, to_units_down(Decimal("0.0135"), 18))
    hold_base_fee(scene)
    ran = scene.withdraw()
    assert ran.code == 5, ran.out
    assert not ran.answer["proved"]
    ids = {p["token_id"] for p in ran.answer["positions"]}
    assert {int(each) for each in ids} == {small, medium}
    assert scene.position(large)[2:] == (0, 0, 0)
    said = ran.answer["unfinished"]
    for token_id in (small, medium):
        (line,) = [each for each in said if each.startswith(f"position #{token_id}, worth ")]
        assert "gas at 40.1 gwei" in line
    (total,) = [each for each in said if each.startswith("the wallet has ")]
    found = re.search(r": send (\S+) ETH for gas to (\S+), or", total)
    assert found is not None
    assert found[2] == WALLET
    # No word of a cap that is not the cause, and the ether that was asked for is enough.
    assert "max-gwei" not in json.dumps(said)
    scene.mainnet.fund_wallet(WALLET, eth=Decimal(found[1]))
    hold_base_fee(scene)
    again = scene.withdraw()
    assert again.code == 0, again.out
    assert scene.all_out()


def test_a_dry_run_counts_the_ether(scene: Scene) -> None:
    for below, above in ((-600, 600), (-900, 300), (-1200, 900)):
        scene.mint(below, above)
    scene.anvil.set_balance(WALLET, to_units_down(Decimal("0.0135"), 18))
    hold_base_fee(scene)
    nonce = scene.nonce("pending")
    ran = scene.withdraw("--dry-run")

    assert ran.code == 5
    assert scene.nonce("pending") == nonce
    assert sum(" is still in the pool: it needs " in line for line in ran.answer["unfinished"]) == 2


def test_a_dry_run_asks_for_the_ether_that_is_short_when_it_has_used_some(scene: Scene) -> None:
    """What it rehearsed is gone by then: with what it asks for, everything comes out."""
    for below, above in ((-600, 600), (-900, 300), (-1200, 900)):
        scene.mint(below, above)
    scene.anvil.set_balance(WALLET, to_units_down(Decimal("0.0135"), 18))
    hold_base_fee(scene)
    ran = scene.withdraw("--dry-run")
    (total,) = [line for line in ran.answer["unfinished"] if line.startswith("the wallet has ")]
    has, needs, send = (
        Decimal(number) for number in re.findall(r"(?:has|needs|send) ([\d.]+) ETH", total)
    )
    assert has < Decimal("0.0135"), "what the first one uses is not there for the others"
    assert send == needs - has
    scene.mainnet.fund_wallet(WALLET, eth=send)
    hold_base_fee(scene)
    again = scene.withdraw()
    assert again.code == 0, again.out
    assert scene.all_out()


def test_a_base_fee_that_falls_meanwhile_lets_the_rest_out(scene: Scene) -> None:
    """What there was no ether for is tried again before anything is given up."""
    small = scene.mint(-600, 600, "0.1", "400")
    large = scene.mint(-900, 300, "3", "12000")
    scene.anvil.set_balance(WALLET, to_units_down(Decimal("0.0135"), 18))
    forward, estimates = scene.proxy._forward, []

    def calm_later(body: bytes) -> bytes:
        if b"eth_sendRawTransaction" in body:
            scene.anvil.set_base_fee(GWEI if len(estimates) >= 4 else DEAR)
        answer: bytes = forward(body)
        if b"eth_estimateGas" in body:
            estimates.append(answer)
            if len(estimates) == 4:  # both; without the burn; the larger; the smaller is too dear
                scene.anvil.set_base_fee(GWEI)
                scene.anvil.mine()
        return answer

    scene.proxy._forward = calm_later
    scene.anvil.set_base_fee(DEAR)
    scene.anvil.mine()
    ran = scene.withdraw()
    assert ran.code == 0, ran.out
    assert ran.answer["proved"]
    assert scene.all_out()
    told = [(leg["what"], leg["outcome"]["status"]) for leg in ran.answer["legs"]]
    assert told[-3:] == [
        (f"take out #{large}, without the burn", "mined"),
        (f"take out #{small}, without the burn", "refused"),
        (f"take out #{small}, without the burn", "mined"),
    ]


def test_nothing_is_sold_while_positions_wait_for_ether(scene: Scene) -> None:
    scene.mint(-600, 600)
    scene.anvil.set_balance(WALLET, to_units_down(Decimal("0.004"), 18))
    hold_base_fee(scene)
    nonce = scene.nonce("pending")
    ran = scene.withdraw("--convert", "--to", "safe")
    assert ran.code == 5
    assert scene.nonce("pending") == nonce
    assert any("nothing is sold or sent on" in line for line in ran.answer["unfinished"])


def estimate_at_most(proxy: Any, most: int, message: str) -> list[int]:
    """The node behind ``proxy`` estimates nothing above ``most``, and says so in its own words.
    Returns what it refused."""
    forward, refused = proxy._forward, []

    def capped(body: bytes) -> bytes:
        request = json.loads(body)
        calls = request if isinstance(request, list) else [request]
        found = json.loads(forward(body))
        answers = found if isinstance(found, list) else [found]
        asked = {call["id"]: call["method"] for call in calls}
        for answer in answers:
            estimate = asked[answer["id"]] == "eth_estimateGas" and answer.get("result")
            if estimate and int(estimate, 16) > most:
                refused.append(int(answer.pop("result"), 16))
                answer["error"] = {"code": -32000, "message": message}
        return json.dumps(found).encode()

    proxy._forward = capped
    return refused


WORDS = ("gas required exceeds allowance (700000)", "block gas limit exceeded", "out of gas")


@pytest.mark.parametrize("words", WORDS)
def test_a_node_that_estimates_no_more_is_asked_for_less_at_once(scene: Scene, words: str) -> None:
    for i in range(4):
        scene.mint(-700 - 10 * i, 700 + 10 * i)
    refused = estimate_at_most(scene.proxy, 700_000, words)
    ran = scene.withdraw()
    assert ran.code == 0, ran.out + ran.err
    assert ran.answer["proved"]
    assert scene.all_out()
    assert refused, "all four at once were asked first"
    mined = [leg for leg in ran.answer["legs"] if leg["outcome"]["status"] == "mined"]
    assert len(mined) == 2, "halved, not one by one"


def test_another_node_s_estimate_stands_for_one_that_is_capped(scene: Scene) -> None:
    for i in range(4):
        scene.mint(-700 - 10 * i, 700 + 10 * i)
    first = type(scene.proxy)(scene.anvil.url)
    refused = estimate_at_most(first, 100_000, WORDS[0])
    ran = scene.withdraw(network__rpc_urls=f"{first.url},{scene.proxy.url}")
    first.close()
    assert ran.code == 0, ran.out + ran.err
    assert refused
    assert [leg["outcome"]["status"] for leg in ran.answer["legs"]] == ["mined"], "all at once"


def test_a_node_that_estimates_nothing_keeps_no_other_position_in(scene: Scene) -> None:
    """Each is named, and what is cheap enough to be estimated comes out all the same."""
    own = scene.mint(-700, 700)
    scene.mint(-900, 900)
    shared = scene.mint(-900, 900)
    scene.push_price(1500)  # out of range: cheaper
    estimate_at_most(scene.proxy, 190_000, WORDS[0])
    ran = scene.withdraw()
    left = scene.token_ids()
    if ran.code == 0:
        raise AssertionError("the cap does not bind: choose a smaller one")
    assert ran.code == 5, ran.out + ran.err
    assert scene.halted()
    assert not ran.answer["proved"]
    for token_id in left:
        assert any(f"#{token_id}" in line and "gas" in line for line in ran.answer["unfinished"])
    assert {own, shared} & set(left)

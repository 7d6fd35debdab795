"""EIP-1559 fees: never above the cap of their class, and a bump that every node accepts."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dexmm.chain.fees import Fees, bumped, cap_wei, quote_fees, replacement_fees
from dexmm.config import Gas
from dexmm.model.decision import Refusal

GWEI = 10**9
GAS = Gas()


def test_twice_the_base_fee_and_the_tip() -> None:
    assert quote_fees(7 * GWEI, GAS, is_exit=False) == Fees(14 * GWEI + 10**8, 10**8)


def test_the_default_cap_bites_and_names_its_setting() -> None:
    refusal = quote_fees(30 * GWEI, GAS, is_exit=False)
    assert isinstance(refusal, Refusal)
    assert refusal.rule == "gas_cap"
    assert refusal.detail == "gas costs 30.1 gwei with the tip, above gas.max_gwei = 30"
    assert quote_fees(30 * GWEI - 10**8, GAS, is_exit=False) == Fees(30 * GWEI, 10**8)
    assert isinstance(quote_fees(30 * GWEI, GAS, is_exit=True), Fees)
    assert isinstance(quote_fees(500 * GWEI, GAS, is_exit=True), Refusal)


@given(st.integers(0, 600 * GWEI), st.booleans(), st.decimals(0, 50, places=3))
def test_never_above_the_cap_nor_below_the_block(base: int, is_exit: bool, tip: Decimal) -> None:
    gas = Gas(tip_gwei=tip)
    fees = quote_fees(base, gas, is_exit=is_exit)
    if isinstance(fees, Fees):
        assert fees.max_fee_per_gas <= cap_wei(gas, is_exit=is_exit)
        assert base + fees.max_priority_fee_per_gas <= fees.max_fee_per_gas
        assert fees.max_fee_per_gas <= 2 * base + fees.max_priority_fee_per_gas


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_bump_is_an_eighth_and_never_nothing(most: int, tip: int) -> None:
    up = bumped(Fees(most, tip))
    for old, new in ((most, up.max_fee_per_gas), (tip, up.max_priority_fee_per_gas)):
        assert 8 * new >= 9 * old
        assert new > old
        assert 8 * (new - 1) < 9 * old or new == 1


def test_a_replacement_outbids_both_the_waiting_one_and_the_block() -> None:
    stuck = Fees(8 * GWEI, 10**8)
    calm = replacement_fees(stuck, GWEI, GAS, is_exit=False)
    assert calm == bumped(stuck)
    spike = replacement_fees(stuck, 20 * GWEI, GAS, is_exit=True)
    assert spike == Fees(40 * GWEI + 10**8, bumped(stuck).max_priority_fee_per_gas)
    full = replacement_fees(Fees(29 * GWEI, 10**8), GWEI, GAS, is_exit=False)
    assert isinstance(full, Refusal)
    assert full.rule == "gas_cap"

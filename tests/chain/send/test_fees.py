"""EIP-1559 fees: never above the cap of their class, and a bump that every node accepts."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dexmm.chain.send.fees import (
    Fees,
    Limits,
    Offer,
    affordable,
    bumped,
    cap_wei,
    fitted,
    least_fee,
    limits_of,
    quote_fees,
    replacement_fees,
)
from dexmm.config.schema import Gas
from dexmm.model.decision import Refusal
from dexmm.model.gas import TRANSACTION_GAS_CAP

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


WALLET = "0xa8049bB68181799124F98E467DD749e120abFA64"


@given(
    st.integers(21_000, TRANSACTION_GAS_CAP),
    st.integers(0, 400 * GWEI),
    st.integers(0, 10**19),
    st.booleans(),
)
def test_an_offer_is_what_the_wallet_pays_for(
    gas: int, base: int, balance: int, tight: bool
) -> None:
    wanted = quote_fees(base, GAS, is_exit=True)
    assert isinstance(wanted, Fees)
    least = least_fee(base, GAS, None)
    limits = limits_of(gas, tight=tight)
    assert isinstance(limits, Limits)
    offer = fitted(limits, wanted, least, balance, WALLET)
    if isinstance(offer, Refusal):
        assert offer.rule == "gas_money"
        assert balance < limits.tight * least
        return
    assert offer.gas * offer.fees.max_fee_per_gas <= balance
    assert limits.tight <= offer.gas <= limits.wanted <= TRANSACTION_GAS_CAP
    assert offer.gas >= gas
    assert least <= offer.fees.max_fee_per_gas <= wanted.max_fee_per_gas
    assert offer.fees.max_priority_fee_per_gas <= offer.fees.max_fee_per_gas
    if balance >= limits.wanted * wanted.max_fee_per_gas:
        assert offer == Offer(limits.wanted, wanted)


def test_what_is_given_up_for_want_of_ether_and_in_which_order() -> None:
    """Gas of 100,000 at a base fee of 40 gwei: the fee, the limit, the fee again."""
    fees = quote_fees(40 * GWEI, GAS, is_exit=True)
    assert isinstance(fees, Fees)
    least = least_fee(40 * GWEI, GAS, None)
    assert least == 40 * GWEI + 10**8
    calm = least * 9 // 8
    roomy, close = limits_of(100_000, tight=False), limits_of(100_000, tight=True)
    assert isinstance(roomy, Limits)
    assert isinstance(close, Limits)

    def offered(balance: int, limits: Limits) -> tuple[int, int]:
        found = fitted(limits, fees, least, balance, WALLET)
        assert isinstance(found, Offer)
        return found.gas, found.fees.max_fee_per_gas

    assert offered(10**18, roomy) == (130_000, 80 * GWEI + 10**8)
    assert offered(130_000 * 60 * GWEI, roomy) == (130_000, 60 * GWEI)
    assert offered(130_000 * calm, roomy) == (130_000, calm)
    assert offered(125_000 * calm, roomy) == (125_000, calm)
    assert offered(120_000 * 42 * GWEI, roomy) == (120_000, 42 * GWEI)
    assert offered(120_000 * least, roomy) == (120_000, least)
    assert isinstance(fitted(roomy, fees, least, 120_000 * least - 1, WALLET), Refusal)
    assert offered(115_000 * least, close) == (115_000, least)
    refused = fitted(close, fees, least, 110_000 * least - 1, WALLET)
    assert isinstance(refused, Refusal)
    assert "this needs 0.004411 ETH (110000 gas at 40.1 gwei)" in refused.detail


def test_no_limit_is_above_what_a_transaction_may_take() -> None:
    limits = limits_of(15_000_000, tight=False)
    assert limits == Limits(
        wanted=TRANSACTION_GAS_CAP, least=TRANSACTION_GAS_CAP, tight=TRANSACTION_GAS_CAP
    )
    refused = limits_of(TRANSACTION_GAS_CAP + 1, tight=False)
    assert isinstance(refused, Refusal)
    assert refused.rule == "gas_limit"


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.integers(0, 10**18))
def test_a_replacement_is_one_that_the_wallet_pays_for(most: int, base: int, balance: int) -> None:
    stuck = Fees(most, 1)
    wanted = replacement_fees(stuck, base, Gas(max_exit_gwei=Decimal(10**6)), is_exit=True)
    assert isinstance(wanted, Fees)
    fees = affordable(wanted, stuck, 21_000, balance, WALLET)
    if isinstance(fees, Refusal):
        assert fees.rule == "gas_money"
        assert balance < 21_000 * bumped(stuck).max_fee_per_gas
    else:
        assert 21_000 * fees.max_fee_per_gas <= balance
        assert bumped(stuck).max_fee_per_gas <= fees.max_fee_per_gas <= wanted.max_fee_per_gas

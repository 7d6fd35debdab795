"""What the issuers of PAXG, USDT and XAUt, and the oracle, can do to everybody: done on demand.

Each acts through the account that holds the role on chain, so it works on the doubles and on a
fork of mainnet alike.
"""

from __future__ import annotations

from dexmm.sandbox.node.abi_encode import decode_answer, encode_call
from dexmm.sandbox.node.anvil import Anvil
from dexmm.sandbox.node.artifacts import contract

PAXG = "0x45804880De22913dAFE09f4980848ECE6EcbAf78"
USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
XAUT = "0x68749665FF8D2d112Fa859AA293F07A622782F38"
PAXG_V1 = "0x74271F2282eD7eE35c166122A60c9830354be42a"
PAXG_IMPLEMENTATION_SLOT = 0x7050C9E0F4CA769C69BD3A8EF740BC37934F8E2C036E5A723FD8EE048ED3F8C3
EIP1967_IMPLEMENTATION_SLOT = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC
EIP1967_ADMIN_SLOT = 0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103
PAXG_ADMIN_SLOT = 0x10D6A54A4754C8869D6886B5F5D7FBFA5B4522237EA5C60D11BC4E7A1FF9390B
GAS_MONEY = 10**18


def set_paxg_fee_rate(anvil: Anvil, millionths: int) -> None:
    """Switch PAXG's transfer fee on or, with 0, off. V1 only: V2 has none."""
    _act(anvil, PAXG, "feeController()", "setFeeRate(uint256)", millionths)


def pause_paxg(anvil: Anvil) -> None:
    _act(anvil, PAXG, "owner()", "pause()")


def unpause_paxg(anvil: Anvil) -> None:
    _act(anvil, PAXG, "owner()", "unpause()")


def freeze_paxg(anvil: Anvil, account: str) -> None:
    _act(anvil, PAXG, "assetProtectionRole()", "freeze(address)", account)


def unfreeze_paxg(anvil: Anvil, account: str) -> None:
    _act(anvil, PAXG, "assetProtectionRole()", "unfreeze(address)", account)


def wipe_paxg(anvil: Anvil, account: str) -> None:
    """Burn the balance of a frozen account."""
    _act(anvil, PAXG, "assetProtectionRole()", "wipeFrozenAddress(address)", account)


def upgrade_paxg(anvil: Anvil) -> str:
    """Put the second implementation behind the proxy; returns its address."""
    word = anvil.rpc("eth_getStorageAt", [PAXG, f"0x{PAXG_ADMIN_SLOT:064x}", "latest"])
    admin = "0x" + word[-40:]
    anvil.set_balance(admin, GAS_MONEY)
    code = contract("PaxgDoubleV2").creation_code()
    implementation = str(anvil.send_as(admin, None, code)["contractAddress"])
    anvil.send_as(admin, PAXG, encode_call("upgradeTo(address)", implementation))
    return implementation


def set_usdt_fee(anvil: Anvil, basis_points: int, most: int) -> None:
    """Switch USDT's fee on: below 20 basis points, at most ``most`` (below 50) whole USDT."""
    _act(anvil, USDT, "owner()", "setParams(uint256,uint256)", basis_points, most)


def pause_usdt(anvil: Anvil) -> None:
    _act(anvil, USDT, "owner()", "pause()")


def unpause_usdt(anvil: Anvil) -> None:
    _act(anvil, USDT, "owner()", "unpause()")


def blacklist_usdt(anvil: Anvil, account: str) -> None:
    _act(anvil, USDT, "owner()", "addBlackList(address)", account)


def unblacklist_usdt(anvil: Anvil, account: str) -> None:
    _act(anvil, USDT, "owner()", "removeBlackList(address)", account)


def deprecate_usdt(anvil: Anvil, successor: str) -> None:
    _act(anvil, USDT, "owner()", "deprecate(address)", successor)


def block_xaut(anvil: Anvil, account: str) -> None:
    _act(anvil, XAUT, "owner()", "addToBlockedList(address)", account)


def unblock_xaut(anvil: Anvil, account: str) -> None:
    _act(anvil, XAUT, "owner()", "removeFromBlockedList(address)", account)


def set_feed(anvil: Anvil, feed: str, answer: int, updated_at: int = 0) -> None:
    """The Chainlink feed says ``answer`` (8 decimals) as of ``updated_at``, 0 for now.

    On a fork this replaces the real feed's code, which is the point: a price that can be chosen.
    """
    double = contract("ChainlinkDouble").deployed_bytecode
    if anvil.code(feed) != double:
        anvil.set_code(feed, double)
    speaker = feed
    anvil.set_balance(speaker, GAS_MONEY)
    anvil.send_as(speaker, feed, encode_call("setAnswer(int256,uint256)", answer, updated_at))


def _act(anvil: Anvil, token: str, role: str, signature: str, *arguments: object) -> None:
    (holder,) = decode_answer("address", anvil.call(token, encode_call(role)))
    anvil.set_balance(holder, GAS_MONEY)
    anvil.send_as(holder, token, encode_call(signature, *arguments))

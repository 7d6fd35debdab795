"""Gives anybody any token by writing its balance, on a local mainnet and on a fork alike.

No token tells where it keeps balances. The slots that ``balanceOf`` reads are asked of the node
as an access list, and the one that decides the answer is found by overriding each of them in a
call. Nothing is minted, so a total supply does not follow.
"""

from __future__ import annotations

from dexmm.errors import BadInput, NodeError
from dexmm.sandbox.node.abi_encode import encode_call
from dexmm.sandbox.node.anvil import Anvil

# An amount that fits every token's width and that nobody holds.
_MARK = 0xD0B1E0D0B1E0D0B1E0


def token_balance(anvil: Anvil, token: str, holder: str) -> int:
    """What ``holder`` has, in smallest units."""
    return int.from_bytes(anvil.call(token, encode_call("balanceOf(address)", holder))[:32])


def set_token_balance(anvil: Anvil, token: str, holder: str, units: int) -> None:
    """``holder`` has exactly ``units`` from now on.

    Raises BadInput when the token computes its balances (a rebasing token does).
    """
    contract, slot = _balance_slot(anvil, token, holder)
    anvil.set_storage(contract, slot, units)
    if token_balance(anvil, token, holder) != units:
        raise BadInput(f"The token {token} computes its balances: it cannot be funded by storage.")


def add_token_balance(anvil: Anvil, token: str, holder: str, units: int) -> None:
    """``holder`` has ``units`` more from now on; raises as ``set_token_balance`` does."""
    set_token_balance(anvil, token, holder, token_balance(anvil, token, holder) + units)


def _balance_slot(anvil: Anvil, token: str, holder: str) -> tuple[str, int]:
    """The contract and the slot in which ``token`` keeps the balance of ``holder``."""
    data = "0x" + encode_call("balanceOf(address)", holder).hex()
    call = {"from": holder, "to": token, "data": data}
    touched = anvil.rpc("eth_createAccessList", [call, "latest"])["accessList"]
    mark = f"0x{_MARK:064x}"
    for entry in touched:
        for slot in entry["storageKeys"]:
            override = {entry["address"]: {"stateDiff": {slot: mark}}}
            try:
                answer = anvil.rpc("eth_call", [call, "latest", override])
            except NodeError:
                continue  # the slot holds the token's implementation or the like: not this one
            if answer == mark:
                return entry["address"], int(slot, 16)
    raise BadInput(f"The token {token} computes its balances: it cannot be funded by storage.")

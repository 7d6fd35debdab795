"""Is this node the network that the configuration names? Asked once, before anything else."""

from __future__ import annotations

from dexmm.chain.hexes import quantity
from dexmm.chain.rpc import Rpc, expect
from dexmm.config import Config
from dexmm.errors import Halt, NodeError

ANVIL = "anvil"


def check_identity(rpc: Rpc, config: Config) -> None:
    """One request. Raises ``Halt`` when the node is another network than configured.

    A sandbox or a fork must say that it is Anvil, since their keys are in a plain file; mainnet
    must not, since a copy of it answers like the real one while nothing that happens there counts.
    """
    chain_id, version = (
        expect(answer) for answer in rpc.batch([("eth_chainId", []), ("web3_clientVersion", [])])
    )
    if not isinstance(version, str):
        raise NodeError(f"{rpc.name} does not say what it is")
    check_chain_id(quantity(chain_id, "the chain id"), config)
    is_anvil = ANVIL in version.lower()
    if config.network.name == "mainnet" and is_anvil:
        raise Halt(
            f'{rpc.name} is Anvil, not mainnet: set network.name to "sandbox" or "fork", or name '
            "a mainnet node in network.rpc_urls"
        )
    if config.network.name != "mainnet" and not is_anvil:
        raise Halt(
            f"network.name is {config.network.name!r} but {rpc.name} is not Anvil: start "
            "`dexmm sandbox`, or correct network.rpc_urls"
        )


def check_chain_id(chain_id: int, config: Config) -> None:
    """Raises ``Halt`` when ``chain_id`` is not the configured one."""
    if chain_id != config.network.chain_id:
        raise Halt(
            f"the node is on chain {chain_id}, but network.chain_id is {config.network.chain_id}: "
            "correct network.rpc_urls or network.chain_id",
            chain_id=chain_id,
        )

"""Is this node the network that the configuration names? Asked once, before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dexmm.chain.rpc.client import Request, Rpc, RpcError, expect
from dexmm.chain.rpc.parsing import quantity
from dexmm.chain.rpc.refusals import About
from dexmm.config.schema import Config
from dexmm.errors import Halt, NodeError

ANVIL = "anvil"


IDENTITY: tuple[Request, ...] = (("eth_chainId", []), ("web3_clientVersion", []))


def check_identity(rpc: Rpc, config: Config) -> None:
    """One request. Raises ``Halt`` when the node is another network than configured."""
    answers = rpc.batch(IDENTITY)
    require_identity(rpc, answers, config)


def require_identity(rpc: Rpc, answers: Sequence[Any], config: Config) -> int:
    """The chain id of the node ``rpc`` that gave ``answers`` to ``IDENTITY``. Raises ``Halt`` when
    it is another network than configured, ``NodeError`` when it does not say what it is.

    A sandbox or a fork must say that it is Anvil, since their keys are in a plain file; mainnet
    must not, since a copy of it answers like the real one while nothing that happens there counts.
    """
    name, chain_id = rpc.name, quantity(expect(answers[0]), "the chain id")
    check_chain_id(chain_id, config)
    is_anvil = _is_anvil(rpc, answers[1])
    if config.network.name == "mainnet" and is_anvil:
        raise Halt(
            f'{name} is Anvil, not mainnet: set network.name to "sandbox" or "fork", or name '
            "a mainnet node in network.rpc_urls"
        )
    if config.network.name != "mainnet" and not is_anvil:
        raise Halt(
            f"network.name is {config.network.name!r} but {name} is not Anvil: start "
            "`dexmm sandbox`, or correct network.rpc_urls"
        )
    return chain_id


def _is_anvil(rpc: Rpc, version: Any) -> bool:
    """By its own words; a provider that tells nobody what it runs is asked for what any Anvil
    knows, and refuses that too."""
    if isinstance(version, RpcError) and version.about is About.UNABLE:
        (known,) = rpc.batch([("anvil_nodeInfo", [])])
        if isinstance(known, RpcError) and known.about is not About.UNABLE:
            raise known
        return not isinstance(known, RpcError)
    if not isinstance(expect(version), str):
        raise NodeError(f"{rpc.name} does not say what it is")
    return ANVIL in version.lower()


def check_chain_id(chain_id: int, config: Config) -> None:
    """Raises ``Halt`` when ``chain_id`` is not the configured one."""
    if chain_id != config.network.chain_id:
        raise Halt(
            f"the node is on chain {chain_id}, but network.chain_id is {config.network.chain_id}: "
            "correct network.rpc_urls or network.chain_id",
            chain_id=chain_id,
        )

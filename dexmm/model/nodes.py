"""What each configured node says by itself, for questions that one node must not answer alone."""

from __future__ import annotations

from dataclasses import dataclass

from dexmm.model.snapshot import ChainView


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHead:
    """The newest block of one node. ``name`` is ``scheme://host:port``, without anything secret."""

    name: str
    number: int
    timestamp: int  # seconds
    chain_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailure:
    """A node that cannot be counted on, and why: it does not answer, or it is another network."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One whole look through one node."""

    name: str
    view: ChainView


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeViews:
    """Every configured node is in one of the two."""

    seen: tuple[NodeView, ...]
    failures: tuple[NodeFailure, ...]

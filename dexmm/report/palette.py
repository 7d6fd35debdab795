"""Colours, each in a light and a dark tone. A figure is drawn in the light ones; the page swaps
them, by name, where the reader prefers a dark screen.

Every line and text colour has a contrast of at least 4.5 to its own background.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    name: str
    light: str  # #rrggbb
    dark: str

    @property
    def wash(self) -> str:
        """The same colour as a faint area."""
        return washed(self.light)


def washed(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


INK = Tone(name="ink", light="#1b2026", dark="#e7eaed")
MUTED = Tone(name="muted", light="#5a6570", dark="#a0abb6")
RULE = Tone(name="rule", light="#dfe3e8", dark="#323a43")
PAPER = Tone(name="paper", light="#fefefe", dark="#13161a")
CARD = Tone(name="card", light="#f5f7f9", dark="#1c2127")

BLUE = Tone(name="blue", light="#1f5fa9", dark="#74b3f6")
GREEN = Tone(name="green", light="#23744a", dark="#66c18d")
AMBER = Tone(name="amber", light="#96560a", dark="#e2a858")
RED = Tone(name="red", light="#b0342c", dark="#f28b82")
VIOLET = Tone(name="violet", light="#674b9e", dark="#b59dea")
TEAL = Tone(name="teal", light="#0e6a7c", dark="#5fc4d6")
GREY = Tone(name="grey", light="#66717c", dark="#98a3ae")

TONES = (INK, MUTED, RULE, PAPER, CARD, BLUE, GREEN, AMBER, RED, VIOLET, TEAL, GREY)
SERIES = (BLUE, AMBER, GREEN, VIOLET, TEAL, RED, GREY)  # in this order for things side by side


def swaps() -> tuple[tuple[str, str], ...]:
    """Every light colour beside its dark one, washes too."""
    return tuple(
        pair for tone in TONES for pair in ((tone.light, tone.dark), (tone.wash, washed(tone.dark)))
    )

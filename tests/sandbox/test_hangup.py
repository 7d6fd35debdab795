"""A hang-up ends a run as one, whatever it interrupts and whatever cleaning up meets."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from dexmm.engine.loop import Shutdown, stopping_signals
from dexmm.sandbox.run import HANGUP, _hangup


def test_cleaning_up_that_fails_does_not_change_the_ending() -> None:
    def torn() -> None:
        with _hangup(Shutdown()):
            try:
                signal.raise_signal(signal.SIGHUP)
            finally:
                raise IndexError("pop from empty list")

    with pytest.raises(SystemExit) as ended:
        torn()
    assert ended.value.code == HANGUP


def test_what_swallows_the_ending_only_delays_it() -> None:
    shutdown = Shutdown()

    def swallowing() -> None:
        with _hangup(shutdown), suppress(SystemExit):
            signal.raise_signal(signal.SIGHUP)

    with pytest.raises(SystemExit) as ended:
        swallowing()
    assert shutdown.reason() == "SIGHUP was received"
    assert ended.value.code == HANGUP


def test_cleaning_up_is_not_interrupted_by_a_second_one() -> None:
    cleaned = []

    def twice() -> None:
        with _hangup(Shutdown()):
            try:
                signal.raise_signal(signal.SIGHUP)
            finally:
                signal.raise_signal(signal.SIGHUP)
                cleaned.append(1)

    with pytest.raises(SystemExit):
        twice()
    assert cleaned


def test_an_error_without_a_hang_up_stays_what_it_is() -> None:
    with pytest.raises(IndexError), _hangup(Shutdown()):
        raise IndexError


def test_under_nohup_it_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in stopping_signals()
        with _hangup(Shutdown()):
            signal.raise_signal(signal.SIGHUP)
        with Shutdown().on_signals():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.SIGHUP in stopping_signals()

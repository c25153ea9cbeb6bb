"""Signals are wishes at first."""

import os
import signal

import pytest

from loftr_ros.interruption import SIGNALS, Interruption


@pytest.mark.parametrize("number", SIGNALS)
def test_first_signal_is_noted_and_the_second_acts(number: signal.Signals) -> None:
    def act(*_: object) -> None:
        raise InterruptedError

    before = signal.signal(number, act)
    try:
        with Interruption() as interruption:
            assert interruption.signal == 0
            os.kill(os.getpid(), number)
            assert interruption.signal == number
            with pytest.raises(InterruptedError):
                os.kill(os.getpid(), number)
        assert signal.getsignal(number) is act
    finally:
        signal.signal(number, before)


def test_a_program_that_survives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interruption.signal == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interruption():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before

"""A client's keypad reaches the call; a key that no telephone has is refused."""

from __future__ import annotations

from runtime.wire.realtime.actions import PressKey
from tests.wire.realtime.line import Line


def test_a_key_reaches_the_call() -> None:
    line = Line()
    assert line.say("vivavoce.dtmf", digit="5") == []
    assert PressKey("5") in line.asked


def test_a_key_no_telephone_has_is_refused() -> None:
    line = Line()
    [error] = line.say("vivavoce.dtmf", digit="x")
    assert error["error"]["code"] == "invalid_value"
    assert error["error"]["param"] == "digit"
    assert not any(isinstance(action, PressKey) for action in line.asked)

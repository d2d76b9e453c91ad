from __future__ import annotations

import pytest

from sessions.brains.brain import Turn
from sessions.brains.echo import EchoBrain


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (Turn(opening=True), "Hello. Say something, and I will say it back."),
        (Turn(user_text="  good morning "), "You said: good morning."),
        (Turn(user_text="who is there?"), "You said: who is there?"),
        (Turn(dtmf="1#"), "You pressed 1, #."),
        (Turn(), "I could not make out any words. Please say that again."),
    ],
)
async def test_it_says_back_what_it_was_told(turn: Turn, said: str) -> None:
    assert "".join([str(piece) async for piece in EchoBrain().reply(turn)]) == said

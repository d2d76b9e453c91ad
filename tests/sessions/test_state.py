from __future__ import annotations

from itertools import product

import pytest

from sessions.state import LIFE_MOVES, IllegalMove, Life, LifeOfCall


def at(state: Life) -> LifeOfCall:
    """A call brought to ``state`` by legal moves."""
    way = {
        Life.OPENING: (),
        Life.LIVE: (Life.LIVE,),
        Life.DRAINING: (Life.LIVE, Life.DRAINING),
        Life.CLOSED: (Life.CLOSED,),
    }
    life = LifeOfCall()
    for step in way[state]:
        life.move(step)
    return life


@pytest.mark.parametrize(("start", "target"), list(product(Life, Life)))
def test_only_the_moves_of_the_table_are_made(start: Life, target: Life) -> None:
    life = at(start)
    if target in LIFE_MOVES[start]:
        assert life.allows(target)
        life.move(target)
        assert life.state is target
    else:
        assert not life.allows(target)
        with pytest.raises(IllegalMove):
            life.move(target)
        assert life.state is start


def test_every_state_can_end() -> None:
    assert all(Life.CLOSED in moves for state, moves in LIFE_MOVES.items() if state is not Life.CLOSED)

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.server.neighbours import Neighbours


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[list[Neighbours]]:
    sockets = {number: tmp_path / f"{number}.sock" for number in range(3)}
    made = [Neighbours(sockets, number=number) for number in sockets]
    for one in made:
        await one.start()
    yield made
    for one in made:
        await one.close()


async def test_everybody_else_is_asked(three: list[Neighbours]) -> None:
    for one in three:
        one.answer("double", lambda about, number=one.number: f"{number}:{2 * about}")
    assert await three[0].ask("double", "ab c") == {1: "1:ab cab c", 2: "2:ab cab c"}


async def test_what_nobody_answers_is_answered_with_nothing(three: list[Neighbours]) -> None:
    assert await three[2].ask("whence") == {0: "", 1: ""}


async def test_one_that_is_gone_is_left_out(three: list[Neighbours]) -> None:
    three[1].answer("here", lambda _about: "yes")
    await three[2].close()
    assert await three[0].ask("here") == {1: "yes"}


async def test_a_socket_that_was_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    sockets = {0: tmp_path / "0.sock", 1: tmp_path / "1.sock"}
    killed = Neighbours(sockets, number=1)
    await killed.start()
    again = Neighbours(sockets, number=1)
    again.answer("here", lambda _about: "again")
    await again.start()
    assert await Neighbours(sockets, number=0).ask("here") == {1: "again"}
    await again.close()
    await killed.close()


async def test_one_process_asks_nobody() -> None:
    alone = Neighbours()
    await alone.start()
    assert alone.alone
    assert await alone.ask("here") == {}
    await alone.close()

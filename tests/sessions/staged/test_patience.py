from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.errors import BrainError
from sessions.patience import STALLED, patiently


async def after(*delays: float) -> AsyncIterator[float]:
    for delay in delays:
        await asyncio.sleep(delay)
        yield delay


async def test_pieces_in_time_pass_through() -> None:
    pieces = patiently(after(0.1, 2.0, 2.0), stalled_after=1.0, timeout=3.0)
    assert [piece async for piece in pieces] == [0.1, 2.0, 2.0]


async def test_a_late_first_piece_is_noticed_once() -> None:
    pieces = patiently(after(2.0, 2.0), stalled_after=1.0, timeout=3.0)
    assert [piece async for piece in pieces] == [STALLED, 2.0, 2.0]


@pytest.mark.parametrize("delays", [(4.0,), (0.1, 4.0)])
async def test_a_piece_that_never_comes_is_an_error(delays: tuple[float, ...]) -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(BrainError) as caught:
        async for _ in patiently(after(*delays), stalled_after=1.0, timeout=3.0):
            pass
    assert caught.value.code == "brain_timeout"
    assert asyncio.get_running_loop().time() - began == pytest.approx(sum(delays[:-1]) + 3.0)


async def test_leaving_closes_the_source() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(100.0)
        finally:
            closed.set()

    pieces = source()
    patient = patiently(pieces, stalled_after=1.0, timeout=200.0)
    assert await anext(patient) == 1
    waiting = asyncio.ensure_future(anext(patient))
    await asyncio.sleep(5.0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert closed.is_set()

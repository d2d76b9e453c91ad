from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Sized
from contextlib import suppress

import pytest

from runtime.server.listen import FEW_CALLS, TIDY_AT_LAST, TIDY_SECONDS, tidy_now_and_then
from tests.virtual_time import VirtualTimeLoop


def full_collections(calls: Sized, *, seconds: float) -> int:
    """How many there are in so long."""
    seen = 0

    def note(phase: str, info: dict[str, int]) -> None:
        nonlocal seen
        seen += phase == "start" and info["generation"] == 2

    async def run() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await tidy_now_and_then(calls)

    gc.callbacks.append(note)
    loop = VirtualTimeLoop()
    try:
        loop.run_until_complete(run())
    finally:
        gc.callbacks.remove(note)
        loop.close()
    return seen


@pytest.fixture(autouse=True)
def _nothing_else_collects() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_all_garbage_is_collected_while_few_are_on_the_line() -> None:
    assert full_collections([], seconds=3.5 * TIDY_SECONDS) == 3
    assert full_collections(range(FEW_CALLS), seconds=3.5 * TIDY_SECONDS) == 3


def test_many_wait_for_that_seldom() -> None:
    many = range(FEW_CALLS + 1)
    assert full_collections(many, seconds=(TIDY_AT_LAST - 0.5) * TIDY_SECONDS) == 0
    assert full_collections(many, seconds=(2 * TIDY_AT_LAST + 0.5) * TIDY_SECONDS) == 2

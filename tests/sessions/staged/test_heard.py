"""What the history keeps of an interrupted reply, against what a caller's player had played."""

from __future__ import annotations

import asyncio
import random
import re

from sessions.peers.peer import ReplyOrder
from tests.sessions.staged.stage import ScriptedBrain, burst, hush, staged

INTERRUPTIONS = 100

WORDS = ["a", "bee", "sees", "three", "large", "flowers", "underneath", "magnificent", "thunderclouds"]

SECONDS_PER_CHARACTER = 0.06
"""What the tone engine takes."""


def reply(number: int) -> str:
    chosen = random.Random(number)
    return " ".join(chosen.choices(WORDS, k=40))


def played(text: str, seconds: float) -> str:
    """The words of which a player without delay has played at least half after so many seconds."""
    at, end = 0.0, 0
    for word in re.finditer(r"\S+", text):
        length = len(word[0]) * SECONDS_PER_CHARACTER
        if at + length / 2 > seconds:
            break
        at, end = at + length, word.end()
    return text[:end]


async def test_the_history_keeps_the_very_words_that_were_played() -> None:
    replies = [reply(number) for number in range(INTERRUPTIONS)]
    brain = ScriptedBrain(*([text] for text in replies))
    chosen = random.Random(0)
    right = 0
    async with staged(brain=brain) as stage:
        for number, text in enumerate(replies):
            first_frame = len(stage.peer.frames)
            stage.call.order(ReplyOrder(f"resp_{number}"))
            await stage.speak(hush(chosen.uniform(0.3, 6.0)))
            interruption = asyncio.create_task(stage.speak(burst(0.9)))
            await stage.until("reply_finished", count=number + 1)
            began = stage.peer.frames[first_frame][0]
            # The caller hears nothing while the agent holds its breath: what had left is played out.
            sent = sum(frame.samples for _, frame in stage.peer.frames[first_frame:]) / 24_000
            heard = min(stage.peer.when("playback_cut") - began, sent)
            right += stage.peer.said[-1] == ("assistant", played(text, heard))
            await interruption
            stage.call.discard()
            await asyncio.sleep(0.5)
    assert right >= 0.95 * INTERRUPTIONS

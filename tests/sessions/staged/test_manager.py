from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from runtime.errors import AtCapacity, BrainError, VoiceNotReady
from sessions.agent import AgentProfile
from sessions.brains.brain import Brain
from sessions.manager import SessionManager
from sessions.peers.peer import ReplyOrder
from tests.sessions.staged.stage import PROFILE, TURNS, ScriptedBrain, StagePeer, burst, stage_set


@dataclass
class House:
    manager: SessionManager
    tasks: list[asyncio.Task[None]]

    async def call(self, profile: AgentProfile = PROFILE) -> StagePeer:
        """A caller who was let in."""
        peer = StagePeer(profile, TURNS)
        opening = await self.manager.open(profile)
        self.tasks.append(asyncio.create_task(self.manager.serve(opening, peer)))
        await peer.up.wait()
        return peer


@asynccontextmanager
async def open_house(brain: Brain | None = None) -> AsyncIterator[House]:
    with stage_set(brain=brain) as (equipment, resolver):
        house = House(SessionManager(equipment, resolver), [])
        yield house
        await asyncio.gather(*house.tasks)
        assert len(house.manager) == 0


async def test_calls_are_counted_while_they_are_up() -> None:
    async with open_house() as house:
        one, other = await house.call(), await house.call()
        assert len(house.manager) == 2
        one.vanish()
        await asyncio.sleep(0.1)
        assert len(house.manager) == 1
        other.vanish()


async def test_a_fault_in_one_call_ends_it_and_touches_no_other() -> None:
    async with open_house(ScriptedBrain([ValueError("a fault of ours")], ["one two three four"])) as house:
        broken, sound = await house.call(), await house.call()
        assert broken.call is not None
        assert sound.call is not None
        broken.call.order(ReplyOrder("resp_1"))
        await asyncio.sleep(0.1)
        sound.call.order(ReplyOrder("resp_2"))
        await asyncio.sleep(3.0)
        assert broken.value("hang_up") == "fault"
        assert sound.value("reply_finished") == "completed"
        assert len(house.manager) == 1
        sound.vanish()


async def test_a_call_without_its_voice_is_not_let_in() -> None:
    async with open_house() as house:
        with pytest.raises(VoiceNotReady):
            await house.manager.open(replace(PROFILE, voice_ref="voice_gone"))


async def test_a_call_without_a_brain_is_not_let_in() -> None:
    def no_brain(_profile: AgentProfile) -> Brain:
        raise BrainError("no chat endpoint is set")

    with stage_set() as (equipment, resolver):
        manager = SessionManager(replace(equipment, brains=no_brain), resolver)
        with pytest.raises(BrainError):
            await manager.open(PROFILE)


async def test_draining_waits_for_sentences_and_cuts_off_what_lasts_too_long() -> None:
    brain = ScriptedBrain(["one two three"], ["one two three four five six seven eight nine ten " * 10])
    async with open_house(brain) as house:
        brief, endless = await house.call(), await house.call()
        for peer in (brief, endless):
            assert peer.call is not None
            peer.call.order(ReplyOrder("resp"))
            await asyncio.sleep(0.1)
        began = asyncio.get_running_loop().time()
        draining = asyncio.create_task(house.manager.drain(5.0))
        await asyncio.sleep(0.1)
        with pytest.raises(AtCapacity):
            await house.manager.open(PROFILE)
        await draining
        assert asyncio.get_running_loop().time() - began == pytest.approx(5.0, abs=0.01)
        assert brief.value("reply_finished") == "completed"
        assert "reply_finished" not in endless.noted()
        assert endless.value("hang_up") == "draining"


async def test_an_empty_house_is_drained_at_once() -> None:
    async with open_house() as house:
        began = asyncio.get_running_loop().time()
        await house.manager.drain(20.0)
        assert asyncio.get_running_loop().time() == began


async def test_nothing_of_a_call_outlives_it() -> None:
    """Calls come and go all day: what each leaves behind would add up."""
    with stage_set(brain=ScriptedBrain(*[["one two three four"]] * 20)) as (equipment, resolver):
        manager = SessionManager(equipment, resolver)
        peers: list[weakref.ref[StagePeer]] = []
        for _ in range(20):
            peer = StagePeer(PROFILE, TURNS)
            serving = asyncio.create_task(manager.serve(await manager.open(PROFILE), peer))
            await peer.up.wait()
            assert peer.call is not None
            peer.call.order(ReplyOrder("resp"))
            peer.call.hear(burst(0.5))
            await asyncio.sleep(0.6)
            peer.vanish()
            await serving
            peers.append(weakref.ref(peer))
            del peer, serving
        gc.collect()
        assert [peer for peer in peers if peer() is not None] == []

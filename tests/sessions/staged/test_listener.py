from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.turn.energy import EnergyVad
from runtime.turn.events import BargedIn, Ducked, FalseAlarm, SpeechStarted, SpeechStopped
from runtime.turn.vad import VadBatch
from sessions.hearing import Hearing
from sessions.listener import BACKLOG, CallerTurn, Listener, ListenerEvent
from sessions.peers.peer import TurnTaking
from tests.sessions.staged.stage import TURNS, ScriptedRecognizer, burst, hush


@dataclass
class Ears:
    listener: Listener
    recognizer: ScriptedRecognizer
    events: list[ListenerEvent] = field(default_factory=list)
    audible: bool = False
    faults: list[Exception] = field(default_factory=list)

    async def hear(self, pcm: Pcm, *, packet: int = 320) -> None:
        for start in range(0, len(pcm), packet):
            self.listener.hear(pcm[start : start + packet])
            await asyncio.sleep(packet / LISTENING_RATE)

    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]

    @property
    def turns(self) -> list[CallerTurn]:
        return [event for event in self.events if isinstance(event, CallerTurn)]


@asynccontextmanager
async def listening(turns: TurnTaking = TURNS, hearing: Hearing | None = None) -> AsyncIterator[Ears]:
    alone = hearing is None
    if hearing is None:
        hearing = Hearing(VadBatch(EnergyVad()))
    recognizer = ScriptedRecognizer([])
    ears = Ears.__new__(Ears)
    listener = Listener(
        hearing,
        recognizer,
        turns=turns,
        audible=lambda: ears.audible,
        on_event=lambda event: ears.events.append(event),
        on_speech=lambda speech: None,
        on_fault=lambda fault: ears.faults.append(fault),
        expects=lambda: ("yes", "no")[: len(ears.turns) + 1],
    )
    ears.__init__(listener, recognizer)  # type: ignore[misc]
    yield ears
    listener.close()
    listener.close()
    assert len(hearing) == 0 or not alone


async def test_a_turn_reaches_back_over_the_pre_roll_and_all_of_it_is_recognised() -> None:
    async with listening() as ears:
        await ears.hear(np.concatenate((hush(1.0), burst(1.0), hush(1.0))))
        assert ears.kinds() == [SpeechStarted, SpeechStopped, CallerTurn]
        ended = ears.turns[0].ended
        assert ended.start == pytest.approx(0.7 * LISTENING_RATE, abs=512)
        assert ears.recognizer.streams[0].samples == pytest.approx(ended.end - ended.start, abs=640)


async def test_the_recogniser_is_told_what_is_expected_as_each_turn_opens() -> None:
    async with listening() as ears:
        await ears.hear(np.concatenate((hush(0.5), burst(0.6), hush(1.0), burst(0.6), hush(1.0))))
        assert ears.recognizer.expected == [("yes",), ("yes", "no")]


async def test_two_turns_are_two_utterances() -> None:
    async with listening() as ears:
        await ears.hear(np.concatenate((burst(0.5), hush(1.0), burst(0.5), hush(1.0))))
        assert len(ears.turns) == len(ears.recognizer.streams) == 2


@pytest.mark.parametrize("packet", [37, 160, 320, 4800, 48_000])
async def test_packets_of_any_size_are_the_same_turn(packet: int) -> None:
    async with listening() as ears:
        await ears.hear(np.concatenate((hush(1.0), burst(1.0), hush(1.0))), packet=packet)
        await asyncio.sleep(1.0)
        (turn,) = ears.turns
        assert (turn.ended.start, turn.ended.speech_end) == (11_072, 32_256)
        heard = ears.recognizer.streams[0].samples
        assert heard >= turn.ended.end - turn.ended.start


async def test_speech_over_our_voice_is_withheld_until_it_is_sure() -> None:
    async with listening() as ears:
        ears.audible = True
        await ears.hear(hush(0.5))
        await ears.hear(burst(0.3))
        assert ears.kinds() == [Ducked]
        await ears.hear(burst(0.5))
        assert ears.kinds() == [Ducked, SpeechStarted, BargedIn]


async def test_a_short_sound_over_our_voice_is_forgotten() -> None:
    async with listening() as ears:
        ears.audible = True
        await ears.hear(np.concatenate((hush(0.5), burst(0.25), hush(1.5))))
        assert ears.kinds() == [Ducked, FalseAlarm]
        assert ears.recognizer.streams[0].abandoned
        assert not ears.listener.in_turn


async def test_a_sound_that_outlasts_our_voice_is_a_turn() -> None:
    async with listening() as ears:
        ears.audible = True
        await ears.hear(np.concatenate((hush(0.5), burst(0.3))))
        ears.audible = False
        await ears.hear(np.concatenate((burst(0.3), hush(1.0))))
        assert ears.kinds() == [Ducked, SpeechStarted, SpeechStopped, CallerTurn]


async def test_where_nothing_may_interrupt_us_speech_is_a_turn_at_once() -> None:
    async with listening(replace(TURNS, barge_in=None)) as ears:
        ears.audible = True
        await ears.hear(np.concatenate((hush(0.5), burst(0.5), hush(1.0))))
        assert ears.kinds() == [SpeechStarted, SpeechStopped, CallerTurn]


async def test_without_a_detector_the_peer_ends_the_turn() -> None:
    async with listening(replace(TURNS, detection=None)) as ears:
        await ears.hear(np.concatenate((burst(0.5), hush(2.0))))
        turn = ears.listener.commit()
        assert ears.events == []
        assert (turn.ended.start, turn.ended.end) == (0, round(2.5 * LISTENING_RATE))
        assert ears.recognizer.streams[0].samples == round(2.5 * LISTENING_RATE)


async def test_what_is_discarded_is_not_in_the_next_turn() -> None:
    async with listening(replace(TURNS, detection=None)) as ears:
        await ears.hear(burst(1.0))
        ears.listener.discard()
        await ears.hear(burst(0.5))
        turn = ears.listener.commit()
        assert turn.ended.start == LISTENING_RATE
        assert ears.recognizer.streams[0].abandoned
        assert ears.recognizer.streams[1].samples == LISTENING_RATE // 2


async def test_a_recording_sent_at_once_is_heard_as_if_it_had_been_spoken() -> None:
    async with listening() as ears:
        ears.listener.hear(np.concatenate([hush(1.0), burst(1.0), hush(1.0)] * 5))
        await ears.listener.caught_up()
        await asyncio.sleep(1.0)
        assert len(ears.turns) == 5
        for turn, speech in zip(ears.turns, ears.recognizer.streams, strict=True):
            assert speech.samples >= turn.ended.end - turn.ended.start


async def test_a_flood_is_waited_for() -> None:
    async with listening() as ears:
        began = asyncio.get_running_loop().time()
        ears.listener.hear(hush(BACKLOG + 50.0))
        await ears.listener.caught_up()
        assert asyncio.get_running_loop().time() - began > 0.9


async def test_the_wires_rate_may_change_between_packets() -> None:
    async with listening(replace(TURNS, rate=8000, detection=None)) as ears:
        ears.listener.hear(np.zeros(8000, np.int16))
        ears.listener.take_turns(replace(TURNS, rate=24_000, detection=None))
        ears.listener.hear(np.zeros(24_000, np.int16))
        assert ears.listener.received_samples == pytest.approx(2 * LISTENING_RATE, rel=0.05)


async def test_all_calls_are_judged_in_one_tick() -> None:
    hearing = Hearing(VadBatch(EnergyVad()))
    async with listening(hearing=hearing) as one, listening(hearing=hearing) as other:
        await asyncio.gather(
            one.hear(np.concatenate((burst(0.5), hush(1.0)))), other.hear(np.concatenate((hush(1.5),)))
        )
        assert len(one.turns) == 1
        assert other.events == []


async def test_a_fault_in_one_call_deafens_no_other() -> None:
    class Broken(list[ListenerEvent]):
        def append(self, event: ListenerEvent) -> None:
            raise ValueError("a fault of ours")

    hearing = Hearing(VadBatch(EnergyVad()))
    async with listening(hearing=hearing) as broken, listening(hearing=hearing) as sound:
        broken.events = Broken()
        line = np.concatenate((burst(0.5), hush(1.0)))
        await asyncio.gather(broken.hear(line), sound.hear(line))
        assert [str(fault) for fault in broken.faults] == ["a fault of ours"]
        assert len(sound.turns) == 1
        assert len(hearing) == 1

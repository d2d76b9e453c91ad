"""Calls that we have placed: a person is greeted, a machine gets a message after its beep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from runtime.media.frame import LISTENING_RATE, Pcm
from sessions.agent import AgentProfile
from tests.media.tones import tone
from tests.sessions.staged.stage import PROFILE, ScriptedBrain, burst, hush, staged

CALLS = replace(PROFILE, voicemail="Please call us back.", greeting="Hello, this is the clinic.")


def beep(hertz: float = 1_000.0, seconds: float = 0.4) -> Pcm:
    sound = tone((hertz,), seconds, level=-18.0, rate=LISTENING_RATE)
    return np.rint(sound * 32_767).astype(np.int16)


async def test_a_message_is_left_after_the_beep_and_the_call_ends() -> None:
    async with staged(profile=CALLS) as stage:
        stage.call.screen()
        await stage.speak(np.concatenate([hush(0.5), burst(5.0), hush(0.6)]))
        assert stage.peer.frames == []
        await stage.speak(beep())
        assert stage.peer.frames == []
        # Nothing that the machine does while it records interrupts the message.
        await stage.speak(np.concatenate([hush(0.3), burst(1.5)]))
        await stage.until("reply_finished")
        await stage.speak(hush(2.0))
        assert stage.peer.said == [
            ("system", "A machine answered; the message follows its beep."),
            ("assistant", "Please call us back."),
        ]
        assert stage.peer.value("hang_up") == "completed"
        assert "speech_started" not in stage.peer.noted()


async def test_a_beep_at_once_is_enough() -> None:
    async with staged(profile=CALLS) as stage:
        stage.call.screen()
        await stage.speak(np.concatenate([hush(0.4), beep(440.0, 0.2), hush(0.3)]))
        assert ("assistant", "Please call us back.") in stage.peer.said


async def test_a_machine_without_a_beep_gets_its_message_after_three_seconds_of_silence() -> None:
    async with staged(profile=CALLS) as stage:
        stage.call.screen()
        await stage.speak(np.concatenate([burst(4.0), hush(2.5)]))
        assert stage.peer.said == []
        await stage.speak(hush(1.5))
        assert stage.peer.said[0] == ("system", "A machine answered; the message follows without a beep.")


async def test_a_person_is_greeted_once_they_have_said_a_word() -> None:
    brain = ScriptedBrain(["you are welcome"])
    async with staged(profile=CALLS, brain=brain, hears=["yes"]) as stage:
        stage.call.screen()
        await stage.speak(np.concatenate([hush(0.5), burst(0.5), hush(1.0)]))
        assert stage.peer.said == []
        await stage.speak(hush(0.5))
        await stage.until("reply_finished")
        assert stage.peer.said == [("assistant", "Hello, this is the clinic.")]
        await stage.speak(np.concatenate([hush(2.0), burst(0.8), hush(1.0)]))
        await stage.until("reply_finished", count=2)
        assert stage.peer.said[1:] == [("user", "yes"), ("assistant", "you are welcome")]


async def test_an_agent_that_waits_to_be_spoken_to_answers_the_first_word() -> None:
    waits: AgentProfile = replace(CALLS, greeting=None)
    brain = ScriptedBrain(["this is the clinic"])
    async with staged(profile=waits, brain=brain, hears=["hello"]) as stage:
        stage.call.screen()
        await stage.speak(np.concatenate([hush(0.5), burst(0.6), hush(2.2)]))
        await stage.until("reply_finished")
        assert stage.peer.said == [("user", "hello"), ("assistant", "this is the clinic")]


async def test_nobody_who_answers_is_greeted_after_five_seconds() -> None:
    async with staged(profile=CALLS) as stage:
        stage.call.screen()
        await stage.speak(hush(5.2))
        await stage.until("reply_finished")
        assert stage.peer.said == [("assistant", "Hello, this is the clinic.")]


async def test_without_a_message_everybody_is_greeted_at_once() -> None:
    async with staged(profile=replace(CALLS, voicemail=None)) as stage:
        stage.call.screen()
        await stage.until("reply_finished")
        assert stage.peer.said == [("assistant", "Hello, this is the clinic.")]

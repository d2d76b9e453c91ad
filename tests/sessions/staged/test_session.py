from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from runtime.errors import BrainError, RecognitionError, SynthesisFailed
from sessions.brains.brain import EndCall, ToolCall, Transfer
from sessions.brains.echo import EchoBrain
from sessions.peers.peer import ReplyOrder
from sessions.session import Session
from sessions.state import Floor, Life
from sessions.timeline import Mark
from sessions.voice import SessionVoice
from tests.sessions.staged.stage import (
    PROFILE,
    TURNS,
    InlineEngine,
    ScriptedBrain,
    StagePeer,
    burst,
    hush,
    stage_set,
    staged,
)


async def test_a_spoken_turn_is_answered() -> None:
    async with staged(hears=["hello there"]) as stage:
        await stage.speak(np.concatenate((hush(0.5), burst(1.0), hush(1.2))))
        await stage.until("reply_finished")
        assert stage.peer.said == [("user", "hello there"), ("assistant", "You said: hello there.")]
        assert stage.peer.noted("speech_started", "speech_stopped", "turn_taken", "begin_reply") == [
            "speech_started",
            "speech_stopped",
            "turn_taken",
            "begin_reply",
        ]


async def test_the_reply_is_paced_and_finishes_when_its_last_frame_has_left() -> None:
    brain = ScriptedBrain(["twenty characters now"])
    async with staged(brain=brain, hears=["go"]) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("reply_finished")
        seconds = len(stage.peer.heard) / 2 / 24_000
        first = stage.peer.frames[0][0]
        for sent_at, frame in stage.peer.frames:
            assert sent_at >= first + frame.pts / 24_000 - stage.peer.lead - 0.021
        took = stage.peer.when("reply_finished") - first
        assert seconds - stage.peer.lead - 0.1 <= took <= seconds


async def test_the_timeline_of_a_turn_is_complete_and_adds_up() -> None:
    async with staged(hears=["hi"]) as stage:
        await stage.speak(np.concatenate((hush(0.5), burst(1.0), hush(1.2))))
        await stage.until("reply_finished")
        (timeline,) = stage.timelines
        assert all(timeline.at(mark) is not None for mark in Mark)
        gap = timeline.response_gap
        assert gap is not None
        assert sum(timeline.stages().values()) == pytest.approx(gap)
        assert 0.5 <= gap <= 0.7


async def test_speech_over_the_agent_stops_it_and_keeps_what_was_heard() -> None:
    words = "one two three four five six seven eight nine ten eleven twelve"
    brain = ScriptedBrain([words], ["understood"])
    async with staged(brain=brain, hears=["stop"]) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.speak(hush(1.0))
        await stage.speak(burst(1.2))
        heard = stage.peer.value("playback_cut")
        assert stage.peer.value("reply_finished") == "interrupted"
        order = stage.peer.noted("speech_started", "playback_cut", "reply_finished")
        assert order == ["speech_started", "playback_cut", "reply_finished"]
        frames = len(stage.peer.frames)
        await stage.speak(hush(0.2))
        assert len(stage.peer.frames) == frames
        role, kept = stage.peer.said[0]
        assert role == "assistant"
        assert words.startswith(kept)
        # Six hundredths of a second a character, spaces not counted.
        spoken = len(kept.replace(" ", "")) * 0.06
        assert heard == pytest.approx(spoken, abs=0.3)
        await stage.speak(hush(1.0))
        await stage.until("reply_finished", count=2)
        assert brain.turns[1].user_text == "stop"
        shown = [item.text for item in brain.turns[1].history if hasattr(item, "text")]
        assert shown == [kept, "stop"]


async def test_a_cough_holds_the_agent_and_it_goes_on_from_the_same_sample() -> None:
    brain = ScriptedBrain(["one two three four five six seven eight nine ten eleven twelve"])
    async with staged(brain=brain) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.speak(hush(1.0))
        await stage.speak(burst(0.2))
        assert stage.session.floor is Floor.HOLDING
        await stage.speak(hush(3.0))
        await stage.until("reply_finished")
        assert stage.peer.value("reply_finished") == "completed"
        assert "speech_started" not in stage.peer.noted()
        frames = [frame for _, frame in stage.peer.frames]
        for before, after in zip(frames, frames[1:], strict=False):
            assert after.pts == before.pts + before.samples
        sent = [at for at, _ in stage.peer.frames]
        assert max(b - a for a, b in zip(sent, sent[1:], strict=False)) > 0.25


async def test_an_answer_over_the_last_word_is_an_answer_and_no_back_channel() -> None:
    brain = ScriptedBrain(["Is that the right one then?"], ["Good."])
    async with staged(brain=brain, hears=["yes"]) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.speak(hush(1.0))
        await stage.speak(burst(0.3))
        await stage.speak(hush(1.2))
        await stage.until("reply_finished", count=2)
        assert brain.turns[1].user_text == "yes"


async def test_a_sound_that_breaks_off_with_the_line_does_not_silence_us_for_ever() -> None:
    async with staged(brain=ScriptedBrain(["one two three four five six seven eight nine ten"])) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.speak(np.concatenate((hush(1.0), burst(0.2))))
        assert stage.session.floor is Floor.HOLDING
        await stage.until("reply_finished")
        assert stage.peer.value("reply_finished") == "completed"


@pytest.mark.parametrize("change", ["discard", "commit", "take_turns"])
async def test_a_client_that_drops_a_sound_lets_us_go_on(change: str) -> None:
    async with staged(brain=ScriptedBrain(["one two three four five six seven eight nine ten"])) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.speak(np.concatenate((hush(1.0), burst(0.2))))
        assert stage.session.floor.name == "HOLDING"
        match change:
            case "discard":
                stage.call.discard()
            case "commit":
                stage.call.commit(stage.peer.turn_taken(0.2))
            case _:
                stage.call.take_turns(replace(TURNS, barge_in=None))
        assert stage.session.floor is Floor.SPEAKING


async def test_speech_before_the_first_frame_withdraws_the_reply() -> None:
    brain = ScriptedBrain([5.0, "too late"], ["in time"])
    async with staged(brain=brain, hears=["first", "second"]) as stage:
        await stage.speak(np.concatenate((hush(0.3), burst(0.8), hush(1.0))))
        assert stage.session.floor is Floor.THINKING
        await stage.speak(np.concatenate((burst(0.8), hush(1.0))))
        await stage.until("reply_finished", count=2)
        outcomes = [value for _, what, value in stage.peer.notes if what == "reply_finished"]
        assert outcomes == ["interrupted", "completed"]
        assert brain.turns[1].user_text == "first second"


async def test_a_silent_brain_fails_the_reply_and_not_the_call() -> None:
    brain = ScriptedBrain([60.0, "never"], ["better"])
    async with staged(profile=replace(PROFILE, brain_timeout=4.0), brain=brain) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("reply_finished")
        error = stage.peer.value("reply_finished")
        assert isinstance(error, BrainError)
        assert error.code == "brain_timeout"
        stage.call.order(ReplyOrder("resp_2"))
        await stage.until("reply_finished", count=2)
        assert stage.peer.value("reply_finished") == "completed"


async def test_a_brain_that_breaks_in_mid_sentence_is_heard_to_that_point() -> None:
    brain = ScriptedBrain(["so far so good. ", BrainError("the line to the model broke")])
    async with staged(brain=brain) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("reply_finished")
        assert isinstance(stage.peer.value("reply_finished"), BrainError)
        assert len(stage.peer.heard) / 2 / 24_000 == pytest.approx(12 * 0.06, abs=0.05)


async def test_a_voice_that_breaks_fails_the_reply_and_not_the_call() -> None:
    async with staged(brain=ScriptedBrain(["One two three. This is broken."], ["better"])) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("reply_finished")
        assert isinstance(stage.peer.value("reply_finished"), SynthesisFailed)
        assert len(stage.peer.heard) / 2 / 24_000 == pytest.approx(12 * 0.06, abs=0.001)
        stage.call.order(ReplyOrder("resp_2"))
        await stage.until("reply_finished", count=2)
        assert stage.peer.value("reply_finished") == "completed"


async def test_a_turn_that_could_not_be_recognised_is_answered_all_the_same() -> None:
    async with staged(hears=[None]) as stage:
        await stage.speak(np.concatenate((hush(0.5), burst(1.0), hush(1.2))))
        await stage.until("reply_finished")
        assert isinstance(stage.peer.value("not_transcribed"), RecognitionError)
        assert stage.peer.said[-1][1].startswith("I could not make out")


async def test_a_brain_that_stalls_is_covered_by_a_filler() -> None:
    profile = replace(PROFILE, fillers=("One moment.",), filler_after=1.0)
    brain = ScriptedBrain([3.0, "Here it is."])
    async with staged(profile=profile, brain=brain) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("frames")
        assert stage.peer.when("frames") - stage.peer.notes[0][0] < 2.0
        await stage.until("reply_finished")
        assert stage.peer.said == [("assistant", "One moment. Here it is.")]


async def test_a_greeting_is_said_word_for_word_once_the_peer_is_ready() -> None:
    profile = replace(PROFILE, greeting="Good day. Ada here.")
    brain = ScriptedBrain()
    async with staged(profile=profile, brain=brain) as stage:
        stage.call.greet()
        await stage.until("reply_finished")
        assert stage.peer.said == [("assistant", "Good day. Ada here.")]
        assert brain.turns == []


async def test_an_agent_without_a_greeting_waits_for_the_caller() -> None:
    async with staged() as stage:
        stage.call.greet()
        await asyncio.sleep(5.0)
        assert stage.peer.notes == []


async def test_the_client_can_stop_a_reply() -> None:
    brain = ScriptedBrain(["one two three four five six seven eight nine ten"])
    async with staged(brain=brain) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await asyncio.sleep(1.0)
        stage.call.stop("resp_1")
        frames = len(stage.peer.frames)
        await asyncio.sleep(2.0)
        assert len(stage.peer.frames) == frames
        assert stage.session.floor is Floor.LISTENING
        stage.call.stop("resp_1")


async def test_a_written_reply_makes_no_sound() -> None:
    async with staged(brain=ScriptedBrain(["on paper"])) as stage:
        stage.call.order(ReplyOrder("resp_1", spoken=False))
        await stage.until("reply_finished")
        assert stage.peer.frames == []
        assert stage.peer.said == [("assistant", "on paper")]


async def test_a_reply_beside_the_conversation_takes_no_floor_and_is_not_interrupted() -> None:
    aloud = "one two three four five six seven eight nine ten"
    async with staged(brain=ScriptedBrain([aloud], [4.0, "noted"], ["yes"]), hears=["stop"]) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        stage.call.order(ReplyOrder("resp_2", in_conversation=False, spoken=False))
        await stage.speak(np.concatenate((hush(0.5), burst(1.0))))
        assert stage.peer.value("reply_finished") == "interrupted"
        await stage.speak(hush(1.0))
        await stage.until("reply_finished", count=3)
        assert ("assistant", "noted") in stage.peer.said


async def test_two_spoken_replies_are_heard_one_after_the_other() -> None:
    async with staged(brain=ScriptedBrain(["one two three"], ["four five six"])) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        stage.call.order(ReplyOrder("resp_2", in_conversation=False))
        await stage.until("reply_finished", count=2)
        assert len(stage.peer.heard) / 2 / 24_000 == pytest.approx(22 * 0.06, abs=0.01)
        positions = [frame.pts for _, frame in stage.peer.frames]
        assert positions == sorted(positions)


async def test_a_phrase_said_in_two_calls_is_synthesised_once() -> None:
    profile = replace(PROFILE, greeting="Good day.")
    with stage_set() as (equipment, resolver):
        heard = []
        for _ in range(2):
            peer = StagePeer(profile, TURNS)
            voice = await SessionVoice.open(profile, resolver)
            session = Session("sess", profile, peer=peer, voice=voice, brain=EchoBrain(), equipment=equipment)
            running = asyncio.create_task(session.run())
            await peer.up.wait()
            session.greet()
            await asyncio.sleep(3.0)
            peer.vanish()
            await running
            heard.append(peer.heard)
        assert heard[0] == heard[1] != b""
        assert isinstance(equipment.engine, InlineEngine)
        assert equipment.engine.pieces == 1


async def test_a_tool_call_is_told_at_once() -> None:
    call = ToolCall("call_1", "weather", '{"city": "Bonn"}')
    async with staged(brain=ScriptedBrain(["Let me look that up for you. ", call])) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("tool_called")
        assert stage.peer.value("tool_called") == call
        assert stage.peer.when("tool_called") - stage.peer.notes[0][0] < 0.1
        await stage.until("reply_finished")


async def test_goodbye_is_heard_before_the_line_closes() -> None:
    async with staged(brain=ScriptedBrain(["Goodbye.", EndCall()])) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("hang_up")
        seconds = len(stage.peer.heard) / 2 / 24_000
        assert stage.peer.when("hang_up") >= stage.peer.frames[0][0] + seconds - 0.01
        assert stage.peer.value("hang_up") == "completed"


async def test_a_transfer_waits_for_the_last_word() -> None:
    async with staged(brain=ScriptedBrain(["One moment, please.", Transfer("+4930123")])) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("transfer")
        assert stage.peer.value("transfer") == "+4930123"


async def test_keys_are_one_entry_and_one_turn() -> None:
    brain = ScriptedBrain(["thank you"])
    async with staged(brain=brain) as stage:
        for key in "4711":
            stage.call.press(key)
            await asyncio.sleep(0.3)
        await stage.until("reply_finished")
        assert stage.peer.value("keys_pressed") == "4711"
        assert brain.turns[0].dtmf == "4711"


async def test_keys_take_the_place_of_an_answer_to_what_was_said_meanwhile() -> None:
    brain = ScriptedBrain([20.0, "to the words"], ["to the keys"])
    async with staged(brain=brain, hears=["some words"]) as stage:
        await stage.speak(burst(0.6))
        stage.call.press("9")
        await stage.speak(hush(3.0))
        await stage.until("reply_finished", count=2)
        assert [turn.dtmf for turn in brain.turns] == ["", "9"]
        outcomes = [value for _, what, value in stage.peer.notes if what == "reply_finished"]
        assert outcomes == ["interrupted", "completed"]


async def test_the_client_commits_where_it_takes_the_turns() -> None:
    turns = replace(TURNS, detection=None, barge_in=None)
    async with staged(turns=turns, hears=["by hand"]) as stage:
        await stage.speak(burst(1.0))
        assert stage.peer.notes == []
        item = stage.peer.turn_taken(1.0)
        stage.call.commit(item)
        stage.call.order(ReplyOrder("resp_1"))
        await stage.until("reply_finished")
        assert stage.peer.said == [("user", "by hand"), ("assistant", "You said: by hand.")]


async def test_a_caller_who_stays_silent_is_spoken_to() -> None:
    detection = replace(TURNS.detection, idle_timeout=3.0)  # type: ignore[type-var]
    brain = ScriptedBrain(["hello"], ["are you still there"])
    async with staged(turns=replace(TURNS, detection=detection), brain=brain) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await stage.speak(hush(6.0))
        start, end = stage.peer.value("caller_idle")
        assert end - start == pytest.approx(3.0, abs=0.04)
        assert len(brain.turns) == 2


async def test_draining_lets_the_sentence_end_and_takes_no_new_turn() -> None:
    async with staged(brain=ScriptedBrain(["one two three four five"], ["more"]), hears=["go on"]) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await asyncio.sleep(0.5)
        stage.session.drain()
        assert stage.session.life is Life.DRAINING
        await stage.until("hang_up")
        assert stage.peer.value("reply_finished") == "completed"
        assert stage.peer.value("hang_up") == "draining"


async def test_an_idle_call_is_drained_at_once() -> None:
    async with staged() as stage:
        stage.session.drain()
        assert stage.peer.noted() == ["hang_up"]


async def test_a_peer_that_vanishes_while_we_speak_leaves_nothing_behind() -> None:
    async with staged(brain=ScriptedBrain(["one two three four five six seven"])) as stage:
        stage.call.order(ReplyOrder("resp_1"))
        await asyncio.sleep(0.5)
        stage.peer.vanish()
        await stage.task
        assert stage.session.life is Life.CLOSED
        await asyncio.sleep(1.0)

"""One call: a listener, a brain and a speaker, joined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from runtime import metrics
from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.turn.events import BargedIn, Ducked, FalseAlarm, IdleTimedOut, SpeechStarted
from runtime.wire.conversation import Message, TextPart, new_id
from sessions.agent import AgentProfile
from sessions.brains.brain import Answer, Brain, EndCall, Transfer, Verbatim, expected_answers, expected_keys
from sessions.equipment import Equipment
from sessions.keypad import Keypad
from sessions.listener import CallerTurn, Listener, ListenerEvent
from sessions.peers.peer import Peer, ReplyOrder, TurnTaking
from sessions.recognizer import RecognizerStream
from sessions.replies import Replies
from sessions.reply import Reply
from sessions.screening import Screening
from sessions.scribe import Scribe
from sessions.speaker import Speaker
from sessions.state import Floor, Life, LifeOfCall
from sessions.timeline import Mark, Timeline
from sessions.timers import Timers
from sessions.voice import SessionVoice

LONGEST_HOLD = 2.0
"""Seconds we hold our breath for a sound of which nothing more is heard."""


class Session:
    """
    Join the three parts of one call, and its peer.

    Audio goes from the peer to the listener; what the listener decides becomes a turn, a turn becomes a
    reply, and the speaker puts that on the schedule. Whatever cuts the agent's voice short goes through
    :meth:`_interrupt`, the one barge-in path.

    Args:
        session_id: For logs and brains.
        profile: Who answers.
        peer: The other side.
        voice: Whose voice it speaks in, already settled.
        brain: What it says; this call's own.
        equipment: Shared by all calls.
        on_turn: Told the timeline of every reply that is over.
    """

    def __init__(
        self,
        session_id: str,
        profile: AgentProfile,
        *,
        peer: Peer,
        voice: SessionVoice,
        brain: Brain,
        equipment: Equipment,
        on_turn: Callable[[Timeline], None] = lambda _timeline: None,
    ) -> None:
        self.id = session_id
        self.profile = profile
        self._peer = peer
        self._voice = voice
        self._clock = equipment.clock
        self._life = LifeOfCall()
        self._speaker = Speaker(
            engine=equipment.engine,
            phrases=equipment.phrases,
            pacer=equipment.pacer,
            out=peer,
            clock=equipment.clock,
        )
        self._turns = self._tuned(peer.turn_taking)
        self._hearing = equipment.hearing
        self._brain = brain
        self._screening: Screening | None = None
        self._listener = Listener(
            equipment.hearing,
            equipment.recognizer,
            turns=self._turns,
            audible=lambda: self._speaker.audible and not self._speaker.closing,
            on_event=self._on_heard,
            on_speech=self._follow_words,
            on_fault=lambda _fault: peer.hang_up("fault"),
            expects=lambda: expected_answers(brain),
        )
        self._scribe = Scribe(peer, equipment.recognizer, self._spawn)
        self._keypad = Keypad()
        self._tasks = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()
        self._timers = Timers(equipment.clock)
        self._replies = Replies(
            session_id,
            profile,
            peer=peer,
            brain=brain,
            voice=voice,
            speaker=self._speaker,
            scribe=self._scribe,
            clock=equipment.clock,
            spawn=self._spawn,
            on_over=self._reply_over,
            on_turn=on_turn,
        )
        # A turn that ended while the reply before it could not be interrupted; answered next.
        self._owed: Timeline | None = None

    @property
    def life(self) -> Life:
        return self._life.state

    @property
    def floor(self) -> Floor:
        """Who holds the floor now."""
        if self._speaker.held:
            return Floor.HOLDING
        if self._speaker.audible:
            return Floor.SPEAKING
        return Floor.THINKING if self._replies.active is not None else Floor.LISTENING

    async def run(self) -> None:
        """
        Serve the call until the other side has gone or one of us hangs up.

        Raises:
            ExceptionGroup: A fault of ours; the call is over all the same.
        """
        try:
            async with self._tasks:
                self._life.move(Life.LIVE)
                await self._peer.read(self)
                self._end()
        finally:
            self._end()

    def may_speak_as(self, voice_id: str) -> bool:
        """Whether the call holds this voice."""
        return self._voice.holds(voice_id)

    def drain(self) -> None:
        """Take no new turn; hang up when what is being said has been heard."""
        if self._life.allows(Life.DRAINING):
            self._life.move(Life.DRAINING)
            if self._replies.active is None:
                self._peer.hang_up("draining")

    def hang_up(self) -> None:
        """End the call now, whatever is being said."""
        self._peer.hang_up("draining")

    # What the peer asks (sessions.peers.peer.Call)

    def hear(self, pcm: Pcm) -> None:
        if self._screening is not None:
            self._screening.hear(pcm)
        else:
            self._listener.hear(pcm)

    async def caught_up(self) -> None:
        await self._listener.caught_up()

    def take_turns(self, how: TurnTaking) -> None:
        self._release()
        self._turns = self._tuned(how)
        self._listener.take_turns(self._turns)

    def commit(self, item_id: str) -> None:
        self._release()
        turn = self._listener.commit()
        self._scribe.write_down(item_id, turn.speech)

    def discard(self) -> None:
        self._release()
        self._listener.discard()

    def recognise(self, item_id: str, pcm: Pcm) -> None:
        self._scribe.read_recording(item_id, pcm, rate=self._turns.rate, language=self._turns.language)

    def press(self, digit: str) -> None:
        now = self._clock.now()
        if self._keypad.trails(digit, now):
            return
        self._interrupt()
        self._timers.stop("idle")
        self._listener.stop_waiting()
        entry = self._keypad.press(digit, now, wanted=expected_keys(self._brain))
        if entry is not None:
            self._keyed(entry)
        elif (deadline := self._keypad.deadline()) is not None:
            self._timers.set("keypad", deadline, self._keys_settled)

    def greet(self) -> None:
        if self.profile.opens and self._replies.active is None:
            self._answer(Timeline(), opening=True)

    def screen(self) -> None:
        if self.profile.voicemail is None:
            self.greet()
            return
        self._screening = Screening(
            self._hearing,
            self._turns.rate,
            on_person=self._person_answered,
            on_recording=self._leave_message,
            on_fault=lambda _fault: self._peer.hang_up("fault"),
        )

    def order(self, order: ReplyOrder) -> None:
        timeline = Timeline()
        timeline.mark(Mark.ENDPOINT, self._clock.now())
        self._begin(order, timeline)

    def stop(self, order_id: str) -> None:
        reply = self._replies.stop(order_id)
        if reply is not None:
            self._silence()
            self._reply_over(reply)

    def clear_playback(self) -> None:
        self._silence()

    def hold_line(self) -> None:
        self._speaker.hold()
        self._listener.discard()

    def release_line(self) -> None:
        self._speaker.release()

    async def resolve_voice(self, ref: str) -> None:
        await self._voice.resolve(ref)

    def _tuned(self, turns: TurnTaking) -> TurnTaking:
        """Whether speech over ours stops us is for the peer to say; what counts as such, for the agent."""
        if turns.barge_in is None:
            return turns
        return replace(turns, barge_in=self.profile.barge_in)

    # Who has answered our call

    def _person_answered(self, heard: Sequence[Pcm]) -> None:
        self._screening = None
        if self.profile.opens:
            self.greet()
            return
        for pcm in heard:
            self._listener.hear(pcm)

    def _leave_message(self, beeped: bool) -> None:
        """A machine records. It is not listened to any more: nothing that it does interrupts the message."""
        assert self.profile.voicemail is not None
        found = f"A machine answered; the message follows {'its beep' if beeped else 'without a beep'}."
        self._peer.conversation.append(Message(new_id("note"), "system", (TextPart(found),)))
        timeline = Timeline()
        timeline.mark(Mark.ENDPOINT, self._clock.now())
        script = (Verbatim(self.profile.voicemail), EndCall("voicemail"))
        self._begin(self._peer.begin_reply(), timeline, script=script)

    # What the listener decides

    def _on_heard(self, event: ListenerEvent) -> None:
        match event:
            case SpeechStarted(at=at):
                self._timers.stop("idle")
                self._peer.speech_started(at / LISTENING_RATE)
                if self._turns.barge_in is not None:
                    self._interrupt()
            case CallerTurn():
                self._turn_over(event)
            case Ducked():
                self._speaker.hold()
                # A caller whose audio stops in mid-sound (a mute button) leaves us without a decision.
                self._timers.set("release", self._clock.now() + LONGEST_HOLD, self._speaker.release)
            case FalseAlarm():
                self._release()
            case BargedIn():
                self._interrupt()
            case IdleTimedOut(start=start, end=end):
                self._peer.caller_idle(start / LISTENING_RATE, end / LISTENING_RATE)
                self._answer(self._new_turn(end))

    def _follow_words(self, speech: RecognizerStream) -> None:
        self._spawn(self._follow(speech), "partial words")

    async def _follow(self, speech: RecognizerStream) -> None:
        while (words := await speech.partial()) is not None:
            if self._listener.speech is speech:
                self._listener.transcribed(words)
                self._peer.words_so_far(words)

    def _turn_over(self, turn: CallerTurn) -> None:
        ended = turn.ended
        self._peer.speech_stopped(ended.end / LISTENING_RATE)
        item_id = self._peer.turn_taken((ended.end - ended.start) / LISTENING_RATE)
        timeline = self._new_turn(ended.speech_end)
        self._scribe.write_down(
            item_id, turn.speech, then=lambda: timeline.mark(Mark.TRANSCRIPT, self._clock.now())
        )
        if self._turns.answers:
            self._answer(timeline)

    def _new_turn(self, speech_end: int) -> Timeline:
        """A timeline that begins when the caller's sample ``speech_end`` came in."""
        now = self._clock.now()
        timeline = Timeline()
        timeline.mark(Mark.SPEECH_END, now - (self._listener.received_samples - speech_end) / LISTENING_RATE)
        timeline.mark(Mark.ENDPOINT, now)
        return timeline

    # Keys

    def _keys_settled(self) -> None:
        if (entry := self._keypad.poll(self._clock.now())) is not None:
            self._keyed(entry)

    def _keyed(self, keys: str) -> None:
        """The entry is whole. It takes the place of a reply that what was said meanwhile brought about."""
        self._timers.stop("keypad")
        self._interrupt()
        self._peer.keys_pressed(keys)
        timeline = Timeline()
        timeline.mark(Mark.ENDPOINT, self._clock.now())
        self._answer(timeline, keys=keys)

    # Replies

    def _answer(self, timeline: Timeline, *, keys: str = "", opening: bool = False) -> None:
        """Reply of our own accord; after the present reply where that may not be interrupted."""
        if self._life.state is not Life.LIVE:
            return
        if self._replies.active is not None:
            self._owed = timeline
            return
        self._begin(self._peer.begin_reply(), timeline, keys=keys, opening=opening)

    def _begin(
        self,
        order: ReplyOrder,
        timeline: Timeline,
        *,
        keys: str = "",
        opening: bool = False,
        script: Sequence[Answer] = (),
    ) -> None:
        if order.in_conversation:
            self._timers.stop("idle")
            self._listener.stop_waiting()
        self._replies.begin(order, timeline, keys=keys, opening=opening, script=script)

    def _reply_over(self, reply: Reply) -> None:
        """The reply that had the floor has left to its last frame."""
        owed, self._owed = self._owed, None
        if reply.farewell is not None or self._life.state is Life.DRAINING:
            self._timers.set("farewell", self._quiet_at(), lambda: self._leave(reply.farewell))
        elif owed is not None:
            self._answer(owed)
        else:
            self._timers.set("idle", self._quiet_at(), self._listener.wait_for_caller)

    def _leave(self, farewell: EndCall | Transfer | None) -> None:
        if isinstance(farewell, Transfer):
            self._peer.transfer(farewell.to)
        else:
            self._peer.hang_up("draining" if farewell is None else "completed")

    def _quiet_at(self) -> float:
        quiet_at = self._speaker.quiet_at
        return self._clock.now() if quiet_at is None else quiet_at

    # Barge-in

    def _interrupt(self) -> None:
        """The caller takes the floor: stop at once, keep what was heard, and tell the peer."""
        if self._speaker.audible:
            with metrics.clear_seconds.time():
                self._silence()
        self._owed = None
        self._timers.stop("farewell")
        reply = self._replies.interrupt()
        if reply is not None:
            metrics.barge_ins.inc()
            self._peer.reply_finished(reply.order, "interrupted")

    def _release(self) -> None:
        """It was not, or is not to be, an interruption."""
        self._timers.stop("release")
        self._speaker.release()

    def _silence(self) -> None:
        self._timers.stop("release")
        cut = self._speaker.clear()
        if cut is not None:
            self._peer.playback_cut(cut.order, cut.heard)

    # Life

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._tasks.create_task(work, name=f"{self.id} {name}")
        self._running.add(task)
        task.add_done_callback(self._task_over)
        return task

    def _task_over(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # The task group ends the call by it; the peer can still be told why.
            self._peer.hang_up("fault")

    def take_apart(self) -> None:
        """
        Let go of every part, once :meth:`run` has returned.

        The parts of a call point at each other. Left alone they would wait for a full run of the garbage
        collector, which stops everybody's frames for a tenth of a second when there are many calls.
        """
        vars(self).clear()

    def _end(self) -> None:
        """The call is over: stop everything that runs for it. Harmless twice."""
        if self._life.state is Life.CLOSED:
            return
        self._life.move(Life.CLOSED)
        self._timers.stop_all()
        for task in self._running:
            task.cancel()
        if self._screening is not None:
            self._screening.close()
        self._listener.close()
        self._speaker.close()

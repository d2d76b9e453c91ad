"""A whole call without a network: a peer that notes everything; engine and recogniser in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runtime.errors import RecognitionError, SynthesisFailed
from runtime.media.frame import LISTENING_RATE, EncodedFrame, Pcm
from runtime.transport.pacer import Pacer
from runtime.turn.barge_in import BargeInSettings
from runtime.turn.endpointing import ServerVad
from runtime.turn.energy import EnergyVad
from runtime.turn.vad import VadBatch
from runtime.wire.conversation import Message, WordTime
from sessions.agent import AgentProfile
from sessions.brains.brain import Answer, Brain, ToolCall, Turn
from sessions.brains.echo import EchoBrain
from sessions.equipment import Equipment
from sessions.hearing import Hearing
from sessions.peers.blocks import BlockEncoder
from sessions.peers.ledger import Ledger
from sessions.peers.peer import Call, HangUp, Outcome, ReplyOrder, TurnTaking
from sessions.recognizer import RecognizerStream, Transcript
from sessions.session import Session
from sessions.timeline import Timeline
from sessions.voice import SessionVoice
from tests.virtual_time import LoopClock
from tts.engine import Conditioning, PcmBlock, SpeechRequest, Synthesizer
from tts.engines.tone import ToneSynthesizer
from tts.phrases import PhraseBook, WireFormat
from tts.voices.resolve import VoiceResolver
from tts.voices.voice import Voice

PROFILE = AgentProfile(id="agent_1", tenant_id="tenant_1", name="Ada", voice_ref="tone-high")

PCM = WireFormat("pcm/24000", 24_000, lambda samples: samples.tobytes())

TURNS = TurnTaking(rate=LISTENING_RATE, language="en", detection=ServerVad(), barge_in=BargeInSettings())


class InlineEngine:
    """A synthesiser stepped in the event loop, each block after ``delay`` seconds; "broken" breaks it."""

    def __init__(self, synthesizer: Synthesizer, *, delay: float = 0.0) -> None:
        self._synthesizer = synthesizer
        self._delay = delay
        self.info = synthesizer.info
        self.pieces = 0

    async def speak(
        self, request: SpeechRequest, *, deadline: float | None = None
    ) -> AsyncIterator[PcmBlock]:
        self.pieces += 1
        for block in self._synthesizer.speak(request):
            await asyncio.sleep(self._delay)
            if "broken" in request.text:
                raise SynthesisFailed("the glottis is stuck")
            yield block

    async def warm(self, conditioning: Conditioning) -> None:
        self._synthesizer.load(conditioning)


class NoVoices:
    """A tenant without voices of its own."""

    async def find(self, tenant_id: str, ref: str) -> Voice | None:
        return None

    async def conditioning(self, voice: Voice) -> Conditioning:
        raise AssertionError("there is no voice to ask for")


class ScriptedRecognizer:
    """
    Hears what it was told it would hear, one text an utterance, ``delay`` seconds after its end.

    None stands for an utterance over which the engine fails.
    """

    name = "scripted"
    adapts = False

    def __init__(self, texts: Iterable[str | None], *, delay: float = 0.05) -> None:
        self._texts = iter(texts)
        self.delay = delay
        self.streams: list[ScriptedSpeech] = []
        self.expected: list[Sequence[str]] = []

    def open(
        self, language: str = "en", *, after: RecognizerStream | None = None, expects: Sequence[str] = ()
    ) -> ScriptedSpeech:
        speech = ScriptedSpeech(self)
        self.expected.append(expects)
        self.streams.append(speech)
        return speech

    def next_text(self) -> str | None:
        return next(self._texts, "")

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class ScriptedSpeech:
    def __init__(self, recognizer: ScriptedRecognizer) -> None:
        self._recognizer = recognizer
        self._over = asyncio.Event()
        self.samples = 0
        self.text = ""
        self.abandoned = False

    def push(self, pcm: Pcm) -> None:
        self.samples += len(pcm)

    async def partial(self) -> str | None:
        await self._over.wait()
        return None

    async def finish(self) -> Transcript:
        self._over.set()
        await asyncio.sleep(self._recognizer.delay)
        text = self._recognizer.next_text()
        if text is None:
            raise RecognitionError("the decoder has gone")
        self.text = text
        return Transcript(self.text, (), self.samples / LISTENING_RATE)

    def abandon(self) -> None:
        self._over.set()
        self.abandoned = True


class ScriptedBrain:
    """Answers with the given pieces, a list a turn; a number waits so long, an exception is raised."""

    def __init__(self, *replies: Sequence[Answer | float | Exception]) -> None:
        self._replies = iter(replies)
        self.turns: list[Turn] = []

    async def reply(self, turn: Turn) -> AsyncIterator[Answer]:
        self.turns.append(turn)
        for piece in next(self._replies, ()):
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, float):
                await asyncio.sleep(piece)
            else:
                yield piece


class StagePeer:
    """The far end of a staged call: it keeps a ledger, and notes every report with its time."""

    transport = "stage"
    lead = 0.2

    def __init__(self, profile: AgentProfile, turns: TurnTaking) -> None:
        self.ledger = Ledger(profile)
        self.conversation = self.ledger.conversation
        self.turn_taking = turns
        self.notes: list[tuple[float, str, Any]] = []
        self.frames: list[tuple[float, EncodedFrame]] = []
        self.call: Call | None = None
        self.up = asyncio.Event()
        self.changed = asyncio.Event()
        self._gone = asyncio.Event()

    def note(self, what: str, value: Any = None) -> None:
        self.changed.set()
        self.notes.append((asyncio.get_running_loop().time(), what, value))

    def noted(self, *whats: str) -> list[str]:
        """The names of the reports so far, in order; only these, where some are named."""
        return [what for _, what, _ in self.notes if not whats or what in whats]

    def when(self, what: str) -> float:
        """When the newest report of this name came."""
        times = [at for at, name, _ in self.notes if name == what]
        return times[-1]

    def value(self, what: str) -> Any:
        return next(value for _, name, value in reversed(self.notes) if name == what)

    @property
    def heard(self) -> bytes:
        """All audio that left, as PCM at 24 kHz."""
        return b"".join(frame.payload for _, frame in self.frames)

    @property
    def said(self) -> list[tuple[str, str]]:
        """The conversation as (role, words)."""
        return [(item.role, item.text) for item in self.conversation if isinstance(item, Message)]

    def speech_started(self, at: float) -> None:
        self.note("speech_started", at)

    def speech_stopped(self, at: float) -> None:
        self.note("speech_stopped", at)

    def turn_taken(self, seconds: float) -> str:
        self.note("turn_taken", seconds)
        return self.ledger.turn_taken(seconds)

    def caller_idle(self, start: float, end: float) -> None:
        self.note("caller_idle", (start, end))

    def words_so_far(self, text: str) -> None:
        self.note("words_so_far", text)

    def transcribed(self, item_id: str, transcript: Transcript) -> None:
        self.note("transcribed", transcript.text)
        self.ledger.transcribed(item_id, transcript)

    def not_transcribed(self, item_id: str, error: Exception) -> None:
        self.note("not_transcribed", error)

    def keys_pressed(self, digits: str) -> str:
        self.note("keys_pressed", digits)
        return self.ledger.keys_pressed(digits)

    def begin_reply(self) -> ReplyOrder:
        self.note("begin_reply")
        return self.ledger.begin_reply()

    def encoder(self, order: ReplyOrder, position: int) -> BlockEncoder:
        return BlockEncoder(PCM, sample_bytes=2, position=position)

    def words(self, order: ReplyOrder, delta: str) -> str:
        self.note("words", delta)
        return self.ledger.words(order, delta)

    def send_frames(
        self, order: ReplyOrder, frames: Sequence[EncodedFrame], words: Sequence[WordTime]
    ) -> None:
        now = asyncio.get_running_loop().time()
        if not self.frames or "frames" not in self.noted()[-1:]:
            self.note("frames")
        self.frames.extend((now, frame) for frame in frames)
        self.ledger.sounded(order, sum(frame.samples for frame in frames) / 24_000, words)

    def tool_called(self, order: ReplyOrder, call: ToolCall) -> None:
        self.note("tool_called", call)
        self.ledger.tool_called(order, call)

    def playback_cut(self, order: ReplyOrder, heard: float) -> None:
        self.note("playback_cut", heard)
        self.ledger.playback_cut(order, heard)

    def reply_finished(self, order: ReplyOrder, outcome: Outcome, error: Exception | None = None) -> None:
        self.note("reply_finished", outcome if error is None else error)
        self.ledger.reply_finished(order, outcome)

    async def read(self, call: Call) -> None:
        self.call = call
        self.up.set()
        await self._gone.wait()

    def transfer(self, to: str) -> None:
        self.note("transfer", to)
        self._gone.set()

    def hang_up(self, reason: HangUp) -> None:
        self.note("hang_up", reason)
        self._gone.set()

    def vanish(self) -> None:
        """Go without a word."""
        self._gone.set()


@dataclass
class Stage:
    """A call in progress."""

    peer: StagePeer
    session: Session
    call: Call
    task: asyncio.Task[None]
    timelines: list[Timeline] = field(default_factory=list)

    async def speak(self, pcm: Pcm, *, packet: float = 0.02) -> None:
        """The caller says this, in packets, in real (that is: virtual) time."""
        size = round(packet * self.peer.turn_taking.rate)
        for start in range(0, len(pcm), size):
            self.call.hear(pcm[start : start + size])
            await asyncio.sleep(packet)

    async def until(self, what: str, *, count: int = 1, within: float = 30.0) -> None:
        """Wait until a report of this name has come so many times."""
        async with asyncio.timeout(within):
            while self.peer.noted().count(what) < count:
                self.peer.changed.clear()
                await self.peer.changed.wait()


@contextmanager
def stage_set(
    *,
    brain: Callable[[AgentProfile], Brain] | Brain | None = None,
    hears: Iterable[str | None] = (),
    delay: float = 0.0,
) -> Iterator[tuple[Equipment, VoiceResolver]]:
    """What calls share, with the tone engine; nothing may be left of them at the end."""
    clock = LoopClock()
    engine = InlineEngine(ToneSynthesizer(), delay=delay)
    chosen = EchoBrain() if brain is None else brain
    equipment = Equipment(
        clock=clock,
        hearing=Hearing(VadBatch(EnergyVad())),
        recognizer=ScriptedRecognizer(hears),
        brains=chosen if callable(chosen) else lambda _profile: chosen,
        engine=engine,
        phrases=PhraseBook(engine, clock=clock, max_bytes=2**20),
        pacer=Pacer(clock),
    )
    yield equipment, VoiceResolver(NoVoices(), engine, stock=ToneSynthesizer().stock(), cache_bytes=0)
    equipment.pacer.close()
    assert len(equipment.hearing) == 0
    assert len(equipment.pacer) == 0


@asynccontextmanager
async def staged(
    *,
    profile: AgentProfile = PROFILE,
    turns: TurnTaking = TURNS,
    brain: Callable[[AgentProfile], Brain] | Brain | None = None,
    hears: Iterable[str | None] = (),
    delay: float = 0.0,
) -> AsyncIterator[Stage]:
    """Open a call; it must end by itself or by the peer's going, and without a fault."""
    with stage_set(brain=brain, hears=hears, delay=delay) as (equipment, resolver):
        peer = StagePeer(profile, turns)
        timelines: list[Timeline] = []
        session = Session(
            "sess_1",
            profile,
            peer=peer,
            voice=await SessionVoice.open(profile, resolver),
            brain=equipment.brains(profile),
            equipment=equipment,
            on_turn=timelines.append,
        )
        task = asyncio.create_task(session.run())
        await peer.up.wait()
        assert peer.call is not None
        try:
            yield Stage(peer, session, peer.call, task, timelines)
        finally:
            peer.vanish()
            await task


def burst(seconds: float, *, level: float = 0.3) -> Pcm:
    """Something the energy VAD takes for speech."""
    rng = np.random.default_rng(7)
    return (rng.standard_normal(round(seconds * LISTENING_RATE)) * level * 8000).astype(np.int16)


def hush(seconds: float) -> Pcm:
    """A quiet line."""
    return np.zeros(round(seconds * LISTENING_RATE), np.int16)

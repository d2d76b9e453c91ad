"""What calls need to be taken: ears, recogniser, brains, and the door."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from openai import AsyncOpenAI

from runtime import metrics
from runtime.clock import Clock
from runtime.errors import BrainError
from runtime.media.scheduler import LATENESS_BUCKETS
from runtime.server.agents import DEFAULT_CHAT_MODEL
from runtime.server.call_log import CallLog, LoggedCalls
from runtime.server.engine import RunningEngine
from runtime.server.knowledge import HttpLibrarian
from runtime.server.recordings import Recordings
from runtime.server.tool_calls import HttpTools
from runtime.settings import Settings
from runtime.transport.loop_lag import LoopLag
from runtime.transport.pacer import Pacer
from runtime.turn.gated import GatedVad
from runtime.turn.silero import SileroVad
from runtime.turn.vad import VadBatch
from sessions.admission import Admission, OverdueShare, Refused, Vitals
from sessions.agent import AgentProfile
from sessions.brains.brain import Brain
from sessions.brains.echo import EchoBrain
from sessions.brains.flow import FlowBrain, read_flow
from sessions.brains.knowledge import KnowledgeBase, KnowledgeBrain
from sessions.brains.openai_chat import OpenAIBrain
from sessions.brains.steady import SteadyBrain
from sessions.brains.tools import ToolingBrain, read_tools
from sessions.equipment import Equipment
from sessions.hearing import Hearing
from sessions.manager import SessionManager
from sessions.recognizer import Recognizer
from sessions.recognizers.openai_transcription import OpenAIRecognizer
from sessions.recognizers.sphinx import SphinxRecognizer
from sessions.recognizers.whisper import WhisperRecognizer
from sessions.timeline import Timeline
from tts.phrases import PhraseBook
from tts.voices.resolve import VoiceResolver


async def open_calls(
    settings: Settings,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    recognizer: Recognizer | None,
    engine: RunningEngine,
    resolver: VoiceResolver,
    pacer: Pacer,
    lag: LoopLag,
    call_log: CallLog,
    recordings: Recordings,
) -> SessionManager:
    """Join what live calls share; ``stack`` takes it down."""
    hearing = Hearing(VadBatch(GatedVad(SileroVad())))
    stack.callback(hearing.close)
    phrases = PhraseBook(engine, clock=clock, max_bytes=settings.phrase_cache_bytes)
    stack.push_async_callback(phrases.close)
    equipment = Equipment(
        clock=clock,
        hearing=hearing,
        recognizer=recognizer,
        brains=brain_maker(settings, clock, stack),
        engine=engine,
        pacer=pacer,
        phrases=phrases,
    )

    overdue = OverdueShare()
    lag.also(lambda _lag: overdue.sample(pacer.tally.frames, pacer.tally.overdue, clock.now()))
    stack.callback(
        metrics.watch_frames(
            pacer.tally, bounds=LATENESS_BUCKETS, queued_seconds=lambda: pacer.queued_seconds
        )
    )
    metrics.synthesis_lateness_seconds.set_function(engine.lateness)
    door = Admission()

    async def admit() -> None:
        now = clock.now()
        try:
            turn = door.ask(Vitals(lag.quantile(0.9), overdue.share, engine.lateness()), now)
        except Refused as refused:
            metrics.refused_calls.labels(refused.shortage).inc()
            raise
        if turn > now:
            await asyncio.sleep(turn - now)

    if not settings.keep_transcripts:
        return SessionManager(equipment, resolver, admit=admit, on_turn=_note_turn)
    return LoggedCalls(
        equipment,
        resolver,
        admit=admit,
        on_turn=_note_turn,
        call_log=call_log,
        recordings=recordings,
        clock=clock,
    )


async def open_recognizer(settings: Settings, stack: AsyncExitStack) -> Recognizer | None:
    """
    Start the recogniser that the settings name; None where they name none.

    Raises:
        RecognitionError: It does not start.
    """
    recognizer: OpenAIRecognizer | WhisperRecognizer | SphinxRecognizer
    if settings.transcription_base_url:
        client = AsyncOpenAI(
            base_url=settings.transcription_base_url, api_key=settings.transcription_api_key or "none"
        )
        stack.push_async_callback(client.close)
        recognizer = OpenAIRecognizer(client, model=settings.transcription_model)
    elif settings.whisper_model:
        recognizer = WhisperRecognizer(
            settings.whisper_model,
            device=settings.whisper_device,
            compute_type=settings.whisper_compute_type,
        )
    elif settings.recognizer_workers:
        recognizer = SphinxRecognizer(
            workers=settings.recognizer_workers, decoders=settings.recognizer_decoders
        )
    else:
        return None
    stack.push_async_callback(recognizer.close)
    await recognizer.start()
    return recognizer


def brain_maker(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Callable[[AgentProfile], Brain]:
    """How a call gets the brain its agent names. Chat clients are made when first needed, and shared."""
    client: AsyncOpenAI | None = None
    runner = HttpTools(clock, allow_hosts=settings.fetch_allow_hosts)
    librarian = HttpLibrarian(allow_hosts=settings.fetch_allow_hosts)

    def make(profile: AgentProfile) -> Brain:
        brain = bare(profile)
        base = profile.brain_options.get("knowledge")
        if isinstance(base, KnowledgeBase):
            return KnowledgeBrain(brain, base=base, librarian=librarian)
        return brain

    def bare(profile: AgentProfile) -> Brain:
        nonlocal client
        if profile.brain == "echo":
            return EchoBrain()
        if profile.brain == "flow":
            return FlowBrain(read_flow(profile.brain_options.get("flow", "")))
        if profile.brain == "steady":
            return SteadyBrain()
        if profile.brain == "openai":
            if not (settings.openai_base_url or settings.openai_api_key):
                raise BrainError(
                    "no chat endpoint is set",
                    fix="set VIVAVOCE_OPENAI_BASE_URL or _API_KEY, or give the agent another brain",
                )
            if client is None:
                client = AsyncOpenAI(
                    base_url=settings.openai_base_url, api_key=settings.openai_api_key or "none"
                )
                stack.push_async_callback(client.close)
            options = profile.brain_options
            temperature = options.get("temperature")
            brain = OpenAIBrain(
                client,
                model=str(options.get("model") or DEFAULT_CHAT_MODEL),
                temperature=float(temperature) if isinstance(temperature, (int, float)) else None,
            )
            server_tools = options.get("server_tools")
            if not isinstance(server_tools, list) or not server_tools:
                return brain
            return ToolingBrain(brain, tools=read_tools(server_tools)[1], runner=runner)
        raise BrainError(f"there is no brain called {profile.brain!r}")

    return make


def _note_turn(timeline: Timeline) -> None:
    if (gap := timeline.response_gap) is not None:
        metrics.response_gap_seconds.observe(gap)

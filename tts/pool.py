"""Share a few synthesising processes among all calls: the playout that runs dry first is served first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from runtime.clock import Clock
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest, Synthesizer


class SynthesisPool:
    """
    A :class:`~tts.engine.SpeechEngine` over worker processes.

    Args:
        synthesizer: Makes the engine, in each worker; picklable.
        workers: Processes.
        clock: Monotonic time of the deadlines.
        lead: Seconds of audio a call may have in stock beyond what its listener has heard. Nothing is
            synthesised further ahead, so a barge-in wastes little and one monologue starves nobody.
        step_timeout: Seconds after which a worker that makes no block is taken for hung.
        voice_cache_bytes: Bound on the conditioning each worker keeps.
    """

    def __init__(
        self,
        synthesizer: Callable[[], Synthesizer],
        *,
        workers: int,
        clock: Clock,
        lead: float = 2.0,
        step_timeout: float = 10.0,
        voice_cache_bytes: int = 64 * 2**20,
    ) -> None: ...

    @property
    def info(self) -> EngineInfo:
        """The card of the engine inside. Raises EngineUnavailable before :meth:`start`."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the workers; raises what the engine's maker raised."""

    def speak(self, request: SpeechRequest, *, deadline: float | None = None) -> AsyncIterator[PcmBlock]:
        """See :meth:`tts.engine.SpeechEngine.speak`."""
        raise NotImplementedError

    async def warm(self, conditioning: Conditioning) -> None:
        """Load the voice in every worker."""

    def lateness(self) -> float:
        """Seconds by which the most urgent waiting call is past its deadline; 0 when none is. For admission."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the workers; calls in mid-sentence raise SynthesisFailed."""

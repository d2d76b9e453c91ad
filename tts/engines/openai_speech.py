"""Any server that speaks OpenAI's speech API: OpenAI itself, vLLM-Omni, speaches, and others."""

from __future__ import annotations

import httpx

from runtime.clock import Clock
from runtime.errors import EngineUnavailable, SynthesisFailed
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest
from tts.engines.breaker import CircuitBreaker
from tts.engines.remote import (
    Blocks,
    Patience,
    PcmJoiner,
    Persistence,
    RemoteTrouble,
    remote_name,
    remote_voice,
)

ENGINE = "openai"


class OpenAISpeechEngine:
    """
    A :class:`~tts.engine.SpeechEngine` over ``POST {base_url}/audio/speech``, streamed as raw PCM.

    The API tells no word times, so words are empty: what was heard is then known in proportion only.

    Args:
        base_url: With the version: ``https://api.openai.com/v1``.
        api_key: Sent as a bearer token; None for servers that want none.
        model: The server's name for its model.
        rate: Hz of the server's ``pcm`` format; OpenAI's is 24 kHz, 16 bit, mono, little-endian.
        connections: Sentences spoken at once; others wait for a connection.

    Source: OpenAI API reference, "Create speech".
    """

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        clock: Clock,
        api_key: str | None = None,
        rate: int = 24_000,
        connections: int = 100,
        patience: Patience | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        patience = patience or Patience()
        self.info = EngineInfo(
            name=ENGINE, version=model, rate=rate, languages=("*",), licence="the server's", clones=False
        )
        self._persistence = Persistence(
            f"the speech server at {base_url}",
            clock=clock,
            patience=patience,
            breaker=breaker or CircuitBreaker(),
        )
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            # Persistence watches over the audio; only connecting is timed here.
            timeout=httpx.Timeout(None, connect=patience.connect),
            limits=httpx.Limits(max_connections=connections),
        )

    def voice(self, name: str, *, voice_id: str | None = None) -> Conditioning:
        """Conditioning for the server's voice called ``name``."""
        return remote_voice(ENGINE, self.info.version, voice_id=voice_id or name, name=name)

    async def warm(self, conditioning: Conditioning) -> None:
        """Nothing to warm; raises SynthesisFailed for a voice of another engine."""
        remote_name(conditioning, ENGINE)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def speak(self, request: SpeechRequest, *, deadline: float | None = None) -> Blocks:
        """See :meth:`tts.engine.SpeechEngine.speak`. The server serves in its own order."""
        return self._persistence.blocks(lambda: self._attempt(request))

    async def _attempt(self, request: SpeechRequest) -> Blocks:
        joiner = PcmJoiner(rate=self.info.rate)
        order = {
            "model": self.info.version,
            "input": request.text,
            "voice": remote_name(request.conditioning, ENGINE),
            "response_format": "pcm",
            "speed": request.speed,
        }
        try:
            async with self._client.stream("POST", "audio/speech", json=order) as response:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                    raise _refusal(response)
                opening = True
                async for data in response.aiter_bytes():
                    if opening and data.startswith(b"RIFF"):
                        raise SynthesisFailed("the speech server sent a WAV file where raw PCM was asked for")
                    opening = False
                    for samples in joiner.push(data):
                        yield PcmBlock(samples, self.info.rate)
        except httpx.TransportError as error:
            raise RemoteTrouble(
                f"the speech server cannot be reached: {error or type(error).__name__}"
            ) from error
        for samples in joiner.flush():
            yield PcmBlock(samples, self.info.rate)


def _refusal(response: httpx.Response) -> Exception:
    """What a status means: worth another try, our configuration, or this text."""
    status = response.status_code
    told = f"the speech server answered {status}: {response.text[:200].strip()}"
    if status in (401, 403):
        return EngineUnavailable(told, fix="check the API key of the speech server")
    if status == 404:
        return EngineUnavailable(told, fix="check the base URL and the model of the speech server")
    if status in (408, 409, 425, 429) or status >= 500:
        wait = response.headers.get("Retry-After", "")
        return RemoteTrouble(told, retry_after=float(wait) if wait.isdecimal() else None)
    return SynthesisFailed(told)

"""ElevenLabs over its streaming WebSocket, with the time of every character."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from math import inf
from typing import Any
from urllib.parse import quote, urlencode

import websockets
from websockets.asyncio.client import connect

from runtime.clock import Clock
from runtime.errors import EngineUnavailable, SynthesisFailed
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest
from tts.engines.alignment import AlignedWords
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

ENGINE = "elevenlabs"
RATE = 24_000
SLOWEST, FASTEST = 0.7, 1.2
"""The range of the ``speed`` voice setting; requests beyond it are brought to its ends."""

_RETRYABLE = (408, 409, 425, 429)


class ElevenLabsEngine:
    """
    A :class:`~tts.engine.SpeechEngine` over ``/v1/text-to-speech/{voice_id}/stream-input``.

    Args:
        api_key: Of the account that owns the voices.
        model: ``eleven_flash_v2_5`` is their fastest.
        base_url: ``wss://api.elevenlabs.io``, or where tests listen.

    Source: ElevenLabs API reference, "Text to speech WebSocket".
    """

    def __init__(
        self,
        *,
        api_key: str,
        clock: Clock,
        model: str = "eleven_flash_v2_5",
        base_url: str = "wss://api.elevenlabs.io",
        patience: Patience | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.info = EngineInfo(
            name=ENGINE, version=model, rate=RATE, languages=("*",), licence="ElevenLabs' terms", clones=False
        )
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")
        self._patience = patience or Patience()
        self._persistence = Persistence(
            "ElevenLabs", clock=clock, patience=self._patience, breaker=breaker or CircuitBreaker()
        )

    def voice(self, name: str, *, voice_id: str | None = None) -> Conditioning:
        """Conditioning for their voice whose id is ``name``."""
        return remote_voice(ENGINE, self.info.version, voice_id=voice_id or name, name=name)

    async def warm(self, conditioning: Conditioning) -> None:
        """Nothing to warm; raises SynthesisFailed for a voice of another engine."""
        remote_name(conditioning, ENGINE)

    async def close(self) -> None:
        """Nothing stays open between sentences."""

    def speak(self, request: SpeechRequest, *, deadline: float | None = None) -> Blocks:
        """See :meth:`tts.engine.SpeechEngine.speak`. The server serves in its own order."""
        return self._persistence.blocks(lambda: self._attempt(request))

    async def _attempt(self, request: SpeechRequest) -> Blocks:
        joiner = PcmJoiner(rate=RATE)
        words = AlignedWords(request.text)
        received = made = 0.0
        try:
            async with connect(
                self._url(request),
                additional_headers={"xi-api-key": self._api_key},
                open_timeout=self._patience.connect,
                close_timeout=1.0,
                max_size=2**24,
            ) as socket:
                for message in _messages(request):
                    await socket.send(json.dumps(message))
                async for text in socket:
                    answer = _parsed(text)
                    _align(words, answer.get("alignment"), origin=received)
                    audio = base64.b64decode(answer.get("audio") or "")
                    received += len(audio) / 2 / RATE
                    for samples in joiner.push(audio):
                        made += len(samples) / RATE
                        yield PcmBlock(samples, RATE, words.take(before=made))
                    if answer.get("isFinal"):
                        break
        except (websockets.InvalidStatus, websockets.ConnectionClosedError) as refused:
            raise _refusal(refused) from refused
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            raise RemoteTrouble(f"ElevenLabs cannot be reached: {error or type(error).__name__}") from error
        words.finish()
        for samples in joiner.flush():
            yield PcmBlock(samples, RATE, words.take(before=inf))

    def _url(self, request: SpeechRequest) -> str:
        voice = quote(remote_name(request.conditioning, ENGINE), safe="")
        options = urlencode(
            {
                "model_id": self.info.version,
                "output_format": f"pcm_{RATE}",
                "sync_alignment": "true",
                "auto_mode": "true",
            }
        )
        return f"{self._base_url}/v1/text-to-speech/{voice}/stream-input?{options}"


def _messages(request: SpeechRequest) -> Sequence[dict[str, Any]]:
    """The opening, the whole text at once, and the end: their protocol has them as three messages."""
    speed = min(FASTEST, max(SLOWEST, request.speed))
    return ({"text": " ", "voice_settings": {"speed": speed}}, {"text": f"{request.text} "}, {"text": ""})


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise SynthesisFailed("ElevenLabs sent something that is not JSON") from error
    if not isinstance(answer, dict):
        raise SynthesisFailed("ElevenLabs sent JSON that is not an object")
    if answer.get("error"):
        raise SynthesisFailed(f"ElevenLabs answered {answer['error']}: {answer.get('message', '')}")
    return answer


def _align(words: AlignedWords, alignment: dict[str, Any] | None, *, origin: float) -> None:
    """Their times are milliseconds from the beginning of each message's audio."""
    if not alignment:
        return
    starts = [origin + at / 1000 for at in alignment.get("charStartTimesMs") or ()]
    durations = [length / 1000 for length in alignment.get("charDurationsMs") or ()]
    words.push(alignment.get("chars") or (), starts, durations)


def _refusal(refused: websockets.InvalidStatus | websockets.ConnectionClosedError) -> Exception:
    if isinstance(refused, websockets.InvalidStatus):
        status = refused.response.status_code
        told = f"ElevenLabs answered {status}"
        if status in (401, 403):
            return EngineUnavailable(told, fix="check the ElevenLabs API key")
        if status in _RETRYABLE or status >= 500:
            return RemoteTrouble(told)
        return SynthesisFailed(told, fix="check the voice id and the model")
    close = refused.rcvd
    if close is not None and close.code == 1008:
        return EngineUnavailable(
            f"ElevenLabs refused: {close.reason}", fix="check the key, quota and voice id"
        )
    return RemoteTrouble(f"ElevenLabs broke off: {refused}")

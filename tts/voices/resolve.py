"""Decide whose voice it is: from what an agent or a request names, to what the engine needs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from runtime.errors import VoiceNotFound, VoiceNotReady
from tts.engine import Conditioning, SpeechEngine
from tts.voices.voice import StockVoice, Voice, VoiceState

OPENAI_PRESETS: Mapping[str, str] = MappingProxyType(
    {
        "alloy": "neutral",
        "ash": "male",
        "ballad": "male",
        "cedar": "male",
        "coral": "female",
        "echo": "male",
        "fable": "neutral",
        "marin": "female",
        "nova": "female",
        "onyx": "male",
        "sage": "female",
        "shimmer": "female",
        "verse": "male",
    }
)
"""
The preset names of OpenAI's speech and realtime APIs, and the gender each is spoken in here.

Their clients send these as defaults, so they must speak; each is mapped to one stock voice and always
the same one. Source: OpenAI API reference, "Create speech", parameter ``voice``.
"""


class VoiceCatalog(Protocol):
    """Where tenants' voices are kept."""

    async def find(self, tenant_id: str, ref: str) -> Voice | None:
        """
        The tenant's voice called ``ref`` by any of its public ids, deleted ones excluded.

        None for another tenant's voice: from here it does not exist.
        """
        ...

    async def conditioning(self, voice: Voice) -> Conditioning:
        """What was stored when ``voice`` became ready."""
        ...


class VoiceResolver:
    """
    Turn a voice's name into conditioning, fail closed, and keep what is asked for often.

    A name that means nothing is an error, never another voice. The catalog is asked on every call, so a
    voice deleted a moment ago is gone; only the bytes of its conditioning are cached.

    Args:
        catalog: The tenants' own voices.
        engine: Warmed with every voice that is resolved and was not in the cache.
        stock: Voices that ship with the engine, open to every tenant.
        cache_bytes: Bound on the conditioning kept in memory; 0 keeps none.
    """

    def __init__(
        self,
        catalog: VoiceCatalog,
        engine: SpeechEngine,
        *,
        stock: Iterable[StockVoice] = (),
        cache_bytes: int,
    ) -> None:
        if cache_bytes < 0:
            raise ValueError(f"cache_bytes is {cache_bytes}; it cannot be negative")
        self._catalog = catalog
        self._engine = engine
        self.stock: Mapping[str, StockVoice] = MappingProxyType({voice.voice_id: voice for voice in stock})
        self._presets = _preset_voices(tuple(self.stock.values()))
        self._cache: OrderedDict[str, Conditioning] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._held_bytes = 0
        self._loading: dict[str, asyncio.Task[Conditioning]] = {}

    @property
    def held_bytes(self) -> int:
        """Conditioning in the cache now."""
        return self._held_bytes

    def stock_voice(self, ref: str) -> StockVoice | None:
        """The stock voice that ``ref`` names, by its own id or by an OpenAI preset's; None if neither."""
        return self.stock.get(ref) or self._presets.get(ref)

    async def resolve(self, tenant_id: str, ref: str) -> Conditioning:
        """
        What the engine needs to speak as ``ref``.

        A tenant's own voice wins over a stock voice or preset of the same name.

        Raises:
            VoiceNotFound: Unknown, deleted, or another tenant's.
            VoiceNotReady: Still being made, or it never became a voice.
        """
        voice = await self._catalog.find(tenant_id, ref)
        if voice is not None:
            return await self._conditioning(_ready(voice))
        if (stock := self.stock_voice(ref)) is not None:
            return stock.conditioning
        raise VoiceNotFound(
            f"no voice is called {ref!r}",
            param="voice",
            fix="list the voices with GET /v1/voices and use one of their ids",
        )

    def forget(self, voice_id: str) -> None:
        """Drop a voice from the cache: it was deleted or made again."""
        dropped = self._cache.pop(voice_id, None)
        if dropped is not None:
            self._held_bytes -= len(dropped.data)

    async def _conditioning(self, voice: Voice) -> Conditioning:
        if (cached := self._cache.get(voice.id)) is not None:
            self._cache.move_to_end(voice.id)
            return cached
        loading = self._loading.get(voice.id)
        if loading is None:
            loading = asyncio.create_task(self._load(voice), name=f"load {voice.id}")
            self._loading[voice.id] = loading
            loading.add_done_callback(lambda _: self._loading.pop(voice.id, None))
        # Shielded: one caller that hangs up must not fail the others who wait for the same voice.
        return await asyncio.shield(loading)

    async def _load(self, voice: Voice) -> Conditioning:
        conditioning = await self._catalog.conditioning(voice)
        await self._engine.warm(conditioning)
        self._keep(voice.id, conditioning)
        return conditioning

    def _keep(self, voice_id: str, conditioning: Conditioning) -> None:
        if len(conditioning.data) > self._cache_bytes:
            return
        self.forget(voice_id)
        self._cache[voice_id] = conditioning
        self._held_bytes += len(conditioning.data)
        while self._held_bytes > self._cache_bytes:
            _, oldest = self._cache.popitem(last=False)
            self._held_bytes -= len(oldest.data)


def _ready(voice: Voice) -> Voice:
    if voice.state is VoiceState.READY:
        return voice
    if voice.state is VoiceState.DELETED:
        raise VoiceNotFound(f"voice {voice.id} was deleted", param="voice")
    if voice.state.pending:
        raise VoiceNotReady(
            f"voice {voice.id} is still {voice.state}",
            param="voice",
            fix="ask again until its status is ready",
        )
    why = f": {voice.reason.message}" if voice.reason else ""
    fix = voice.reason.fix if voice.reason else "enrol another recording"
    raise VoiceNotReady(
        f"voice {voice.id} is {voice.state}{why}", param="voice", code="voice_failed", fix=fix
    )


def _preset_voices(stock: tuple[StockVoice, ...]) -> dict[str, StockVoice]:
    """One stock voice a preset: of its gender where there is one, spread over them in order of name."""
    presets: dict[str, StockVoice] = {}
    used: dict[str, int] = {}
    for preset, gender in OPENAI_PRESETS.items():
        candidates = [voice for voice in stock if voice.gender == gender] or list(stock)
        if candidates:
            presets[preset] = candidates[used.get(gender, 0) % len(candidates)]
            used[gender] = used.get(gender, 0) + 1
    return presets

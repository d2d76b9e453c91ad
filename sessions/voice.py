"""Whose voice a call is spoken in: the agent's, settled when it opens, unless the client asks for another."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import VoiceNotFound, VoiceNotReady
from sessions.agent import AgentProfile
from tts.engine import Conditioning
from tts.voices.resolve import VoiceResolver


@dataclass(frozen=True, slots=True)
class VoiceFallback:
    """The agent's voice could not be had, and the agent names another for that case."""

    requested: str
    used: str
    reason: str


class SessionVoice:
    """
    The voices one call may speak in. Made by :meth:`open`.

    Conditioning is held for the life of the call, so that deleting a voice never changes a running one.
    """

    def __init__(
        self,
        resolver: VoiceResolver,
        tenant_id: str,
        ref: str,
        conditioning: Conditioning,
        fallback: VoiceFallback | None,
    ) -> None:
        self._resolver = resolver
        self._tenant_id = tenant_id
        self._resolved = {ref: conditioning}
        self.ref = ref
        """The name under which the call's own voice was found."""
        self.own = conditioning
        self.fallback = fallback
        """Set where the call does not speak in the voice its agent names; tell whoever listens."""

    @classmethod
    async def open(cls, profile: AgentProfile, resolver: VoiceResolver) -> SessionVoice:
        """
        Settle the agent's voice, or its explicit fallback.

        Raises:
            VoiceNotReady: Neither can be had; ``code`` is ``voice_unavailable``.
        """
        try:
            conditioning = await resolver.resolve(profile.tenant_id, profile.voice_ref)
            return cls(resolver, profile.tenant_id, profile.voice_ref, conditioning, None)
        except (VoiceNotFound, VoiceNotReady) as error:
            if profile.voice_fallback is None:
                raise _unavailable(profile, error) from error
            fallback = VoiceFallback(profile.voice_ref, profile.voice_fallback, error.message)
        try:
            conditioning = await resolver.resolve(profile.tenant_id, fallback.used)
        except (VoiceNotFound, VoiceNotReady) as error:
            raise _unavailable(profile, error) from error
        return cls(resolver, profile.tenant_id, fallback.used, conditioning, fallback)

    async def resolve(self, ref: str) -> Conditioning:
        """
        Make another voice ready for this call.

        Raises:
            VoiceNotFound: Unknown, deleted, or another tenant's.
            VoiceNotReady: Still being made, or it never became a voice.
        """
        if ref not in self._resolved:
            self._resolved[ref] = await self._resolver.resolve(self._tenant_id, ref)
        return self._resolved[ref]

    def holds(self, voice_id: str) -> bool:
        """Whether the call speaks, or may speak, in this voice."""
        return any(voice.voice_id == voice_id for voice in self._resolved.values())

    def conditioning(self, ref: str) -> Conditioning:
        """The voice resolved as ``ref``; the call's own where that name was never resolved."""
        return self._resolved.get(ref, self.own)


def _unavailable(profile: AgentProfile, error: VoiceNotFound | VoiceNotReady) -> VoiceNotReady:
    return VoiceNotReady(
        f"the voice of agent {profile.name!r} is not available: {error.message}",
        code="voice_unavailable",
        param="voice_id",
        fix="give the agent a voice that is ready, or set its voice_fallback to a stock voice",
    )

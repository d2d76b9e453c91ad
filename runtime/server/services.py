"""Everything the routes can ask for, in one frozen value that the lifespan builds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.clock import Clock
from runtime.settings import Settings

if TYPE_CHECKING:
    from runtime.server.accounts import AccountService
    from runtime.server.agents import AgentService
    from runtime.server.audiosocket import ExpectedCalls
    from runtime.server.auth import Authenticator
    from runtime.server.call_log import CallLog
    from runtime.server.client_secrets import ClientSecrets
    from runtime.server.concurrency import ConcurrencyLimit
    from runtime.server.consents import ConsentService
    from runtime.server.designs import DesignService
    from runtime.server.engine import RunningEngine
    from runtime.server.fetch import AudioFetcher
    from runtime.server.files import SignedFiles
    from runtime.server.imports import VoiceImports
    from runtime.server.integrations import ElevenLabsKeys
    from runtime.server.limits import RateLimiter
    from runtime.server.once import OnceOnly
    from runtime.server.previews import PreviewService
    from runtime.server.provenance import ProvenanceService
    from runtime.server.recordings import Recordings
    from runtime.server.secrets import Secrets
    from runtime.server.speech import SpeechService
    from runtime.server.transcriptions import TranscriptionJobs
    from runtime.server.voices import VoiceService
    from runtime.server.webhooks import WebhookService
    from runtime.server.webrtc_calls import WebRtcCalls
    from runtime.store.blobs import Blobs
    from runtime.store.database import Database
    from runtime.transport.pacer import Pacer
    from sessions.manager import SessionManager
    from sessions.transcriber import Transcriber
    from tts.voices.resolve import VoiceResolver


@dataclass(frozen=True, slots=True)
class Services:
    """Found at ``app.state.services`` while the application runs."""

    settings: Settings
    clock: Clock
    database: Database
    blobs: Blobs
    authenticator: Authenticator
    client_secrets: ClientSecrets
    accounts: AccountService
    limiter: RateLimiter
    concurrency: ConcurrencyLimit
    once: OnceOnly
    upload_room: asyncio.Semaphore
    """For requests that carry recordings: a bound on the memory they take together."""
    voices: VoiceService
    agents: AgentService
    consents: ConsentService
    designs: DesignService
    previews: PreviewService
    elevenlabs: ElevenLabsKeys
    imports: VoiceImports
    fetcher: AudioFetcher
    speech: SpeechService
    provenance: ProvenanceService
    resolver: VoiceResolver
    engine: RunningEngine
    pacer: Pacer
    calls: SessionManager
    call_log: CallLog
    recordings: Recordings
    files: SignedFiles
    webhooks: WebhookService
    transcriptions: TranscriptionJobs
    transcriber: Transcriber
    webrtc: WebRtcCalls
    secrets: Secrets
    expected_calls: ExpectedCalls

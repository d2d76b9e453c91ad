"""Every setting of the server, in one frozen model. Units are in the names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.wire.ice_servers import IceServer, check_ice_servers
from runtime.wire.vonage import rsa_key


class Settings(BaseSettings):
    """Read once, at the roof, from ``VIVAVOCE_*`` and the command line. Lower floors get plain arguments."""

    model_config = SettingsConfigDict(env_prefix="VIVAVOCE_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    """Address to listen on. Sandbox keys are given out on loopback only."""

    port: int = Field(default=8080, ge=0, le=65535)
    """TCP port; 0 picks a free one."""

    public_url: str | None = None
    """What clients call us, e.g. ``https://voice.example.com``; None derives it from each request."""

    workers: int = Field(default=1, ge=1, le=64)
    """Server processes behind the one address, each with its own scheduler and synthesis workers."""

    data_dir: Path = Path("data")
    """Folder of the database and the blobs, where neither is set."""

    database_url: str | None = None
    """SQLAlchemy URL; None is SQLite in ``data_dir``."""

    blob_url: str | None = None
    """Object store URL (``file:///…``, ``s3://bucket/prefix``); None is a folder in ``data_dir``."""

    blob_endpoint_url: str | None = None
    """Where an S3-compatible store listens, e.g. ``https://minio.lan:9000``; None is Amazon's."""

    blob_region: str | None = None
    """Its region; None is that of ``AWS_REGION``, or ``us-east-1``."""

    blob_access_key_id: str | None = None
    """Its credentials; None are those of ``AWS_ACCESS_KEY_ID``, or of the machine's role."""

    blob_secret_access_key: str | None = None
    """The secret half."""

    engine: Literal["clone", "tone", "pocket", "openai_speech", "elevenlabs"] = "clone"
    """Which engine speaks. The last two run elsewhere; see the ``speech_*`` settings."""

    pocket_model: str = "english"
    """Model of the engine ``pocket``: one of its names, or the path of a YAML file."""

    pocket_int8: bool = False
    """Whether ``pocket`` runs quantised, in about half the time."""

    speech_base_url: str | None = None
    """Server of the engine ``openai_speech``, with the version: ``http://gpu:8000/v1``."""

    speech_api_key: str | None = None
    """Key of the remote engine."""

    speech_model: str = "tts-1"
    """Model of the remote engine."""

    speech_rate_hz: int = Field(default=24_000, ge=8_000, le=48_000)
    """Rate of the raw PCM that ``openai_speech`` sends."""

    speech_voices: tuple[str, ...] = ()
    """Voices of the remote engine, by its names; the first is the default."""

    watermark: bool = True
    """Whether all speech carries the inaudible mark that ``POST /v1/provenance/verify`` finds."""

    watermark_key: str | None = Field(default=None, min_length=8)
    """Secret that draws the mark, so that nobody else can make or aim at it. Unset, it is the public one."""

    synthesis_workers: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 2) - 1), ge=1)
    """Processes that synthesise."""

    recognizer_workers: int = Field(default_factory=lambda: min(4, os.cpu_count() or 1), ge=0)
    """Processes that recognise speech (about 100 MB each); 0 turns transcription off."""

    recognizer_decoders: int = Field(default=12, ge=1)
    """Callers that each of them follows at a time; each beyond the first takes 91 MB, once so many speak."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is worth a line on stderr."""

    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""

    sandbox_keys: bool | None = None
    """Whether ``POST /v1/sandbox/keys`` gives keys to anyone; None: only when listening on loopback."""

    upload_max_bytes: int = Field(default=32 * 2**20, ge=1)
    """Largest recording that is read."""

    upload_max_seconds: float = Field(default=600.0, gt=0)
    """Longest recording that is decoded; the gate then judges its length."""

    speech_max_characters: int = Field(default=20_000, ge=1)
    """Longest text of one speech request."""

    secret_key: str | None = None
    """Encrypts stored keys and signs addresses; None keeps one in ``data_dir``. Several servers share one."""

    require_consent: bool = False
    """Whether a voice is cloned only when somebody attests the speaker's consent."""

    keep_transcripts: bool = True
    """Whether calls that are over are kept, with what was said, until they are deleted."""

    keep_recordings_days: float | None = Field(default=None, gt=0)
    """How long recordings of calls are kept; None until they are deleted."""

    webhook_retry_seconds: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0, 3_600.0, 10_800.0, 43_200.0)
    """Pauses between attempts to deliver an event; after the last one it is given up."""

    clone_credits: int = Field(default=100, ge=0)
    """Credits that a clone costs; given back when it fails."""

    preview_credits: int = Field(default=1, ge=0)
    """Credits that a preview job costs; given back when it fails."""

    concurrent_per_key: int = Field(default=0, ge=0)
    """Requests and calls of one key at a time; 0 is no limit. Calls on WebRTC are not counted."""

    rate_limit_per_minute: int = Field(default=3000, ge=0)
    """Requests of one key in a minute; 0 is no limit."""

    fetch_allow_hosts: tuple[str, ...] = ()
    """Hosts in private networks that recordings may be fetched from, e.g. ``["nas.lan"]``."""

    elevenlabs_base_url: str = "https://api.elevenlabs.io"
    """Where agents' own ElevenLabs keys are used."""

    voice_cache_bytes: int = Field(default=256 * 2**20, ge=0)
    """Conditioning kept in memory."""

    phrase_cache_bytes: int = Field(default=64 * 2**20, ge=0)
    """Encoded greetings, fillers and prompts kept in memory, for all calls."""

    ice_servers: tuple[dict[str, str | list[str]], ...] = ()
    """STUN and TURN for WebRTC, as JSON: ``[{"urls": "turn:…", "username": "…", "credential": "…"}]``. None
    are needed where callers reach this machine's own addresses. The first of each kind is used."""

    realtime_lead_ms: int = Field(default=200, ge=0, le=2000)
    """How far ahead of its time a frame may leave on a WebSocket."""

    telephony_lead_ms: int = Field(default=160, ge=0, le=2000)
    """The same for carriers' media streams."""

    twilio_auth_token: str | None = None
    """Signs what Twilio sends. Without it, telephone calls are taken on loopback only."""

    twilio_account_sid: str | None = None
    """With the token, lets us hang up and transfer calls through Twilio's REST API."""

    twilio_api_url: str = "https://api.twilio.com"
    """Where that is; a region has an address of its own."""

    telnyx_public_key: str | None = None
    """Checks what Telnyx signs: the account's Ed25519 key, base64."""

    telnyx_api_key: str | None = None
    """Lets us hang up and transfer calls through Telnyx' Call Control."""

    telnyx_api_url: str = "https://api.telnyx.com"
    """Where that is."""

    plivo_auth_token: str | None = None
    """Signs what Plivo sends."""

    plivo_auth_id: str | None = None
    """With the token, lets us hang up and transfer calls through Plivo's REST API."""

    plivo_api_url: str = "https://api.plivo.com"
    """Where that is."""

    vonage_signature_secret: str | None = None
    """Signs what Vonage sends."""

    vonage_application_id: str | None = None
    """Of the Voice application: with its key, lets us hang up and transfer calls through its REST API."""

    vonage_private_key: str | None = None
    """Of the Voice application: RSA in PEM, its line ends as they are or as ``\\n``."""

    vonage_api_url: str = "https://api.nexmo.com"
    """Where that is; a region has an address of its own."""

    signalwire_signing_key: str | None = None
    """Signs what SignalWire sends."""

    signalwire_space_url: str | None = None
    """``https://example.signalwire.com``: with the two below, lets us hang up and transfer calls there."""

    signalwire_project_id: str | None = None
    """Of the project."""

    signalwire_api_token: str | None = None
    """Of the project, with the scope Voice."""

    jambonz_api_url: str | None = None
    """Up to ``/v1``: with the key, lets us transfer calls through jambonz' REST API."""

    jambonz_api_key: str | None = None
    """Of the account."""

    freeswitch_api_url: str | None = None
    """Where mod_xml_rpc listens, name and password included: lets us hang up and transfer its calls."""

    genesys_api_key: str | None = None
    """Names the AudioHook integration, and lets it in where no client secret is set."""

    genesys_client_secret: str | None = None
    """Signs the AudioHook handshake: base64, as Genesys has it."""

    telephony_token: str | None = None
    """Lets in carriers and PBXs that sign nothing: as ``?token=``, as bearer, or as the password of Basic."""

    audiosocket_port: int | None = Field(default=None, ge=0, le=65535)
    """TCP port for Asterisk's AudioSocket, on the same host; 0 picks a free one, none listens on none."""

    audiosocket_agents: dict[UUID, str] = {}
    """Agents that a dialplan reaches by a UUID of its own, as JSON: ``{"UUID": "agent_…"}``."""

    whisper_model: str | None = None
    """
    A faster-whisper model that recognises speech in place of the embedded recogniser: a folder, a size such
    as ``small.en``, or a repository of the Hugging Face hub. Needs the extra ``whisper``.
    """

    whisper_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs."""

    whisper_compute_type: str = "default"
    """Its arithmetic, as CTranslate2 names it: ``int8`` is fastest on a CPU, ``float16`` on a GPU."""

    transcription_base_url: str | None = None
    """OpenAI-compatible endpoint that recognises speech in place of the embedded recogniser."""

    transcription_api_key: str | None = None
    """Its key."""

    transcription_model: str = "whisper-1"
    """What it calls its model."""

    openai_base_url: str | None = None
    """Chat endpoint of the ``openai`` brain."""

    openai_api_key: str | None = None
    """Its key."""

    drain_seconds: float = Field(default=20.0, ge=0)
    """How long live calls may go on after SIGTERM."""

    @field_validator("ice_servers")
    @classmethod
    def _can_be_used(cls, servers: tuple[IceServer, ...]) -> tuple[IceServer, ...]:
        check_ice_servers(servers)
        return servers

    @field_validator("vonage_private_key")
    @classmethod
    def _is_a_key(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                rsa_key(value)
        except ValueError as error:
            raise ValueError(f"set VIVAVOCE_VONAGE_PRIVATE_KEY to an RSA key in PEM: {error}") from None
        return value

    @model_validator(mode="after")
    def _one_process_hears_audiosocket(self) -> Self:
        if self.audiosocket_port is not None and self.workers > 1:
            raise ValueError("AudioSocket calls are announced to one process: set VIVAVOCE_WORKERS=1")
        return self

    @property
    def store_url(self) -> str:
        """Where the rows are."""
        return self.database_url or f"sqlite:///{self.data_dir}/vivavoce.db"

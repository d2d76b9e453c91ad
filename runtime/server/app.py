"""Builds everything, in the order in which it depends on each other, and takes it down in reverse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from runtime import metrics
from runtime.clock import Clock, SystemClock
from runtime.media.container import DecodeLimits
from runtime.server import elevenlabs_socket, media, omni, ops, pages, reference, telephony, webrtc
from runtime.server.accounts import AccountService, listens_on_loopback
from runtime.server.agents import AgentService
from runtime.server.audiosocket import ExpectedCalls, open_audiosocket
from runtime.server.auth import Authenticator
from runtime.server.call_log import CallLog
from runtime.server.calls import open_calls, open_recognizer
from runtime.server.catalog import StoredVoices
from runtime.server.client_secrets import ClientSecrets
from runtime.server.concurrency import QUESTION as GOING_ON
from runtime.server.concurrency import ConcurrencyLimit, GiveBack
from runtime.server.consents import ConsentService
from runtime.server.designs import DesignService
from runtime.server.detour import HOLDS, Detour, holds
from runtime.server.dialects.catalogue import DIALECTS, dialect_of
from runtime.server.dialects.route import http_error
from runtime.server.engine import open_house, watermark_keys
from runtime.server.enrolment import Enrolments
from runtime.server.fetch import AudioFetcher
from runtime.server.files import SignedFiles
from runtime.server.fleet_metrics import QUESTION as FIGURES
from runtime.server.imports import VoiceImports
from runtime.server.integrations import ElevenLabsKeys
from runtime.server.leadership import Leadership
from runtime.server.limits import OwnBuckets, RateLimiter, SharedBuckets
from runtime.server.neighbours import Neighbours
from runtime.server.once import OnceOnly
from runtime.server.place import Place
from runtime.server.presence import Presence
from runtime.server.previews import PreviewService
from runtime.server.provenance import ProvenanceService
from runtime.server.recordings import Recordings
from runtime.server.request_ids import RequestIds
from runtime.server.secrets import Secrets, load_secret
from runtime.server.services import Services
from runtime.server.speech import SpeechService
from runtime.server.transcriptions import TranscriptionJobs
from runtime.server.voices import RETIRE_VOICE, VoiceService
from runtime.server.webhooks import WebhookSender, WebhookService
from runtime.server.webrtc_calls import WebRtcCalls
from runtime.settings import Settings
from runtime.store.blobs import Blobs
from runtime.store.database import Database
from runtime.transport.direct import BETWEEN
from runtime.transport.loop_lag import LoopLag
from runtime.transport.pacer import Pacer
from runtime.workers import WorkerProcess
from sessions.transcriber import Transcriber
from tts.voices.resolve import VoiceResolver
from tts.voices.upload import enrolment_service

log = logging.getLogger(__name__)

UPLOADS_AT_ONCE = 16
"""Requests with recordings that are read at a time; the others wait."""

ENROLMENT_NICENESS = 10
"""Judging and cloning give way to every process that speaks to somebody."""


def create_app(settings: Settings, *, clock: Clock | None = None, place: Place | None = None) -> FastAPI:
    """
    The application. Nothing is opened, started or written before its lifespan begins.

    Args:
        place: Which process of a fleet this is; None where there is one.

    While it runs, ``app.state.services`` holds everything that was built.
    """
    clock = clock or SystemClock()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        async with AsyncExitStack() as stack:
            leadership = Leadership(place.leader_lock if place else None)
            stack.callback(leadership.leave)
            services = await build(
                settings, clock, stack, leadership=leadership, place=place, neighbours=app.state.neighbours
            )
            app.state.services = services
            await open_audiosocket(services, stack)
            await listen_to_neighbours(app.state.neighbours, services)
            stack.push_async_callback(app.state.neighbours.close)
            yield {BETWEEN: app.state.services.pacer.between_messages}
            app.state.services = None

    app = FastAPI(
        title="vivavoce",
        summary="A realtime voice-agent runtime that speaks in cloned voices.",
        lifespan=lifespan,
        strict_content_type=False,
        openapi_url=None,  # each dialect has its own document: runtime.server.reference
    )
    app.state.settings = settings
    app.state.services = None
    app.state.neighbours = Neighbours(place.sockets, number=place.number) if place else Neighbours()
    app.state.draining = False
    if place is not None:
        app.add_middleware(Detour, neighbours=app.state.neighbours, doors=place.doors)
    app.add_middleware(GiveBack)
    app.add_middleware(RequestIds)
    app.add_exception_handler(HTTPException, _nothing_here)
    app.router.routes.extend(ops.routes)
    app.router.routes.extend(media.routes)
    app.router.routes.extend(webrtc.routes)
    app.router.routes.extend(elevenlabs_socket.routes)
    app.router.routes.extend(omni.routes)
    app.router.routes.extend(telephony.routes)
    app.router.routes.extend(reference.routes)
    for dialect in DIALECTS:
        for router in dialect.routers:
            app.include_router(router)
            app.include_router(router, prefix=f"/d/{dialect.name}")  # for clients that leave no doubt
    app.router.routes.extend(pages.routes)  # matches every path: last
    return app


async def build(
    settings: Settings,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    leadership: Leadership,
    neighbours: Neighbours,
    place: Place | None = None,
) -> Services:
    """
    Open the store, start the workers, and join them; ``stack`` closes all of it.

    Raises:
        EngineUnavailable: The engine cannot be made on this machine.
    """
    database = Database(settings.store_url)
    stack.push_async_callback(database.close)
    await database.migrate()
    blobs = Blobs.open(
        settings.blob_url or str(settings.data_dir / "blobs"),
        endpoint_url=settings.blob_endpoint_url,
        region=settings.blob_region,
        access_key_id=settings.blob_access_key_id,
        secret_access_key=settings.blob_secret_access_key,
    )

    upload_limits = DecodeLimits(max_bytes=settings.upload_max_bytes, max_seconds=settings.upload_max_seconds)
    house = open_house(settings, clock)
    engine = house.engine
    enroller = WorkerProcess(
        partial(
            enrolment_service,
            house.cloner,
            upload_limits,
            watermark_keys=watermark_keys(settings),
        ),
        name="enrolment",
        niceness=ENROLMENT_NICENESS,
    )
    stack.push_async_callback(engine.close)
    stack.push_async_callback(enroller.close)
    async with asyncio.TaskGroup() as starting:  # each imports its libraries in its own process
        starting.create_task(engine.start(), name="start synthesis")
        starting.create_task(enroller.start(), name="start enrolment")
        stock = starting.create_task(house.stock(), name="ask for stock voices")

    resolver = VoiceResolver(
        StoredVoices(database, blobs),
        engine,
        stock=stock.result(),
        cache_bytes=settings.voice_cache_bytes,
    )
    for voice in stock.result():
        await engine.warm(voice.conditioning)
    default_voice = stock.result()[0].voice_id
    enrolments = Enrolments(
        database=database, blobs=blobs, worker=enroller, engine=engine, clock=clock, leadership=leadership
    )
    voices = VoiceService(
        database=database,
        blobs=blobs,
        enrolments=enrolments,
        worker=enroller,
        resolver=resolver,
        clock=clock,
        clone_credits=settings.clone_credits,
        require_consent=settings.require_consent,
    )
    voices.start_sweep(leadership)
    stack.push_async_callback(voices.close)
    await enrolments.start()
    stack.push_async_callback(enrolments.close)

    speech = SpeechService(
        resolver=resolver,
        engine=engine,
        clock=clock,
        default_voice=default_voice,
        max_characters=settings.speech_max_characters,
    )
    secrets = Secrets(load_secret(settings.secret_key, settings.data_dir))
    elevenlabs = ElevenLabsKeys(
        database=database, secrets=secrets, clock=clock, base_url=settings.elevenlabs_base_url
    )
    stack.push_async_callback(elevenlabs.close)
    files = SignedFiles(secrets=secrets, blobs=blobs, clock=clock)
    previews = PreviewService(
        database=database,
        blobs=blobs,
        speech=speech,
        elevenlabs=elevenlabs,
        clock=clock,
        credits=settings.preview_credits,
        leadership=leadership,
    )
    await previews.start()
    stack.push_async_callback(previews.close)

    pacer = Pacer(clock)
    stack.callback(pacer.close)
    lag = LoopLag(clock, observe=metrics.loop_lag_seconds.observe)
    lag.start()
    stack.callback(lag.stop)
    recognizer = await open_recognizer(settings, stack)
    transcriber = Transcriber(recognizer, limits=upload_limits)
    stack.push_async_callback(transcriber.close)
    recordings = Recordings(
        database=database,
        blobs=blobs,
        folder=settings.data_dir / "recordings",
        clock=clock,
        leadership=leadership,
        keep_days=settings.keep_recordings_days,
    )
    recordings.start()
    stack.push_async_callback(recordings.close)
    webhooks = WebhookService(
        database=database, secrets=secrets, clock=clock, allow_hosts=settings.fetch_allow_hosts
    )
    sender = WebhookSender(
        database=database,
        secrets=secrets,
        clock=clock,
        leadership=leadership,
        allow_hosts=settings.fetch_allow_hosts,
        retries=settings.webhook_retry_seconds,
    )
    sender.start()
    stack.push_async_callback(sender.close)
    fetcher = AudioFetcher(allow_hosts=settings.fetch_allow_hosts, max_bytes=settings.upload_max_bytes)
    transcriptions = TranscriptionJobs(
        database=database,
        blobs=blobs,
        transcriber=transcriber,
        fetcher=fetcher,
        webhooks=webhooks,
        secrets=secrets,
        clock=clock,
    )
    transcriptions.start()
    stack.push_async_callback(transcriptions.close)
    call_log = CallLog(database)
    calls = await open_calls(
        settings,
        clock,
        stack,
        recognizer=recognizer,
        engine=engine,
        resolver=resolver,
        pacer=pacer,
        lag=lag,
        call_log=call_log,
        recordings=recordings,
    )

    rtc = WebRtcCalls(calls)
    stack.push_async_callback(rtc.close)
    authenticator = Authenticator(database, clock)
    presence = Presence(settings.data_dir / "run")
    stack.callback(presence.leave)

    sandbox = listens_on_loopback(settings.host) if settings.sandbox_keys is None else settings.sandbox_keys
    return Services(
        settings=settings,
        clock=clock,
        database=database,
        blobs=blobs,
        authenticator=authenticator,
        client_secrets=ClientSecrets(authenticator, database, clock),
        accounts=AccountService(database, clock, sandbox_open=sandbox),
        concurrency=ConcurrencyLimit(settings.concurrent_per_key, neighbours),
        limiter=RateLimiter(
            settings.rate_limit_per_minute, SharedBuckets(place.limits) if place else OwnBuckets()
        ),
        once=OnceOnly(database, clock, secrets, presence),
        upload_room=asyncio.Semaphore(UPLOADS_AT_ONCE),
        voices=voices,
        agents=AgentService(
            database=database,
            resolver=resolver,
            clock=clock,
            default_voice=default_voice,
            default_brain="openai" if settings.openai_base_url or settings.openai_api_key else "echo",
            steady=settings.engine == "tone",
        ),
        consents=ConsentService(database=database, blobs=blobs, worker=enroller, clock=clock),
        designs=DesignService(
            database=database, blobs=blobs, worker=enroller, engine=engine, speech=speech, clock=clock
        ),
        previews=previews,
        elevenlabs=elevenlabs,
        imports=VoiceImports(
            database=database, blobs=blobs, resolver=resolver, elevenlabs=elevenlabs, clock=clock
        ),
        fetcher=fetcher,
        speech=speech,
        provenance=ProvenanceService(enroller, database=database, stock=tuple(resolver.stock)),
        resolver=resolver,
        engine=engine,
        pacer=pacer,
        calls=calls,
        call_log=call_log,
        recordings=recordings,
        files=files,
        webhooks=webhooks,
        transcriptions=transcriptions,
        transcriber=transcriber,
        webrtc=rtc,
        secrets=secrets,
        expected_calls=ExpectedCalls(clock, standing=settings.audiosocket_agents),
    )


async def listen_to_neighbours(neighbours: Neighbours, services: Services) -> None:
    """Answer what the other processes of a fleet may ask this one."""
    neighbours.answer(FIGURES, lambda _about: ops.own_page())
    neighbours.answer(RETIRE_VOICE, lambda voice_id: str(services.calls.retire_voice(voice_id)))
    neighbours.answer(GOING_ON, lambda key_id: str(services.concurrency.going_on(key_id)))
    neighbours.answer(HOLDS, lambda key: holds(services, key))
    await neighbours.start()


async def _nothing_here(request: Request, error: Exception) -> Response:
    """No such address, or not with this method: told in the dialect that the address belongs to."""
    assert isinstance(error, HTTPException)
    methods = _methods(request)
    if error.status_code == 404 and methods and request.method not in methods:
        error = HTTPException(405)  # the console's pages answer GET and HEAD everywhere
    refused = dialect_of(request.url.path).render(http_error(error), request)
    if error.status_code == 405:
        refused.headers["allow"] = ", ".join(methods)
    return refused


def _methods(request: Request) -> list[str]:
    """What may be done at an address, by all of its routes: RFC 9110 §10.2.1."""
    dialect = dialect_of(request.url.path)
    scope = dict(request.scope) | {"path": request.url.path.removeprefix(f"/d/{dialect.name}")}
    own = [route for route in request.app.router.routes if isinstance(route, Route)]
    shared = [route for one in DIALECTS for router in one.routers for route in router.routes]
    found = [route for route in own + shared if route.matches(scope)[0] is not Match.NONE]
    return sorted({method for route in found for method in getattr(route, "methods", None) or ()})

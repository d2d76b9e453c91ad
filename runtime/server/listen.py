"""Listens until it is told to stop, and then lets live calls finish before it closes anything."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import socket
from collections.abc import Sized
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from runtime.server.app import create_app
from runtime.server.place import Place
from runtime.server.services import Services
from runtime.settings import Settings
from runtime.transport.direct import DirectProtocol, HandingOver

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 32 * 2**20
"""Largest WebSocket message read: a client may append 15 MiB of audio, 4/3 of that in base64."""

YOUNG_OBJECTS = 150
"""
New objects, less those that are gone, that make the collector look at them.

What is to be sent at that moment waits. With 1,000 calls the 99th percentile of lateness was 31 ms with 2,000
of them, 10 ms with 500, and 4 ms with 150, as without any collector.
"""

YOUNG_ROUNDS = 1
"""Such looks after which it takes once more what outlived them."""

MIDDLE_ROUNDS = 2_000_000
"""And such rounds after which everything is looked at: hundreds of millions of objects later, or never."""

TIDY_SECONDS = 300.0
"""Between two full collections, where few calls are up."""

FEW_CALLS = 150
"""With so many up, one takes some 60 ms: 0.4 ms a telephone call, 1 ms a WebRTC call. The lead hides that."""

TIDY_AT_LAST = 12
"""How often it may be put off because more are up; at 500, it takes 0.2 s, of which nobody hears a gap."""

CLOSING_SECONDS = 5
"""How long answers may still go out once the calls are over."""


class DrainingServer(uvicorn.Server):
    """
    uvicorn, which on its own cuts every WebSocket the moment a signal comes.

    Here a signal first closes the door: ``/ready`` says 503, new calls are refused, live ones may come to
    their end. Only then does uvicorn's own shutdown begin. A second signal ends the wait.
    """

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, *, drain_seconds: float, back_door: Path | None = None
    ) -> None:
        """
        Args:
            back_door: Unix socket for what other processes pass on, see :mod:`runtime.server.detour`.
        """
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._back_door = back_door
        self._tidying: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        keep_memory_still()
        services: Services | None = self._app.state.services
        if services is not None:
            self._tidying = asyncio.create_task(tidy_now_and_then(services.calls), name="tidy memory")
        if self._back_door is not None and self.started:
            self._back_door.unlink(missing_ok=True)  # a process that was killed left it
            self.servers.append(
                await asyncio.get_running_loop().create_unix_server(self._protocol, str(self._back_door))
            )
        if sockets:  # of a socket it was given uvicorn tells the tuple, not the address
            host, port = sockets[0].getsockname()[:2]
            log.info("running on http://%s:%d", host, port)

    def _protocol(self) -> asyncio.Protocol:
        """What uvicorn makes for each connection at the front."""
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
        services: Services | None = self._app.state.services
        if services is not None and not self.force_exit:
            self._app.state.draining = True
            await services.calls.drain(self._drain_seconds)
        await super().shutdown(sockets)


def keep_memory_still() -> None:
    """
    Take everything that exists by now out of the garbage collector's sight, and let it look less often.

    A full collection walks every object there is: 200 ms after the imports of a server, and 150 ms again with
    500 calls up, in the middle of everybody's frames. A call that is over is taken apart, so that reference
    counts free it; full collections are left for what escapes that, when few are on the line
    (:func:`tidy_now_and_then`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, MIDDLE_ROUNDS)


async def tidy_now_and_then(calls: Sized, *, every: float = TIDY_SECONDS) -> None:
    """
    Collect all garbage now and then, preferably when few calls are up whose frames it holds up.

    A WebRTC call leaves some 900 objects behind that hold each other, packets and keys among them. Never
    returns.
    """
    put_off = 0
    while True:
        await asyncio.sleep(every)
        put_off += 1
        if len(calls) <= FEW_CALLS or put_off >= TIDY_AT_LAST:
            gc.collect()
            put_off = 0


def allow_many_sockets() -> None:
    """Raise the bound on open files as far as it goes: the usual 1024 is a thousand calls."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def listen(settings: Settings, *, place: Place | None = None, door: socket.socket | None = None) -> None:
    """
    Serve until SIGINT or SIGTERM; returns after the drain.

    Args:
        place: Which process of a fleet this is; None where there is one.
        door: A socket that listens already, shared with the others.
    """
    allow_many_sockets()
    app = create_app(settings, place=place)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=HandingOver,
        ws=DirectProtocol,
        ws_max_size=MAX_MESSAGE_BYTES,
        # Base64 audio does not compress; trying costs latency.
        ws_per_message_deflate=False,
        access_log=False,
        log_config=None,  # runtime.logs has set up every logger
        log_level=settings.log_level,
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )
    back_door = None if place is None else place.doors[place.number]
    DrainingServer(config, app, drain_seconds=settings.drain_seconds, back_door=back_door).run(
        sockets=None if door is None else [door]
    )

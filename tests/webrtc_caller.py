"""A caller on aiortc: a microphone, an ear, and the events channel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from fractions import Fraction
from typing import Any, Protocol

import av
import httpx
import numpy as np
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from runtime.transport.ice import IcePath
from runtime.transport.webrtc import CallerAudio, replace_jitter_buffer
from runtime.wire.signaling import read_ice, restarted, write_fragment
from tests.lossy_network import LossyRelay

RATE = 48_000
FRAME = 960
PATIENCE = 20.0


class Answer(Protocol):
    """An HTTP response, of whichever client."""

    @property
    def status_code(self) -> int: ...

    @property
    def text(self) -> str: ...

    @property
    def headers(self) -> Any: ...


class Microphone(MediaStreamTrack):
    """20 ms every 20 ms: what is to be said, and silence otherwise."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._speech = np.zeros(0, np.int16)
        self._sent = 0
        self._begun: float | None = None

    def say(self, samples: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        """Mono, 48 kHz."""
        self._speech = np.concatenate((self._speech, samples))

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._begun = loop.time() if self._begun is None else self._begun
        await asyncio.sleep(self._begun + self._sent * FRAME / RATE - loop.time())
        samples, self._speech = self._speech[:FRAME], self._speech[FRAME:]
        frame = av.AudioFrame.from_ndarray(
            np.pad(samples, (0, FRAME - len(samples)))[None, :], format="s16", layout="mono"
        )
        frame.sample_rate = RATE
        frame.pts = self._sent * FRAME
        frame.time_base = Fraction(1, RATE)
        self._sent += 1
        return frame


class WebRtcCaller:
    """
    One call. Made by :func:`webrtc_call`.

    Args:
        conceals: Whether it makes up for lost packets as a browser would, which aiortc itself does not: its
            ear is then the one of :mod:`runtime.transport.webrtc`.
    """

    def __init__(self, *, conceals: bool = False) -> None:
        self.connection = RTCPeerConnection()
        self._conceals = conceals
        self.microphone = Microphone()
        self.connection.addTrack(self.microphone)
        self.channel = self.connection.createDataChannel("oai-events")
        self.events: list[dict[str, Any]] = []
        self.heard: list[np.ndarray[Any, np.dtype[np.int16]]] = []
        self.packets = 0
        """That came in, where it conceals: what is made up for a loss is heard, but was not said."""
        self.location = ""
        self.closed = asyncio.Event()
        self._opened = asyncio.Event()
        self._heard_more = asyncio.Event()
        self._news = asyncio.Condition()
        self._ear: asyncio.Task[None] | None = None
        self.channel.on("message", self._on_message)
        self.channel.on("open", self._opened.set)
        self.channel.on("close", self.closed.set)
        self.connection.on("track", self._on_track)

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        sdp: str = self.connection.localDescription.sdp
        # aiortc's clients cannot restart ICE either.
        self.path = IcePath(
            self.connection.getSenders()[0].transport.transport, controlling=True, on_lost=self.closed.set
        )
        return sdp

    async def restart_ice(self, api: httpx.AsyncClient, *, whole: bool = True) -> Any:
        """Ask for another path, by a whole offer or by a fragment, and look for the server on it."""
        ours = await self.path.prepare()
        offer = restarted(self.connection.localDescription.sdp, ours, version=2)
        answer = await api.patch(
            self.location,
            content=offer if whole else write_fragment(ours, offer),
            headers={"content-type": "application/sdp" if whole else "application/trickle-ice-sdpfrag"},
        )
        assert answer.status_code == 200, answer.text
        self.path.seek(read_ice(answer.text))
        await asyncio.wait_for(self.path.sought(), PATIENCE)
        return answer

    async def take(self, answer: Answer, *, relay: LossyRelay | None = None) -> None:
        assert answer.status_code == 201, answer.text
        self.location = answer.headers["location"]
        sdp = answer.text if relay is None else relay.reroute(answer.text)
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def ready(self) -> None:
        """Wait until the channel is open."""
        await asyncio.wait_for(self._opened.wait(), PATIENCE)

    def send(self, event_type: str, **members: Any) -> None:
        self.channel.send(json.dumps({"type": event_type, **members}))

    async def hear(self, event_type: str, *, after: int = 0) -> dict[str, Any]:
        """The first event of this type from number ``after`` on, awaited."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.events[after:] if event["type"] == event_type), None)

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(found), PATIENCE)
            except TimeoutError:
                seen = [event["type"] for event in self.events[after:]]
                raise AssertionError(f"no {event_type} in {PATIENCE} s; came: {seen}") from None
        event = found()
        assert event is not None
        return event

    @property
    def audio(self) -> np.ndarray[Any, np.dtype[np.int16]]:
        """All that was heard so far, mono at 48 kHz."""
        return np.concatenate(self.heard) if self.heard else np.zeros(0, np.int16)

    async def listened(self) -> None:
        """Wait for the next 20 ms."""
        self._heard_more.clear()
        await asyncio.wait_for(self._heard_more.wait(), PATIENCE)

    async def close(self) -> None:
        await self.path.close()
        await self.connection.close()
        if self._ear is not None:
            with suppress(asyncio.CancelledError):
                await self._ear

    async def _on_message(self, message: str) -> None:
        async with self._news:
            self.events.append(json.loads(message))
            self._news.notify_all()

    def _on_track(self, track: MediaStreamTrack) -> None:
        if self._conceals:
            replace_jitter_buffer(self.connection.getReceivers()[0], CallerAudio(self._keep, self._count))
        self._ear = asyncio.create_task(self._listen(track), name="ear")

    async def _listen(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self._keep(frame.to_ndarray()[0, ::2].astype(np.int16))

    def _count(self) -> None:
        self.packets += 1

    def _keep(self, samples: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        self.heard.append(samples)
        self._heard_more.set()


@asynccontextmanager
async def webrtc_call(
    api: httpx.AsyncClient, *, relay: LossyRelay | None = None, conceals: bool = False, **query: str
) -> AsyncIterator[WebRtcCaller]:
    """Call ``/v1/realtime/calls`` with the offer as it is, and wait for ``session.created``."""
    caller = WebRtcCaller(conceals=conceals)
    try:
        offer = await caller.offer()
        answer = await api.post(
            "/v1/realtime/calls",
            params=query,
            # Behind a relay the server must not learn the way around it.
            content=offer if relay is None else _without_candidates(offer),
            headers={"content-type": "application/sdp"},
        )
        await caller.take(answer, relay=relay)
        await caller.hear("session.created")
        yield caller
    finally:
        await caller.close()


def _without_candidates(sdp: str) -> str:
    return "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith("a=candidate:"))

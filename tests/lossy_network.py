"""A bad network: a UDP relay that loses packets and delays each one differently."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

_CANDIDATE = re.compile(
    r"^(a=candidate:\S+ \d+ udp \d+) (\d+\.\d+\.\d+\.\d+) (\d+) (typ host.*)$", re.IGNORECASE | re.MULTILINE
)

UNHARMED = 600
"""Bytes from which a packet is let through: handshakes and text are not what is tested."""


class LossyRelay(asyncio.DatagramProtocol):
    """
    Stands between a WebRTC client and a server, on a port of its own.

    Args:
        loss: Share of packets that never arrive, each way.
        jitter: Seconds; each packet is late by anything up to that, and so overtakes others.
        seed: Equal seeds, equal luck.
    """

    def __init__(self, *, loss: float, jitter: float, seed: int = 0) -> None:
        self.dropped = 0
        self.passed = 0
        self.harming = False
        self.cut = False
        """Whether nothing at all gets through."""
        self._loss = loss
        self._jitter = jitter
        self._luck = random.Random(seed)
        self._server: tuple[str, int] | None = None
        # Whence the client's media and handshakes come: of its many sockets, the one it has chosen.
        self._client: tuple[str, int] | None = None
        # Which of them asked, by STUN transaction.
        self._askers: dict[bytes, tuple[str, int]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def reroute(self, answer: str) -> str:
        """The server's SDP answer with its first IPv4 address replaced by the relay's, and no other."""
        found = _CANDIDATE.search(answer)
        assert found is not None, answer
        self._server = (found[2], int(found[3]))
        assert self._transport is not None
        port = self._transport.get_extra_info("sockname")[1]
        lines = [line for line in answer.splitlines() if not line.startswith("a=candidate:")]
        here = f"{found[1]} {found[2]} {port} {found[4]}"
        rerouted = [
            text for line in lines for text in ([here, line] if line == "a=end-of-candidates" else [line])
        ]
        return "\r\n".join(rerouted) + "\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        assert self._transport is not None
        if self.cut:
            return
        to = self._to_client(data) if sender == self._server else self._to_server(data, sender)
        # RTP has 2 in its first two bits (RFC 7983 §7); the rest is ICE and DTLS.
        if not (self.harming and 128 <= data[0] <= 191 and len(data) < UNHARMED):
            self._transport.sendto(data, to)
        elif self._luck.random() < self._loss:
            self.dropped += 1
        else:
            self.passed += 1
            loop = asyncio.get_running_loop()
            loop.call_later(self._luck.uniform(0, self._jitter), self._send, data, to)

    def _to_server(self, data: bytes, sender: tuple[str, int]) -> tuple[str, int] | None:
        if is_stun(data):
            self._askers[data[8:20]] = sender
        if self._client is None or not is_stun(data):
            self._client = sender
        return self._server

    def _to_client(self, data: bytes) -> tuple[str, int] | None:
        """An answer goes to who asked, and all else to who takes part in the call."""
        return self._askers.pop(data[8:20], self._client) if is_stun(data) else self._client

    def _send(self, data: bytes, to: tuple[str, int] | None) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, to)


def is_stun(data: bytes) -> bool:
    """By the first byte (RFC 7983 §7)."""
    return data[0] <= 3


@asynccontextmanager
async def lossy_relay(*, loss: float, jitter: float, seed: int = 0) -> AsyncIterator[LossyRelay]:
    relay = LossyRelay(loss=loss, jitter=jitter, seed=seed)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: relay, local_addr=("0.0.0.0", 0))
    try:
        yield relay
    finally:
        transport.close()

"""
The network path beneath one peer's connection, which may be changed for another while the call is up.

aiortc makes one ICE connection for the life of a peer connection. What stands above it (DTLS, SRTP, SCTP)
only receives from it and sends to it, so a second one can take its place: an ICE restart (RFC 8445 §9). The
keys, the streams and the data channel go on where they were.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import aioice
from aioice.stun import TransactionError
from aiortc import RTCIceGatherer, RTCIceServer, RTCIceTransport

from runtime.wire.signaling import IceDescription

log = logging.getLogger(__name__)

RESTART_SECONDS: Final = 30.0
"""Within which a restart must have found its new path."""


class IcePath:
    """
    What a peer's packets travel on.

    Args:
        transport: aiortc's, not yet started. Private members of it are replaced; its version is pinned.
        servers: STUN and TURN, for the paths to come.
        controlling: Whether we nominate the pair: True for the side that made the first offer.
        on_lost: Called when the path has gone and no other is being sought.
    """

    def __init__(
        self,
        transport: RTCIceTransport,
        *,
        servers: Sequence[RTCIceServer] = (),
        controlling: bool = False,
        on_lost: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._servers = list(servers)
        self._controlling = controlling
        self._on_lost = on_lost
        self._path: aioice.Connection = transport._connection
        self._next: aioice.Connection | None = None
        self._seeking: asyncio.Task[None] | None = None
        replaced = {"_recv": self._receive, "_send": self._forward, "_monitor": self._watch}
        for name, ours in replaced.items():
            assert hasattr(transport, name), "this version of aiortc carries its packets otherwise"
            setattr(transport, name, ours)

    @property
    def remote_username(self) -> str | None:
        """The peer's ``ice-ufrag`` that counts now: of the path being sought, if there is one."""
        return (self._next or self._path).remote_username

    async def prepare(self) -> IceDescription:
        """Begin a restart: our side of a fresh path, its candidates all gathered. Drops one begun before."""
        await self._give_up()
        gatherer = RTCIceGatherer(self._servers)
        await gatherer.gather()
        self._next = gatherer._connection
        self._next.ice_controlling = self._controlling
        return IceDescription(
            username=self._next.local_username,
            password=self._next.local_password,
            candidates=tuple(candidate.to_sdp() for candidate in self._next.local_candidates),
            complete=True,
        )

    def seek(self, peer: IceDescription) -> None:
        """Look for the peer on the path that was prepared; change to it when it is found."""
        assert self._next is not None
        self._seeking = asyncio.create_task(self._seek(self._next, peer), name="ICE restart")

    async def sought(self) -> None:
        """Wait until the restart under way has succeeded or failed."""
        if self._seeking is not None:
            await asyncio.wait([self._seeking])

    async def add_candidates(self, candidates: Sequence[str]) -> None:
        """The peer has found more addresses of its own (trickle). Those that make no sense are ignored."""
        await _add(self._next or self._path, candidates, complete=False)

    async def answers(self) -> bool:
        """Ask the peer whether it still hears us; RFC 7675's consent check, once, half a second long."""
        path = self._path
        for pair in list(path._nominated.values()):
            try:
                await pair.protocol.request(
                    path.build_request(pair, nominate=False),
                    pair.remote_addr,
                    integrity_key=(path.remote_password or "").encode(),
                    retransmissions=0,
                )
            except (TransactionError, OSError):
                continue
            return True
        return False

    async def close(self) -> None:
        """Seek no more. The path in use belongs to its transport. Harmless twice."""
        await self._give_up()

    async def _receive(self) -> bytes:
        while True:
            path = self._path
            try:
                return await path.recv()
            except ConnectionError:
                if not await self._changed_from(path):
                    raise

    async def _forward(self, data: bytes) -> None:
        try:
            await self._path.send(data)
        except ConnectionError:
            # Lost like any packet while another path is sought: what must arrive is sent again from above.
            if self._seeking is None:
                raise

    async def _watch(self) -> None:
        while True:
            path = self._path
            await path.get_event()
            if not await self._changed_from(path):
                self._on_lost()
                return

    async def _changed_from(self, path: aioice.Connection) -> bool:
        """Whether another path has taken the place of this one, which is closed; waits if one is sought."""
        if path is self._path and self._seeking is not None:
            await asyncio.wait([self._seeking])
        return path is not self._path

    async def _seek(self, path: aioice.Connection, peer: IceDescription) -> None:
        path.remote_username, path.remote_password = peer.username, peer.password
        try:
            async with asyncio.timeout(RESTART_SECONDS):
                async with asyncio.TaskGroup() as group:
                    # A candidate by a multicast name takes a while to resolve; the others need not wait.
                    group.create_task(
                        _add(path, peer.candidates, complete=peer.complete), name="ICE candidates"
                    )
                    await path.connect()
        except (ExceptionGroup, ConnectionError, TimeoutError) as error:
            log.info("an ICE restart found no path: %s", error)
            await path.close()
        else:
            before, self._path = self._path, path
            self._transport._connection = path
            await before.close()
        finally:
            if self._next is path:
                self._next = self._seeking = None

    async def _give_up(self) -> None:
        seeking, self._seeking = self._seeking, None
        path, self._next = self._next, None
        if seeking is not None:
            seeking.cancel()
            await asyncio.wait([seeking])
        if path is not None and path is not self._path:
            await path.close()


async def _add(path: aioice.Connection, candidates: Sequence[str], *, complete: bool) -> None:
    for text in candidates:
        try:
            await path.add_remote_candidate(aioice.Candidate.from_sdp(text))
        except (ValueError, LookupError) as error:
            log.info("a candidate is passed over: %s", error)
    # Told that there is nobody to look for, it would not wait to be found either.
    if complete and candidates:
        await path.add_remote_candidate(None)

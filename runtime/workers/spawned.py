"""A child process as its parent holds it: the process, and our end of the socket to it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable

from runtime.errors import WorkerDied
from runtime.workers.messages import Boot, Failure, Success, Unpacker, pack

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What OpenMP, OpenBLAS, MKL and Accelerate read when they are loaded."""

FAREWELL = 1.0
"""Seconds a child has to end by itself once its socket is closed."""


class SpawnedChild(asyncio.Protocol):
    """
    One child, from its start to its end.

    It is a fresh interpreter rather than a fork: nothing of the server's threads, sockets or memory is in
    it. Reading and writing are the event loop's own, so that a call costs no thread.
    """

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.name = name
        self.answered: Callable[[Success | Failure], None] | None = None
        """Called with every answer after the first."""
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the service is made; has what its maker raised."""
        self.gone: asyncio.Future[None] = loop.create_future()
        """Done when the socket is closed, by either side."""
        self._transport: asyncio.Transport | None = None
        self._unpacker = Unpacker()

    @classmethod
    async def spawn(cls, boot: Boot, *, threads: int) -> SpawnedChild:
        """
        Start a child and wait until its service is made.

        Raises:
            WorkerDied: It ended first.
            Exception: What ``boot.service`` raised.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns as soon as the child has its program
                [sys.executable, "-c", _program(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=os.environ | dict.fromkeys(THREAD_LIMITS, str(threads)),
            )
        child = cls(process, boot.name)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: child, sock=ours)
            child.send(pack(boot))
            await child.ready
        except asyncio.CancelledError:
            process.kill()
            await child.end()
            raise
        except WorkerDied as died:
            raise WorkerDied(f"{died.message} with status {await child.end()}") from None
        except BaseException:
            await child.end()
            raise
        return child

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio.Transport, so this cannot be an isinstance check.
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        for message in self._unpacker.feed(data):
            if self.ready.done():
                assert self.answered is not None
                self.answered(message)
            elif isinstance(message, Failure):
                self.ready.set_exception(message.error())
            else:
                self.ready.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if not self.ready.done():
            self.ready.set_exception(WorkerDied(f"worker {self.name} ended before it was ready"))
        if not self.gone.done():
            self.gone.set_result(None)

    def send(self, message: bytes) -> None:
        """Write one packed message; dropped if the child is gone."""
        if self._transport is not None:
            self._transport.write(message)

    async def end(self) -> int:
        """Hang up, wait, kill it if it lingers; its exit status, negative for a signal."""
        if self._transport is not None:
            self._transport.close()
        return await asyncio.to_thread(self._reap)

    def _reap(self) -> int:
        try:
            return self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _program(fd: int) -> str:
    """The child finds modules where the parent does, whatever the parent's main module is."""
    return f"import sys; sys.path[:] = {sys.path!r}; from runtime.workers.child import main; main({fd})"

"""One supervised child process that holds a service and answers calls, in order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.errors import WorkerDied
from runtime.workers.messages import Boot, Failure, Success, pack
from runtime.workers.spawned import SpawnedChild

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds from a child's second death in a row to its successor, doubling up to the longest."""


@dataclass(slots=True)
class _Call:
    method: str
    message: bytes
    timeout: float | None
    answer: asyncio.Future[Any]
    expired: bool = False


class WorkerProcess:
    """
    A service object living in a child process of its own.

    The child is started by :meth:`start` and kept alive until :meth:`close`: when it dies, the call it was
    serving raises :class:`~runtime.errors.WorkerDied`, the calls behind it wait, and a new child takes its
    place, with a growing pause if it keeps dying. State inside the service is lost then;
    :attr:`generation` tells.

    Start it from a thread that lives as long as the server, normally the main one: on Linux a child ends
    with the thread that started it.

    Args:
        service: Makes the service, in the child. Picklable by reference: a class or function of an
            importable module, or a ``functools.partial`` of one.
        name: For logs and process lists.
        niceness: Added to the child's scheduling niceness, 0 to 19.
        threads: Bound on the threads of OpenMP, OpenBLAS and MKL in the child.
    """

    def __init__(
        self, service: Callable[[], object], *, name: str, niceness: int = 0, threads: int = 1
    ) -> None:
        self.name = name
        self._boot = Boot(service, name, niceness)
        self._threads = threads
        self._child: SpawnedChild | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._waiting: deque[_Call] = deque()
        self._serving: _Call | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deaths_in_a_row = 0
        self._unavailable: str | None = "was not started"
        """Why calls are refused; None while there is a child, or there soon will be."""
        self._settled = asyncio.Event()
        """Set while a child is up, or known not to come up."""
        self._generation = 0

    @property
    def alive(self) -> bool:
        """Whether a child is up and its service made."""
        return self._child is not None

    @property
    def pid(self) -> int | None:
        """Of the present child."""
        return self._child.process.pid if self._child is not None else None

    @property
    def generation(self) -> int:
        """How many children there have been; changes when the service's state was lost."""
        return self._generation

    @property
    def pending(self) -> int:
        """Calls being served or waiting."""
        return len(self._waiting) + (self._serving is not None)

    async def start(self) -> None:
        """
        Start the child and wait until its service is made.

        Raises:
            WorkerDied: The child ended first.
            Exception: What the service's maker raised.
        """
        if self._supervisor is not None:
            raise RuntimeError(f"worker {self.name} was started before")
        child = await self._launch()
        self._supervisor = asyncio.create_task(self._supervise(child), name=f"supervise {self.name}")

    async def call(self, method: str, *args: object, timeout: float | None = None) -> Any:
        """
        Call ``service.method(*args)`` in the child. Calls are served one at a time, in order.

        Cancelling the awaiting task discards the answer; the child still finishes the call.

        Args:
            timeout: Seconds the call may run once its turn has come; then the child is killed and replaced.

        Raises:
            WorkerDied: The child ended or was killed while serving this call, or cannot be started.
            Exception: What the method raised, with its type; the child's traceback is a note on it.
        """
        if self._unavailable is not None:
            raise WorkerDied(f"worker {self.name} {self._unavailable}")
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(method, pack((method, args)), timeout, answer))
        self._serve_next()
        return await answer

    async def available(self) -> None:
        """
        Wait until a child is up.

        Raises:
            WorkerDied: None can be started at present, or the worker was closed.
        """
        await self._settled.wait()
        if self._unavailable is not None:
            raise WorkerDied(f"worker {self.name} {self._unavailable}")

    async def restart(self) -> None:
        """Kill the child and wait for its successor, as :meth:`available`. A call being served dies too."""
        if self._child is not None:
            self._settled.clear()
            self._child.process.kill()
        await self.available()

    async def close(self) -> None:
        """Let the child end; kill it if it does not within a second. Waiting calls raise WorkerDied."""
        self._unavailable = "was closed"
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        child, self._child = self._child, None
        self._fail_serving(WorkerDied(f"worker {self.name} was closed"))
        self._fail_waiting()
        self._settled.set()
        if child is not None:
            await child.end()

    async def _launch(self) -> SpawnedChild:
        child = await SpawnedChild.spawn(self._boot, threads=self._threads)
        child.answered = self._answered
        self._child = child
        self._generation += 1
        self._unavailable = None
        self._settled.set()
        self._serve_next()
        return child

    async def _supervise(self, child: SpawnedChild) -> None:
        """Whenever a child is gone, say how it ended and bring up its successor."""
        from runtime import metrics  # here: children import this package too, and start faster without

        while True:
            await asyncio.shield(child.gone)
            self._child = None
            self._settled.clear()
            status = await child.end()
            died = self._obituary(status)
            log.warning(died.message)
            metrics.worker_deaths.labels(self.name).inc()
            self._fail_serving(died)
            child = await self._succeed()

    async def _succeed(self) -> SpawnedChild:
        while True:
            if self._deaths_in_a_row:
                await asyncio.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._deaths_in_a_row - 1)))
            self._deaths_in_a_row += 1
            try:
                return await self._launch()
            except Exception as error:
                self._unavailable = f"does not start: {error}"
                log.error("worker %s %s", self.name, self._unavailable)
                self._fail_waiting()
                self._settled.set()

    def _answered(self, message: Success | Failure) -> None:
        self._deaths_in_a_row = 0
        call, self._serving = self._serving, None
        self._stop_timer()
        if call is not None and not call.answer.done():
            if isinstance(message, Success):
                call.answer.set_result(message.value)
            else:
                call.answer.set_exception(message.error())
        self._serve_next()

    def _serve_next(self) -> None:
        if self._serving is not None or self._child is None:
            return
        while self._waiting:
            call = self._waiting.popleft()
            if call.answer.done():
                continue  # whoever asked has gone
            self._serving = call
            if call.timeout is not None:
                self._timer = asyncio.get_running_loop().call_later(call.timeout, self._expire, call)
            self._child.send(call.message)
            return

    def _expire(self, call: _Call) -> None:
        self._timer = None
        call.expired = True
        if self._child is not None:
            self._child.process.kill()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _obituary(self, status: int) -> WorkerDied:
        call = self._serving
        if call is not None and call.expired:
            return WorkerDied(f"worker {self.name} gave no answer to {call.method} in {call.timeout:g} s")
        doing = f" in {call.method}" if call is not None else ""
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return WorkerDied(f"worker {self.name} {how}{doing}")

    def _fail_serving(self, error: WorkerDied) -> None:
        self._stop_timer()
        call, self._serving = self._serving, None
        if call is not None and not call.answer.done():
            call.answer.set_exception(error)

    def _fail_waiting(self) -> None:
        while self._waiting:
            call = self._waiting.popleft()
            if not call.answer.done():
                call.answer.set_exception(WorkerDied(f"worker {self.name} {self._unavailable}"))

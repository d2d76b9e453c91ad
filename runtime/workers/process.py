"""One supervised child process that holds a service and answers calls, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class WorkerProcess:
    """
    A service object living in a child process of its own.

    The child is started by :meth:`start` and kept alive until :meth:`close`: when it dies, the call it was
    serving raises :class:`~runtime.errors.WorkerDied` and a new child takes its place, with a growing pause
    if it keeps dying. State inside the service is lost then; :attr:`generation` tells.

    Args:
        service: Makes the service, in the child. Picklable: a module-level class or function, or a
            ``functools.partial`` of one.
        name: For logs and process lists.
        niceness: Added to the child's scheduling niceness, 0 to 19.
        threads: Bound on the threads of OpenMP, OpenBLAS and MKL in the child.
    """

    def __init__(
        self, service: Callable[[], object], *, name: str, niceness: int = 0, threads: int = 1
    ) -> None: ...

    @property
    def alive(self) -> bool:
        """Whether a child is up and its service made."""
        raise NotImplementedError

    @property
    def pid(self) -> int | None: ...

    @property
    def generation(self) -> int:
        """How many children there have been; changes when the service's state was lost."""
        raise NotImplementedError

    @property
    def pending(self) -> int:
        """Calls sent or waiting."""
        raise NotImplementedError

    async def start(self) -> None:
        """
        Start the child and wait until its service is made.

        Raises:
            WorkerDied: The child ended first.
            Exception: What the service's maker raised.
        """

    async def call(self, method: str, *args: object, timeout: float | None = None) -> Any:
        """
        Call ``service.method(*args)`` in the child. Calls are served one at a time, in order.

        Args:
            timeout: Seconds the call may run once its turn has come; then the child is killed and replaced.

        Raises:
            WorkerDied: The child ended or was killed while serving this call, or cannot be started.
            Exception: What the method raised, with its type; the child's traceback is a note on it.
        """

    async def restart(self) -> None:
        """Kill the child and start another; the call it was serving raises WorkerDied."""

    async def close(self) -> None:
        """Let the child end; kill it if it does not within a second. Waiting calls raise WorkerDied."""

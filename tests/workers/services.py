"""Small services for the tests to run in children."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.errors import EngineUnavailable, GateRejected, RateLimited, VoiceNotReady


class Desk:
    """Does a bit of everything a real service does, well and badly."""

    def __init__(self) -> None:
        self.calls = 0

    def echo(self, value: object) -> object:
        return value

    def count(self) -> int:
        self.calls += 1
        return self.calls

    def samples(self, n: int) -> NDArray[np.int16]:
        return np.arange(n, dtype=np.int16)

    def pid(self) -> int:
        return os.getpid()

    def niceness(self) -> int:
        return os.nice(0)

    def threads(self) -> str:
        return os.environ["OMP_NUM_THREADS"]

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def exit(self, status: int) -> None:
        os._exit(status)

    def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def interrupt(self) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        return "still here"

    def reject(self) -> None:
        raise GateRejected("too short", report={"speech_seconds": 1.5})

    def limit(self) -> None:
        raise RateLimited("slow down", retry_after=2.5)

    def unready(self) -> None:
        raise VoiceNotReady("still pending", param="voice", fix="wait")

    def divide(self, a: int, b: int) -> float:
        return a / b

    def local_error(self) -> None:
        class Strange(Exception):
            pass

        raise Strange("nobody else knows me")

    def unpicklable(self) -> object:
        return threading.Lock()


def broken() -> object:
    """A maker that cannot make."""
    raise EngineUnavailable("no base voice", fix="install one")


def stillborn() -> object:
    """A maker that dies."""
    os._exit(7)


def once(marker: Path) -> object:
    """A maker that works the first time and never again."""
    if marker.exists():
        raise EngineUnavailable("the model file is gone")
    marker.touch()
    return Desk()

"""How calls and answers cross a socket pair: length-prefixed pickles, and errors that keep their type."""

from __future__ import annotations

import pickle
import struct
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Boot:
    """The first message a child is sent."""

    service: Callable[[], object]
    name: str
    niceness: int


@dataclass(frozen=True, slots=True)
class Failure:
    """
    An exception taken apart, so that it can be put together on the other side.

    Pickle would call the class with ``args`` alone, which fails for the many errors of ours that have
    keyword-only arguments.
    """

    kind: type[Exception]
    args: tuple[Any, ...]
    state: dict[str, Any]
    trace: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Take ``error`` apart; what cannot be pickled is told in words as a RuntimeError."""
        trace = "".join(traceback.format_exception(error))
        failure = cls(type(error), error.args, dict(error.__dict__), trace)
        try:
            pickle.loads(pickle.dumps(failure))
        except Exception:
            return cls(RuntimeError, (f"{type(error).__name__}: {error}",), {}, trace)
        return failure

    def error(self) -> Exception:
        """The same exception again, with the child's traceback as a note."""
        error = self.kind.__new__(self.kind, *self.args)
        error.args = self.args
        error.__dict__.update(self.state)
        error.add_note(f"in the worker:\n{self.trace}")
        return error


@dataclass(frozen=True, slots=True)
class Success:
    value: Any


def pack(message: object) -> bytes:
    """One message, ready to be written."""
    body = pickle.dumps(message, protocol=5)
    return LENGTH.pack(len(body)) + body


class Unpacker:
    """Cut a byte stream back into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Every message that ``data`` completes, in order."""
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                return
            with memoryview(self._buffer) as view:
                message = pickle.loads(view[LENGTH.size : end])
            del self._buffer[:end]
            yield message

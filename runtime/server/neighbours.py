"""What the processes of a fleet ask each other, over Unix sockets of one machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""A process that does not answer within this is left out."""

Reply = Callable[[str], str]


class Neighbours:
    """
    The other processes.

    A question is a word and what it is about, on one line; the answer is everything until the end.

    Args:
        sockets: Where each process answers, by number; none where there is one process.
        number: Which of them this is.
    """

    def __init__(self, sockets: Mapping[int, Path] | None = None, *, number: int = 0) -> None:
        self._sockets = sockets or {}
        self._number = number
        self._replies: dict[str, Reply] = {}
        self._server: asyncio.Server | None = None

    @property
    def number(self) -> int:
        return self._number

    @property
    def alone(self) -> bool:
        """Whether there is nobody to ask."""
        return not self._sockets

    def answer(self, question: str, reply: Reply) -> None:
        """Answer this question from now on; ``reply`` is given what it is about."""
        self._replies[question] = reply

    async def start(self) -> None:
        """Listen to the others. What is not answered yet is answered with nothing."""
        if self.alone:
            return
        path = self._sockets[self._number]
        path.unlink(missing_ok=True)  # a process that was killed left it
        self._server = await asyncio.start_unix_server(self._serve, path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._sockets[self._number].unlink(missing_ok=True)

    async def ask(self, question: str, about: str = "") -> dict[int, str]:
        """What the others say, by number; whoever is down or slow is left out."""
        others = [number for number in self._sockets if number != self._number]
        told = await asyncio.gather(*(self._ask(number, question, about) for number in others))
        return {number: answer for number, answer in zip(others, told, strict=True) if answer is not None}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await reader.readline()).decode().rstrip("\n")
            question, _, about = line.partition(" ")
            if (reply := self._replies.get(question)) is not None:
                writer.write(reply(about).encode())
        finally:
            writer.close()

    async def _ask(self, number: int, question: str, about: str) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._sockets[number])
                try:
                    writer.write(f"{question} {about}\n".encode())
                    return (await reader.read(-1)).decode()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            log.warning("process %d did not answer %r", number, question)
            return None

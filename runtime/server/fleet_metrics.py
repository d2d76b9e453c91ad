"""One page of figures for all processes of a fleet: whichever is scraped asks the others."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""A process that does not answer within this is left out of the page."""

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (.+)$")


class MetricsExchange:
    """
    A process's own page, told to the others over a Unix socket, and theirs asked for.

    Args:
        own: This process's page, in Prometheus' text format.
        sockets: Where each process tells its page, by number.
        number: Which of them this is.
    """

    def __init__(self, own: Callable[[], str], *, sockets: Mapping[int, Path], number: int) -> None:
        self._own = own
        self._sockets = sockets
        self._number = number
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Answer the others from now on."""
        path = self._sockets[self._number]
        path.unlink(missing_ok=True)  # a process that was killed left it
        self._server = await asyncio.start_unix_server(self._answer, path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._sockets[self._number].unlink(missing_ok=True)

    async def page(self) -> str:
        """The figures of every process that answers, each sample labelled with its process."""
        others = [number for number in self._sockets if number != self._number]
        pages = await asyncio.gather(*(self._ask(number) for number in others))
        told = {str(self._number): self._own()}
        told |= {str(number): page for number, page in zip(others, pages, strict=True) if page is not None}
        return merge(dict(sorted(told.items())))

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._own().encode())
        writer.close()

    async def _ask(self, number: int) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._sockets[number])
                try:
                    return (await reader.read(-1)).decode()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            log.warning("process %d did not tell its figures", number)
            return None


def merge(pages: Mapping[str, str]) -> str:
    """
    Join pages; each sample gets the label ``worker``.

    Samples of a family stay together under one HELP and TYPE, as the text format asks.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, page in pages.items():
        family = ""
        for line in page.splitlines():
            if line.startswith("# "):
                _, kind, family, *_ = line.split(" ", 3)
                head = heads.setdefault(family, [])
                if not any(known.startswith(f"# {kind} ") for known in head):
                    head.append(line)
            elif found := _SAMPLE.match(line):
                name, labels, value = found.groups()
                labelled = f'{labels},worker="{worker}"' if labels else f'worker="{worker}"'
                samples.setdefault(family, []).append(f"{name}{{{labelled}}} {value}")
    lines = [line for family in heads for line in (*heads[family], *samples.get(family, ()))]
    return "\n".join(lines) + "\n"

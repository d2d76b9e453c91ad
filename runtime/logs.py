"""How the process tells what it does: one line an event, for people or for machines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

LogFormat = Literal["text", "json"]

NOISY = ("alembic", "aiosqlite", "aioice", "aiortc", "httpx", "httpcore", "uvicorn.access")
"""Libraries that tell at INFO what we would tell at DEBUG."""


def configure(level: str, log_format: LogFormat = "text", *, stream: TextIO = sys.stderr) -> None:
    """Send every logger of the process to ``stream``. Calling it again replaces the handler."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


class CallLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that carries its call's id, so that one call can be followed among many."""

    def __init__(self, logger: logging.Logger, call_id: str) -> None:
        super().__init__(logger, {"call": call_id})

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


class TextLines(logging.Formatter):
    """``21:04:05.123 INFO  sessions.session [sess_1] message``, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        call = f" [{record.call}]" if hasattr(record, "call") else ""
        line = f"{when} {record.levelname:<7} {record.name}{call} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonLines(logging.Formatter):
    """One JSON object a line: ``ts`` (ISO 8601, UTC), ``level``, ``logger``, ``message``, ``call`` if any."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if hasattr(record, "call"):
            line["call"] = record.call
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)

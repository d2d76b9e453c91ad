"""What the process tells can be followed, by people and by machines."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from runtime.logs import CallLogger, LogFormat, configure


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:], root.level = handlers, level


def told(log_format: LogFormat) -> str:
    stream = io.StringIO()
    configure("info", log_format, stream=stream)
    CallLogger(logging.getLogger("sessions.session"), "sess_1").info("turn %d", 2)
    return stream.getvalue()


def test_a_line_names_its_call(root: logging.Logger) -> None:
    assert told("text").rstrip().endswith("INFO    sessions.session [sess_1] turn 2")


def test_json_lines_are_json(root: logging.Logger) -> None:
    line = json.loads(told("json"))
    assert (line["level"], line["call"], line["message"]) == ("info", "sess_1", "turn 2")


def test_an_exception_stays_on_its_json_line(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("info", "json", stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("it broke")
    assert "ValueError: broken" in json.loads(stream.getvalue())["exception"]


def test_noisy_libraries_are_quiet_at_info(root: logging.Logger) -> None:
    stream = io.StringIO()
    configure("info", stream=stream)
    logging.getLogger("alembic.runtime.migration").info("context impl")
    assert stream.getvalue() == ""

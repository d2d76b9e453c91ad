"""Messages survive any cutting, errors keep their type."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import Forbidden, GateRejected, RateLimited, TransportClosed
from runtime.workers.messages import Failure, Unpacker, pack

messages = st.lists(
    st.one_of(st.binary(max_size=300), st.integers(), st.text(max_size=20), st.tuples(st.text(max_size=5))),
    max_size=8,
)


@given(messages, st.lists(st.integers(1, 200), max_size=40))
def test_any_cutting_of_the_stream_gives_the_same_messages(sent: list[object], cuts: list[int]) -> None:
    stream = b"".join(map(pack, sent))
    unpacker = Unpacker()
    received: list[object] = []
    for size in [*cuts, len(stream)]:
        received += unpacker.feed(stream[:size])
        stream = stream[size:]
    assert received == sent


def test_errors_with_keyword_only_arguments_cross() -> None:
    for error in (
        Forbidden("no", required_scope="voice:clone"),
        GateRejected("no", report={"a": 1}),
        RateLimited("no", retry_after=3.0),
        TransportClosed("gone", close_code=1001),
    ):
        crossed = Failure.of(error).error()
        assert type(crossed) is type(error)
        assert str(crossed) == str(error)
        notes = crossed.__dict__.pop("__notes__")
        assert crossed.__dict__ == error.__dict__
        assert "in the worker" in notes[0]


def test_os_errors_keep_their_number() -> None:
    try:
        Path("/nonexistent/file").read_bytes()
    except OSError as error:
        crossed = Failure.of(error).error()
    assert isinstance(crossed, FileNotFoundError)
    assert crossed.errno == 2

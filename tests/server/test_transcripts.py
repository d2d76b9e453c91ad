from __future__ import annotations

import re
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from runtime.server.transcripts import events, full_text, short_json, subrip, verbose_json, web_vtt
from sessions.recognizer import HeardWord, Transcript
from sessions.transcriber import Segment

HELLO = Segment(
    0.5,
    1.25,
    Transcript("hello there", (HeardWord("hello", 0.5, 0.8, 0.9), HeardWord("there", 0.8, 1.25, 0.4)), 1.0),
)
LATE = Segment(3661.0, 3662.0009, Transcript("late", (), 1.0))


def test_text_is_the_segments_in_a_row() -> None:
    assert full_text([HELLO, LATE]) == "hello there late"
    assert short_json([], 2.1) == {"text": "", "usage": {"type": "duration", "seconds": 3}}


def test_subtitles() -> None:
    assert subrip([HELLO, LATE]) == (
        "1\n00:00:00,500 --> 00:00:01,250\nhello there\n\n2\n01:01:01,000 --> 01:01:02,001\nlate\n"
    )
    assert web_vtt([HELLO]) == "WEBVTT\n\n00:00:00.500 --> 00:00:01.250\nhello there\n"
    assert web_vtt([]) == "WEBVTT\n"


def test_verbose_json_holds_what_was_asked_for() -> None:
    both = verbose_json([HELLO, LATE], 4000.0, language="en-GB", words=True, parts=True)
    neither = verbose_json([HELLO], 2.0, language="xx", words=False, parts=False)
    assert [word["word"] for word in both["words"]] == ["hello", "there"]
    assert [segment["id"] for segment in both["segments"]] == [0, 1]
    assert both["segments"][0]["avg_logprob"] < 0
    assert both["language"] == "english"
    assert neither.keys() == {"task", "language", "duration", "text", "usage"}
    assert neither["language"] == "xx"


async def test_deltas_joined_are_the_whole() -> None:
    async def recognised() -> AsyncIterator[Segment]:
        yield HELLO
        yield LATE

    sent = [event async for event in events(recognised(), 2.0)]
    assert '"delta": "hello there"' in sent[0]
    assert '"delta": " late"' in sent[1]
    assert '"text": "hello there late"' in sent[2]


@given(st.floats(0, 100_000))
def test_clocks_are_well_formed(seconds: float) -> None:
    cue = web_vtt([Segment(seconds, seconds + 1, Transcript("x", (), 1.0))])
    assert re.search(r"\n\d{2,}:[0-5]\d:[0-5]\d\.\d{3} --> \d{2,}:[0-5]\d:[0-5]\d\.\d{3}\n", cue)

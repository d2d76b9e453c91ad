from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidRequest
from runtime.wire.signaling import read_offer

LINES = [
    "v=0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "a=rtpmap:111 opus/48000/2",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
]
END = "a=end-of-candidates"
CANDIDATE = "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host"


def sdp(*more: str) -> str:
    return "\r\n".join([*LINES, *more]) + "\r\n"


def test_a_whole_offer_is_left_as_it_is() -> None:
    assert read_offer(sdp(CANDIDATE, END)) == sdp(CANDIDATE, END)


def test_an_offer_without_candidates_does_not_say_that_none_will_come() -> None:
    assert read_offer(sdp(END)) == sdp()


def test_bare_line_feeds_are_mended() -> None:
    assert read_offer(sdp().replace("\r\n", "\n")) == sdp()


def test_audio_is_opus_or_nothing() -> None:
    offer = [
        "v=0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0 111 63 8",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:111 OPUS/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=rtcp-fb:8 nack",
        "a=mid:0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:1",
    ]
    assert read_offer("\n".join(offer)).splitlines() == [
        "v=0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=rtpmap:111 OPUS/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=mid:0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:1",
    ]


@pytest.mark.parametrize("missing", range(4))
def test_what_is_needed_is_named_when_it_is_missing(missing: int) -> None:
    lines = [line for n, line in enumerate(LINES) if n != missing]
    with pytest.raises(InvalidRequest) as refused:
        read_offer("\r\n".join(lines))
    assert refused.value.param == "sdp"


def test_a_second_audio_section_without_payloads_is_left_to_be_refused() -> None:
    assert "m=audio 9\r\n" in read_offer(sdp("m=audio 9"))


@given(
    st.lists(st.one_of(st.sampled_from([*LINES, END, CANDIDATE]), st.text(max_size=30)), max_size=20).map(
        "\n".join
    )
)
def test_any_text_is_an_offer_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert read_offer(text).startswith("v=0")

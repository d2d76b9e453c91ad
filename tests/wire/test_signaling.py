from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidRequest
from runtime.wire.signaling import (
    MAX_CANDIDATES,
    IceDescription,
    read_ice,
    read_offer,
    restarted,
    write_fragment,
)

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


# ICE restarts

OURS = IceDescription("abcd", "p" * 22, ("1 1 udp 1 192.0.2.1 5000 typ host",), complete=True)
ANSWER = "\r\n".join(
    [
        "v=0",
        "o=- 42 1 IN IP4 0.0.0.0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        "a=candidate:9 1 udp 1 198.51.100.9 9 typ host",
        "a=end-of-candidates",
        "a=ice-ufrag:before",
        "a=ice-pwd:before-before-before-be",
        "a=fingerprint:sha-256 AA",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:1",
        "a=ice-ufrag:before",
        "a=ice-pwd:before-before-before-be",
    ]
)


def test_a_restarted_answer_differs_in_nothing_but_its_ice_side() -> None:
    again = restarted(ANSWER, OURS, version=7)
    assert read_ice(again) == OURS
    changed = ("o=", "a=ice-", "a=candidate:", "a=end-of-candidates")
    assert [line for line in again.splitlines() if not line.startswith(changed)] == [
        line for line in ANSWER.splitlines() if not line.startswith(changed)
    ]
    assert "o=- 42 7 IN IP4 0.0.0.0" in again.splitlines()
    assert again.count("a=ice-ufrag:abcd") == 2
    assert again.count("a=candidate:") == 1


def test_a_fragment_names_its_section_and_is_read_again() -> None:
    fragment = write_fragment(OURS, ANSWER)
    assert fragment.splitlines()[:4] == [
        "a=ice-ufrag:abcd",
        "a=ice-pwd:" + "p" * 22,
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
    ]
    assert read_ice(fragment) == OURS


def test_only_so_many_candidates_are_taken_and_each_once() -> None:
    head = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\n"
    many = "".join(f"a=candidate:{n} 1 udp 1 192.0.2.1 {n} typ host\r\n" for n in range(200))
    assert len(read_ice(head + many).candidates) == MAX_CANDIDATES
    assert len(read_ice(head + f"{CANDIDATE}\r\n" * 5).candidates) == 1


@given(st.text(max_size=300))
def test_any_text_is_a_description_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        read_ice(text)

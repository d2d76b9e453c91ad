"""What a WebRTC offer must hold, and what is changed in it before it is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from runtime.errors import InvalidRequest

MAX_SDP_CHARACTERS = 64 * 1024
"""A browser's offer of one audio section and a data channel has three to six thousand."""

OF_PAYLOAD = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d+) ")


def read_offer(sdp: str) -> str:
    """
    The offer as it can be answered: with Opus and the events channel that we need, and no dead end.

    An offer made before any candidate was found may still say that there will be no more of them; taken at
    its word it could never connect. The line is dropped: the offerer's address is learnt from its checks
    (RFC 8445 §7.3.1.3).

    Raises:
        InvalidRequest: Not SDP, too long, or without an Opus audio section or a data channel.
    """
    if len(sdp) > MAX_SDP_CHARACTERS:
        raise InvalidRequest(
            f"The offer has {len(sdp)} characters; at most {MAX_SDP_CHARACTERS} are read.", param="sdp"
        )
    lines = sdp.replace("\r\n", "\n").rstrip("\n").split("\n")
    if lines[0] != "v=0":
        raise InvalidRequest("The body is not an SDP offer: it must begin with 'v=0'.", param="sdp")
    if not any(line.startswith("m=audio ") and len(line.split()) > 3 for line in lines):
        raise InvalidRequest("The offer has no audio section: add a microphone track to it.", param="sdp")
    if not any(line.lower().startswith("a=rtpmap:") and "opus/48000" in line.lower() for line in lines):
        raise InvalidRequest(
            "The offer does not include Opus at 48 kHz, the only codec spoken here.", param="sdp"
        )
    if not any(line.startswith("m=application ") for line in lines):
        raise InvalidRequest(
            "The offer has no data channel: create one with the label 'oai-events' before the offer.",
            param="sdp",
        )
    if not any(line.startswith("a=candidate:") for line in lines):
        lines = [line for line in lines if line != "a=end-of-candidates"]
    return "\r\n".join(_opus_only(lines)) + "\r\n"


def _opus_only(lines: Sequence[str]) -> Iterator[str]:
    """
    The offer as if its audio could be nothing but Opus, so that the answer can choose nothing else.

    Each ``m=audio`` line ends in the payload types it offers (RFC 8866 §5.14); ``a=rtpmap:``, ``a=fmtp:`` and
    ``a=rtcp-fb:`` lines of the section say more of one of them.
    """
    for section in _sections(lines):
        if not section[0].startswith("m=audio ") or len(section[0].split()) < 4:
            yield from section
            continue
        opus = {
            line.removeprefix("a=rtpmap:").split()[0]
            for line in section
            if line.lower().startswith("a=rtpmap:") and " opus/48000" in line.lower()
        }
        media, port, profile, *offered = section[0].split()
        yield " ".join([media, port, profile, *(payload for payload in offered if payload in opus)])
        for line in section[1:]:
            described = OF_PAYLOAD.match(line)
            if described is None or described[1] in opus:
                yield line


def _sections(lines: Sequence[str]) -> Iterator[list[str]]:
    """The session's own lines, then those of each media section."""
    section: list[str] = []
    for line in lines:
        if line.startswith("m=") and section:
            yield section
            section = []
        section.append(line)
    yield section

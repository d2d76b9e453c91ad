"""
What a WebRTC offer must hold, what is changed in it before it is answered, and how ICE is restarted by text.

A restart is a new ``ice-ufrag`` and ``ice-pwd`` on either side (RFC 8839 §5.4); the rest of the session
stands. It comes as a whole offer or as a fragment (RFC 8840 §9), the way WHIP does it (RFC 9725 §4.3.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.errors import InvalidRequest

MAX_SDP_CHARACTERS = 64 * 1024
"""A browser's offer of one audio section and a data channel has three to six thousand."""

MAX_CANDIDATES = 64
"""Of one peer: each is an address that we send to."""

USERNAME = re.compile(r"[A-Za-z0-9+/]{4,256}")
PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
"""RFC 8839 §5.4."""

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
    return _text(list(_opus_only(lines)))


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


@dataclass(frozen=True, slots=True)
class IceDescription:
    """One side of an ICE session."""

    username: str
    """``ice-ufrag``."""
    password: str
    """``ice-pwd``."""
    candidates: tuple[str, ...]
    """As SDP writes them, without ``a=candidate:``."""
    complete: bool
    """Whether there will be no more of them."""


def read_ice(sdp: str) -> IceDescription:
    """
    The ICE side of an offer or of a fragment; of its first section where several say something.

    Raises:
        InvalidRequest: Too long, or without a username and a password.
    """
    if len(sdp) > MAX_SDP_CHARACTERS:
        raise InvalidRequest(
            f"The description has {len(sdp)} characters; at most {MAX_SDP_CHARACTERS} are read.", param="sdp"
        )
    lines = [line.strip() for line in sdp.splitlines()]
    username = _first(lines, "a=ice-ufrag:")
    password = _first(lines, "a=ice-pwd:")
    if not USERNAME.fullmatch(username) or not PASSWORD.fullmatch(password):
        raise InvalidRequest(
            "The description needs an a=ice-ufrag of 4 to 256 and an a=ice-pwd of 22 to 256 characters.",
            param="sdp",
        )
    candidates = [line.removeprefix("a=candidate:") for line in lines if line.startswith("a=candidate:")]
    return IceDescription(
        username=username,
        password=password,
        candidates=tuple(dict.fromkeys(candidates))[:MAX_CANDIDATES],
        complete="a=end-of-candidates" in lines,
    )


def write_fragment(ice: IceDescription, answer: str) -> str:
    """``application/trickle-ice-sdpfrag``: our side of a restart, for the first section of ``answer``."""
    lines = answer.splitlines()
    media = next(line for line in lines if line.startswith("m="))
    mid = _first(lines, "a=mid:") or "0"
    return _text(
        [f"a=ice-ufrag:{ice.username}", f"a=ice-pwd:{ice.password}", media, f"a=mid:{mid}", *_found(ice)]
    )


def restarted(answer: str, ice: IceDescription, *, version: int) -> str:
    """
    An answer with another ICE side, and otherwise as it was.

    Args:
        version: Of the session, for its origin line (RFC 8866 §5.2); one more than the last.
    """
    lines: list[str] = []
    for section in _sections(answer.splitlines()):
        kept = [line for line in section if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        for line in kept:
            if line.startswith("o="):
                user, session, _, rest = line.split(" ", 3)
                lines.append(f"{user} {session} {version} {rest}")
            elif line.startswith("a=ice-ufrag:"):
                lines.append(f"a=ice-ufrag:{ice.username}")
            elif line.startswith("a=ice-pwd:"):
                lines.append(f"a=ice-pwd:{ice.password}")
            else:
                lines.append(line)
        if len(kept) < len(section):
            lines += _found(ice)
    return _text(lines)


def _found(ice: IceDescription) -> list[str]:
    return [*(f"a=candidate:{candidate}" for candidate in ice.candidates), "a=end-of-candidates"]


def _first(lines: Sequence[str], name: str) -> str:
    return next((line.removeprefix(name) for line in lines if line.startswith(name)), "")


def _text(lines: Sequence[str]) -> str:
    return "\r\n".join(lines) + "\r\n"

"""
Ending a call, and handing it on, from outside its stream: what is asked of a carrier's own interface.

Most carriers have no word for either in their streams, and an HTTP interface beside them. What is asked there
is a :class:`Command`, written by the carrier's own file; who sends it is no matter of this package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from runtime.errors import InvalidRequest
from runtime.wire.telephony import CallStarted

_NUMBER = re.compile(r"\+?[0-9*#]{2,24}", re.ASCII)
_SIP = re.compile(
    r"sips?:[\w.+*#~%-]{1,64}@[\w.-]{1,128}(:\d{1,5})?(;transport=(udp|tcp|tls|wss?))?", re.ASCII
)
_NAME = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
_SPACERS = str.maketrans("", "", " -().\u00a0")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a caller is handed on to."""

    kind: Literal["number", "sip", "name"]
    """A telephone number, a SIP address, or the name of a queue, a user or an extension."""
    value: str


def destination(to: str) -> Destination:
    """
    Read what an agent gave; it may hold a caller's own words, and so nothing else passes.

    Args:
        to: ``+15550100`` (spaces, dashes, dots and brackets do no harm), ``sip:desk@example.com``, or a name.

    Raises:
        InvalidRequest: It is none of these.
    """
    to = to.strip()
    number = to.translate(_SPACERS)
    if _NUMBER.fullmatch(number):
        return Destination("number", number)
    if _SIP.fullmatch(to):
        return Destination("sip", to)
    if _NAME.fullmatch(to):
        return Destination("name", to)
    raise InvalidRequest(
        f"Nobody can be reached at {to[:80]!r}.",
        param="transfer",
        fix="Give a telephone number, a sip: address, or a name of letters, digits, dots and dashes.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One HTTP request. Any status from 200 to 299 means that it was obeyed."""

    method: str
    url: str
    form: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    """Sent as JSON."""
    login: tuple[str, str] | None = None
    """User and password, by Basic."""
    bearer: str | None = None


class CallControl(Protocol):
    """One carrier's interface, with our credentials to it."""

    def hang_up(self, call: CallStarted, *, now: float) -> Command | None:
        """End the call; None where the stream itself can say so, or the closing of its socket does it."""
        ...

    def transfer(self, call: CallStarted, to: Destination, *, document: str, now: float) -> Command | None:
        """
        Hand the caller on; None where this carrier reaches no such destination.

        Args:
            document: Address of a document of ours that dials ``to``, for carriers that fetch one.
            now: Unix seconds, for credentials that have a date.
        """
        ...

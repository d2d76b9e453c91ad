"""A recording on its way to the process that opens it, and how that process is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.media.container import DEFAULT_LIMITS, DecodeLimits
from tts.provenance.watermark import DEFAULT_KEY

if TYPE_CHECKING:
    from tts.engine import Synthesizer
    from tts.voices.enrol import EnrolmentService


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it arrived."""

    data: bytes
    declared_mime: str | None = None
    """What the sender said it was; reported, never believed."""


def enrolment_service(
    engine: str | Callable[[], Synthesizer],
    limits: DecodeLimits = DEFAULT_LIMITS,
    *,
    watermark_keys: Sequence[bytes] = (DEFAULT_KEY,),
) -> EnrolmentService:
    """
    Make the service, in the worker: its libraries are loaded there and not in the server.

    Arguments as for :class:`tts.voices.enrol.EnrolmentService`.
    """
    from tts.voices.enrol import EnrolmentService

    return EnrolmentService(engine, limits, watermark_keys=watermark_keys)

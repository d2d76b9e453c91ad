"""What a recording tells of where it came from: the mark in its sound, and the tags of its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from runtime.media.container import Recording
from runtime.media.frame import Pcm
from tts.provenance.detection import Detection, Traces, VoiceMark
from tts.provenance.marks import SOURCE_TYPE
from tts.provenance.watermark import DEFAULT_KEY


@dataclass(frozen=True, slots=True)
class Evidence:
    """Both marks. Tags are easily removed or forged; the mark in the sound is neither."""

    watermark: Detection
    tags: dict[str, str]
    voices: tuple[VoiceMark, ...] = ()
    """Whose of the voices that were asked about, the surest first."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        told = " ".join(self.tags.values())
        return {
            **self.watermark.to_json(),
            "voice_id": self.voices[0].voice_id if self.voices else None,
            "voices": [voice.to_json() for voice in self.voices],
            "tags": self.tags,
            "tagged_as_synthetic": SOURCE_TYPE in told or "trainedAlgorithmicMedia" in told,
        }


def evidence(
    data: bytes, recording: Recording, *, keys: Sequence[bytes] = (DEFAULT_KEY,), voices: Sequence[str] = ()
) -> Evidence:
    """
    Of an upload that was decoded.

    Args:
        data: The file's bytes.
        recording: What :func:`~runtime.media.container.decode_upload` made of them.
        keys: Whose marks are looked for, in all channels mixed.
        voices: Ids of the voices that may have spoken.
    """
    traces = Traces(full_scale(recording.samples.mean(axis=1)), recording.rate)
    found = traces.detect(*keys)
    named = () if found.key is None else traces.name(voices, key=found.key)
    return Evidence(found, read_tags(data), named)


def full_scale(samples: NDArray[np.float32]) -> Pcm:
    """As int16, brought to full scale so that a quiet recording loses nothing to rounding."""
    finite = np.nan_to_num(samples, posinf=0, neginf=0)
    peak = float(np.abs(finite).max(initial=0.0))
    scaled: Pcm = np.rint(finite * (32767 / peak if peak else 0.0)).astype(np.int16)
    return scaled


def read_tags(data: bytes) -> dict[str, str]:
    """The file's and its streams' tags, names in lower case; none where it has or shows none."""
    try:
        with av.open(BytesIO(data)) as container:
            found = dict(container.metadata)
            for stream in container.streams:
                found.update(stream.metadata)
    except (av.FFmpegError, ValueError):
        return {}
    return {str(name).lower(): str(value)[:500] for name, value in found.items()}

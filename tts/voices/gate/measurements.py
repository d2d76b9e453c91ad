"""Every number the gate knows about a recording, by the name the report gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.media.container import Recording
from tts.provenance.detection import Traces
from tts.provenance.verify import full_scale
from tts.voices.gate.bandwidth import Bandwidth, measure_bandwidth
from tts.voices.gate.channels import Channels
from tts.voices.gate.codec import measure_codec_artifacts
from tts.voices.gate.language import UNKNOWN
from tts.voices.gate.level import measure_clipping, measure_loudness
from tts.voices.gate.losses import measure_losses
from tts.voices.gate.music import measure_music
from tts.voices.gate.noise import measure_noise
from tts.voices.gate.overlap import measure_overlap
from tts.voices.gate.pitch import track_pitch
from tts.voices.gate.room import measure_reverberation
from tts.voices.gate.sound import Sound, silences
from tts.voices.gate.speakers import measure_speakers
from tts.voices.voice import Span

_ENOUGH_SPEECH = 0.3
"""Seconds; with less, nothing about the voice is measured, and no limit on it can be broken."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """Values by metric name; None where the recording gives nothing to measure."""

    values: Mapping[str, float | int | str | None]
    spans: Mapping[str, tuple[Span, ...]]
    """Where a metric was found, in seconds from the beginning of what was measured."""
    remarks: Mapping[str, str]
    """What a person should know beside the number."""
    speech: tuple[Span, ...]
    masked: bool = False
    """Noise hides how high the voice reaches."""


def measure(
    sound: Sound, recording: Recording, channels: Channels, *, whole: bool, keys: Sequence[bytes]
) -> Measurements:
    """
    Measure ``sound``, a mono view of ``recording``.

    Args:
        whole: The verdict is about the whole recording, though perhaps only its beginning is measured; False
            where ``sound`` is a part that was chosen.
        keys: Whose watermarks are looked for.
    """
    quiet = silences(sound)
    within = tuple(span for span in quiet if span[0] > 0 and span[1] < round(sound.seconds, 2))
    values: dict[str, float | int | str | None] = {
        "duration_s": round(max(sound.seconds, recording.seconds if whole else 0.0), 3),
        "speech_s": round(sound.speech_seconds, 2),
        "speech_ratio": round(sound.speech_seconds / max(sound.seconds, 1e-3), 3),
        "longest_silence_s": _longest(quiet),
        "longest_pause_s": _longest(within),
        "sample_rate_hz": recording.rate,
        "declared_mime": recording.declared_mime,
        "detected_container": recording.container,
        "detected_codec": recording.codec,
        "channels": channels.count,
        "dead_channels": channels.dead,
        "channel_correlation": _rounded(channels.correlation, 3),
        "channel_disagreement": None if channels.together is None else round(1 - channels.together, 3),
        "language_guess": UNKNOWN,
    }
    long = tuple(span for span in quiet if span[1] - span[0] > 2.0)
    spans: dict[str, tuple[Span, ...]] = {
        "speech_ratio": long,
        "longest_silence_s": long,
        "longest_pause_s": tuple(span for span in within if span[1] - span[0] > 2.0),
    }
    remarks: dict[str, str] = {}
    mark = Traces(full_scale(sound.samples), sound.rate).detect(*keys)
    values["watermark_score"] = round(mark.score, 1) if mark.conclusive else None
    spans["watermark_score"] = mark.spans
    if sound.speech_seconds < _ENOUGH_SPEECH:
        values["speech_ratio"] = 0.0
        return Measurements(values, spans, remarks, sound.speech)

    bandwidth = measure_bandwidth(sound)
    pitch = track_pitch(sound)
    clipping, loudness = measure_clipping(sound), measure_loudness(sound)
    noise, losses = measure_noise(sound), measure_losses(sound)
    overlap = measure_overlap(sound)
    speakers = measure_speakers(sound, pitch)
    values |= {
        "effective_bandwidth_hz": round(bandwidth.effective_hz),
        "modulated_bandwidth_hz": round(bandwidth.modulated_hz),
        "image_correlation": round(bandwidth.image_correlation, 3),
        "image_hz": _rounded(bandwidth.image_hz, 0),
        "hf_floor_db": _rounded(bandwidth.floor_db, 1),
        "cliff_db": round(bandwidth.cliff_db, 1),
        "codec_artifact_score": round(measure_codec_artifacts(sound, bandwidth), 2),
        "clipping_ratio": round(clipping.ratio, 6),
        "clipped_runs": clipping.runs,
        "clipping_crowding": round(clipping.crowding, 3),
        "peak_dbfs": round(clipping.peak_dbfs, 1),
        "integrated_loudness_lufs": round(loudness.integrated_lufs, 1),
        "loudness_spread_lu": round(loudness.spread_lu, 1),
        "loudness_drift_lu": round(loudness.drift_lu, 1),
        "snr_db": _rounded(noise.snr_db, 1),
        "rumble_snr_db": _rounded(noise.rumble_snr_db, 1),
        "noise_floor_dbfs": _rounded(noise.floor_dbfs, 1),
        "reverb_t60_s": _rounded(measure_reverberation(sound), 2),
        "music_score": round(measure_music(sound), 2),
        "speaker_count": 2 if speakers.second_seconds or overlap.seconds > 0.045 else 1,
        "speaker_change_score": round(speakers.score, 1),
        "second_speaker_s": round(speakers.second_seconds, 2),
        "overlap_s": round(overlap.seconds, 2),
        "lost_s": round(losses.seconds, 3),
        "f0_median_hz": _rounded(pitch.median_hz, 1),
    }
    spans |= {
        "clipping_ratio": clipping.spans,
        "second_speaker_s": speakers.spans,
        "overlap_s": overlap.spans,
        "lost_s": losses.spans,
    }
    if (remark := _image_remark(bandwidth)) is not None:
        remarks["effective_bandwidth_hz"] = remark
    return Measurements(values, spans, remarks, sound.speech, bandwidth.masked)


def _image_remark(bandwidth: Bandwidth) -> str | None:
    if bandwidth.image_hz is None or bandwidth.image_hz > bandwidth.modulated_hz:
        return None
    nyquist = bandwidth.image_hz
    return f"a mirror image about {nyquist:.0f} Hz shows up-sampling from {2 * nyquist:.0f} Hz"


def _longest(spans: tuple[Span, ...]) -> float:
    return round(max((end - start for start, end in spans), default=0.0), 2)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)

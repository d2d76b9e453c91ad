"""
Every limit of the gate in one table, and where each number came from.

A *reject* limit decides; a *warn* limit tells what will be heard in the clone. The order is the order in
which failures are reported: a clip without speech has no bandwidth worth discussing.

Sources named below: *guide*: the enrolment guide this gate implements asks for 6-15 s, one speaker, genuine
full band, clean and consistent. *clips*: measured on 31 good recordings of 16 people (studio, home, phone;
44.1 and 48 kHz), the range given. *damaged*: the same recordings made worse on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

GATE_VERSION = "1.1.0"
"""Changes with any limit and any measure: the same bytes under the same version give the same report."""

Profile: TypeAlias = Literal["strict", "best_window"]
"""``strict``: one file of 6-15 s, full band. ``best_window``: several files of any length, and the best
6-15 s in them."""

STRICT: Profile = "strict"
BEST_WINDOW: Profile = "best_window"

WINDOW_SECONDS = (6.0, 15.0)
"""Shortest and longest part of a recording that becomes a voice."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One metric held against one pair of numbers."""

    code: str
    metric: str
    side: Literal["at_least", "at_most"]
    unit: str
    message: str
    """For a person; ``{value}``, ``{limit}`` and ``{unit}`` are filled in. Begins with what is wrong."""
    fix: str
    reject: float | None = None
    """None: this measure only warns."""
    warn: float | None = None
    reject_window: float | None = None
    """In place of ``reject`` under ``best_window``, where it differs."""
    warn_window: float | None = None
    warn_code: str | None = None
    """What the milder finding is called, where that is another word."""
    warn_message: str | None = None
    """What is said of it then, like ``message``."""
    source: str = ""

    def rejects_at(self, profile: Profile) -> float | None:
        return (
            self.reject_window if profile == BEST_WINDOW and self.reject_window is not None else self.reject
        )

    def warns_at(self, profile: Profile) -> float | None:
        return self.warn_window if profile == BEST_WINDOW and self.warn_window is not None else self.warn

    def breaks(self, value: float, limit: float | None) -> bool:
        """Whether ``value`` is on the wrong side; a limit itself is still allowed."""
        if limit is None:
            return False
        return value < limit if self.side == "at_least" else value > limit


_QUIET_ROOM = "record in a quiet, dry room with no other sound, close to the microphone"
_ONE_PERSON = "upload exactly one speaker, with nobody else in the background"

LIMITS: tuple[Limit, ...] = (
    Limit(
        code="no_speech",
        metric="speech_ratio",
        side="at_least",
        unit="",
        message="no speech found: {value:.0%} of the clip is speech",
        fix="upload a recording of one person speaking, loud enough to be understood",
        reject=0.05,
        source="silence, constant offset and noise read 0.00; the shortest utterance in 5 s reads 0.15",
    ),
    Limit(
        code="clip_too_short",
        metric="duration_s",
        side="at_least",
        unit="s",
        message="clip too short: {value:.1f} s, at least 6 s are needed",
        fix="record 6-15 s of continuous, natural speech",
        reject=5.5,
        reject_window=3.0,
        warn_window=6.0,
        source="guide: 6 s; half a second of tolerance. Several files: 3 s of one speaker still make a voice",
    ),
    Limit(
        code="clip_too_long",
        metric="duration_s",
        side="at_most",
        unit="s",
        message="clip too long: {value:.1f} s, at most 15 s are taken",
        fix="trim to a continuous 6-15 s of speech",
        reject=16.0,
        reject_window=3_600.0,
        source="guide: 15 s; a second of tolerance covers what codecs pad",
    ),
    Limit(
        code="synthetic_source",
        metric="watermark_score",
        side="at_most",
        unit="",
        message="synthetic source: the recording carries this server's own watermark (score {value:.1f})",
        fix="record the person; speech that was synthesised here cannot become a voice",
        reject=4.0,
        source="recordings without the mark score 0 with deviation 1, with it 4-12: bench/watermark.py",
    ),
    Limit(
        code="insufficient_bandwidth",
        metric="effective_bandwidth_hz",
        side="at_least",
        unit="Hz",
        message="insufficient bandwidth: the voice reaches {value:.0f} Hz, {limit:.0f} Hz are needed",
        fix="record at 24 kHz or higher with a real microphone; up-sampling adds samples, not bandwidth",
        reject=9_500.0,
        warn=13_000.0,
        reject_window=5_500.0,
        warn_window=9_500.0,
        warn_code="limited_bandwidth",
        warn_message="limited bandwidth: the voice reaches {value:.0f} Hz; highs above it cannot be cloned",
        source="clips: 20 500-24 000; a genuine 22.05 kHz file 11 000; 16 kHz 8 000; telephone 3 000-4 000",
    ),
    Limit(
        code="multiple_speakers",
        metric="overlap_s",
        side="at_most",
        unit="s",
        message="multiple speakers: two voices at once",
        fix=_ONE_PERSON,
        reject=0.045,
        source="one person 0.00-0.04 s of evidence; two people mixed at 0 to 6 dB 0.05-0.6, see gate.overlap",
    ),
    Limit(
        code="multiple_speakers",
        metric="second_speaker_s",
        side="at_most",
        unit="s",
        message="multiple speakers: a second voice for {value:.1f} s",
        fix=_ONE_PERSON,
        reject=0.6,
        source="a word or two; clips read 0.0",
    ),
    Limit(
        code="multiple_speakers",
        metric="speaker_change_score",
        side="at_most",
        unit="",
        message="multiple speakers: perhaps a second voice (score {value:.0f}, {limit:.0f} would be usual)",
        fix=_ONE_PERSON,
        warn=32.0,
        source="see gate.speakers: one person mostly reads below 30",
    ),
    Limit(
        code="multiple_speakers",
        metric="channel_disagreement",
        side="at_most",
        unit="",
        message="multiple speakers: the channels carry different people",
        fix="upload one side of the conversation as mono",
        reject=0.8,
        warn=0.5,
        warn_code="different_channels",
        source="one voice on two microphones reads below 0.2, two sides of a call 0.9 and more",
    ),
    Limit(
        code="too_noisy",
        metric="snr_db",
        side="at_least",
        unit="dB",
        message="background noise: the voice stands {value:.0f} dB above it, {limit:.0f} dB are needed",
        fix=_QUIET_ROOM + "; do not denoise the recording",
        reject=15.0,
        warn=20.0,
        source="clips: 25-57 dB; real recordings in noise 3-13 dB; noise added at 15 dB reads 14-17",
    ),
    Limit(
        code="too_noisy",
        metric="rumble_snr_db",
        side="at_least",
        unit="dB",
        message="background noise: rumble {value:.0f} dB below the voice, {limit:.0f} dB are needed",
        fix="keep wind, traffic and handling away from the microphone, or switch on its low-cut filter",
        reject=6.0,
        warn=13.0,
        source="clips: 14-49 dB; knocks at 5 dB mean 2 dB",
    ),
    Limit(
        code="clipping",
        metric="clipping_ratio",
        side="at_most",
        unit="",
        message="clipping: {value:.2%} of the wave is cut off flat",
        fix="record again with the input turned down; lowering the file cannot bring the tops back",
        reject=0.001,
        warn=0.0001,
        source="clips: 0; damaged by 6 dB of overload 0.001-0.003, by 14 dB 0.01-0.05",
    ),
    Limit(
        code="clipping",
        metric="clipping_crowding",
        side="at_most",
        unit="",
        message="clipping: {value:.0%} of the loud moments press against the same ceiling",
        fix="record again with the input turned down and without limiter or compressor",
        reject=0.30,
        warn=0.20,
        source="clips: 0.01-0.12",
    ),
    Limit(
        code="music_detected",
        metric="music_score",
        side="at_most",
        unit="",
        message="background music: sustained tones {value:.1f} above their surroundings, {limit:.1f} allowed",
        fix="record without music; removing it afterwards damages the voice",
        reject=2.0,
        warn=1.8,
        source="clips: 0.3-1.6; guitar and chords 20 to 5 dB below the voice 2.2-4.5",
    ),
    Limit(
        code="reverberant",
        metric="reverb_t60_s",
        side="at_most",
        unit="s",
        message="reverberant room: sound takes {value:.2f} s to die away, {limit:.2f} s allowed",
        fix="record close to the microphone in a small, furnished room",
        reject=0.33,
        warn=0.31,
        source="clips: 0.13-0.27 s, with faint noise up to 0.35; rooms of 0.3 s read 0.27-0.33, of 0.5 s "
        "0.34-0.48, of 0.8 s 0.47-0.65",
    ),
    Limit(
        code="packet_loss",
        metric="lost_s",
        side="at_most",
        unit="s",
        message="packet loss: {value:.2f} s of the speech are missing",
        fix="record on the device itself instead of over a network call",
        reject=0.05,
        warn=0.015,
        source="clips: 0; speech made without any noise 0-0.01; a clip with simulated packet loss 0.42",
    ),
    Limit(
        code="too_little_speech",
        metric="speech_s",
        side="at_least",
        unit="s",
        message="clip too short: only {value:.1f} s of speech",
        fix="speak continuously for 6-15 s; cut long pauses away",
        reject=2.0,
        warn=4.5,
        source="clips of 6 s and more: 2.4-9.1 s; under 4.5 s the timbre is a guess",
    ),
    Limit(
        code="long_silence",
        metric="longest_pause_s",
        side="at_most",
        unit="s",
        message="long silence: {value:.1f} s within the speech, {limit:.1f} s allowed",
        fix="speak continuously, or cut the silence out",
        reject=3.0,
        warn=2.0,
        source="clips: at most 1.9 s between sentences",
    ),
    Limit(
        code="long_silence",
        metric="speech_ratio",
        side="at_least",
        unit="",
        message="long silence: only {value:.0%} of the clip is speech",
        fix="trim the silence before and after the speech",
        reject=0.30,
        reject_window=0.0,
        source="clips of 6 s and more: 0.37-0.81; 4 + 5 s of silence around a sentence 0.26",
    ),
    Limit(
        code="long_silence",
        metric="longest_silence_s",
        side="at_most",
        unit="s",
        message="long silence: {value:.1f} s without speech, {limit:.1f} s allowed",
        fix="trim the silence before and after the speech",
        warn=2.0,
        source="guide: no long silences",
    ),
    Limit(
        code="uneven_level",
        metric="loudness_spread_lu",
        side="at_most",
        unit="LU",
        message="inconsistent volume: the loudness varies by {value:.0f} LU, {limit:.0f} LU allowed",
        fix="keep the same distance to the microphone from beginning to end",
        reject=14.0,
        warn=11.0,
        source="clips: 1-8 LU; a change of gain by 15 dB halfway 13-17",
    ),
    Limit(
        code="uneven_level",
        metric="loudness_drift_lu",
        side="at_most",
        unit="LU",
        message="inconsistent volume: {value:.0f} LU between beginning and end, {limit:.0f} LU allowed",
        fix="keep the same distance to the microphone from beginning to end",
        warn=11.0,
        source="clips of 6 s and more: 0.5-8.9 LU",
    ),
    Limit(
        code="too_quiet",
        metric="integrated_loudness_lufs",
        side="at_least",
        unit="LUFS",
        message="too quiet: {value:.0f} LUFS, {limit:.0f} LUFS are needed",
        fix="turn the input up or move closer; raising a quiet file raises its noise",
        reject=-52.0,
        warn=-42.0,
        source="clips: -32 to -17; the last bits of 16 begin to be missing below -50",
    ),
    Limit(
        code="dead_channel",
        metric="dead_channels",
        side="at_most",
        unit="",
        message="dead channel: {value:.0f} channel is silent; the other was used",
        fix="export as mono",
        warn=0.0,
        source="harmless once seen",
    ),
    Limit(
        code="lossy_source",
        metric="codec_artifact_score",
        side="at_most",
        unit="",
        message="lossy source: a codec has removed detail (score {value:.2f})",
        fix="upload the original WAV or FLAC; converting a lossy file back cannot restore it",
        warn=0.6,
        source="clips: 0.00-0.52; mp3 and Opus at 64 kbit/s 0.7-0.98",
    ),
)

UNDECODABLE_FIX = "upload a whole WAV, FLAC, MP3, M4A, Ogg or WebM recording"
"""Where the decoder itself has no better advice."""

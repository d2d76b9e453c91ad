"""Enrolment as it runs in its own process: open the upload, judge it, make the voice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from runtime.errors import EngineUnavailable, EnrolmentError, SynthesisFailed
from runtime.media.container import DEFAULT_LIMITS, DecodeLimits, Recording, decode_upload
from runtime.media.frame import Pcm
from tts.engine import Conditioning, SpeechRequest, Synthesizer
from tts.engines import synthesizer
from tts.provenance.verify import Evidence, evidence
from tts.provenance.watermark import DEFAULT_KEY
from tts.voices.gate import Gate, GateReport, Profile, Window
from tts.voices.gate.picture import draw_report
from tts.voices.likeness import LINE, Timbre, compare, timbre
from tts.voices.same_speaker import same_speaker
from tts.voices.stock import ShipsVoices
from tts.voices.upload import Upload
from tts.voices.voice import Likeness

if TYPE_CHECKING:
    from tts.engines.clone.design import VoiceDesign


@runtime_checkable
class DesignsVoices(Protocol):
    """A synthesizer that can speak as somebody who does not exist."""

    def design(self, design: VoiceDesign, *, voice_id: str) -> Conditioning: ...


class EnrolmentService:
    """
    The blocking half of enrolment. A worker process holds one; the server calls it by name.

    Judging and cloning are two calls, so that a voice can be seen to go from ``analysing`` to ``enrolling``.
    The decoded recordings of the last call are kept, because the next call is mostly about the same upload.

    Args:
        engine: Makes the engine, when the first voice is made; or its name in
            :data:`tts.engines.SYNTHESIZERS`.
        limits: Bounds on what one file may cost.
        watermark_keys: Whose marks this server knows.
    """

    def __init__(
        self,
        engine: str | Callable[[], Synthesizer],
        limits: DecodeLimits = DEFAULT_LIMITS,
        *,
        watermark_keys: Sequence[bytes] = (DEFAULT_KEY,),
    ) -> None:
        self._make_synthesizer = synthesizer(engine) if isinstance(engine, str) else engine
        self._limits = limits
        self._keys = tuple(watermark_keys)
        self._decoded: dict[str, Recording] = {}
        self._synthesizer: Synthesizer | None = None
        self._cohort: list[Timbre] | None = None

    def warm(self) -> None:
        """Load the engine and hear its stock voices, so that the first enrolment is as quick as any."""
        engine = self._engine()
        if self._cohort is None and not engine.info.placeholder:
            self._cohort = list(_stock_timbres(engine))

    def judge(self, uploads: Sequence[Upload], profile: Profile = "strict") -> GateReport:
        """
        The gate's report. Never raises for what was uploaded: an unreadable file is a rejected one.

        Several uploads are judged together under ``best_window``; those that cannot be opened are left out
        as long as one can. ``strict`` looks at the first only.
        """
        gate = Gate(profile, keys=self._keys)
        recordings: list[Recording] = []
        places: list[int] = []
        refused: GateReport | None = None
        for place, upload in enumerate(uploads[:1] if profile == "strict" else uploads):
            try:
                recordings.append(self._decode(upload))
                places.append(place)
            except EnrolmentError as error:
                refused = refused or gate.refuse(error, sha256=hashlib.sha256(upload.data).hexdigest())
        if recordings:
            return gate.judge(*recordings).at_place(places)
        if refused is None:
            raise ValueError("there is nothing to judge: no file was given")
        return refused

    def check(self, uploads: Sequence[Upload], profile: Profile = "strict") -> GateReport:
        """The same report, when nothing is to be stored: the dry run."""
        return self.judge(uploads, profile)

    def picture(
        self, uploads: Sequence[Upload], report: GateReport, likeness: Likeness | None = None
    ) -> bytes:
        """The report as a PNG: spectrogram, cut-off, silences, a second voice, the verdict in words."""
        window = report.window
        recording = None if window is None else self._decode(uploads[window.file])
        return draw_report(report, recording, likeness)

    def clone(self, uploads: Sequence[Upload], window: Window, voice_id: str) -> Conditioning:
        """
        Make the voice of the accepted window (``report.window``).

        Raises:
            EnrolmentError: The engine can make nothing of the recording.
        """
        recording = self._decode(uploads[window.file])
        return self._engine().clone(_cut(recording, window), recording.rate, voice_id=voice_id)

    def likeness(self, uploads: Sequence[Upload], window: Window, voice: Conditioning) -> Likeness | None:
        """
        Let the new voice speak a line, and say how much it sounds like the recording it was made of.

        The engine's stock voices speak the same line, once in the life of this process: what a stranger
        scores is what a score must be read against.

        Returns:
            None where the engine makes no speech, and where too little is voiced to tell.

        Raises:
            SynthesisFailed: The voice does not speak.
        """
        engine = self._engine()
        if engine.info.placeholder:
            return None
        recording = self._decode(uploads[window.file])
        person = timbre(_unit(_cut(recording, window)), recording.rate)
        heard = _timbre_of(engine, voice)
        if person is None or heard is None:
            return None
        self.warm()
        return compare(heard, person, cohort=self._cohort or ())

    def design(self, recipe: str, voice_id: str) -> Conditioning:
        """
        Make a voice that nobody recorded.

        Args:
            recipe: JSON of a :class:`tts.engines.clone.design.VoiceDesign`.

        Raises:
            InvalidRequest: The recipe has a value it cannot have.
            EngineUnavailable: This engine cannot design voices.
        """
        from tts.engines.clone.design import VoiceDesign  # heavy, and not needed to enrol

        engine = self._engine()
        if not isinstance(engine, DesignsVoices):
            raise EngineUnavailable(
                f"the engine {engine.info.name} cannot design voices", fix="set VIVAVOCE_ENGINE=clone"
            )
        return engine.design(VoiceDesign.from_json(recipe), voice_id=voice_id)

    def same_speaker(self, one: Upload, other: Upload) -> bool:
        """
        Whether nothing speaks against these being one person.

        Raises:
            Undecodable: One of them is no recording.
        """
        return same_speaker(self._decode(one), self._decode(other))

    def verify(self, upload: Upload, voices: Sequence[str] = ()) -> Evidence:
        """
        Whether the recording carries our marks, and which of these voices they name.

        Raises:
            UploadTooLarge: Beyond the limits in bytes.
            Undecodable: No recording.
        """
        return evidence(upload.data, self._decode(upload), keys=self._keys, voices=voices)

    def _engine(self) -> Synthesizer:
        if self._synthesizer is None:
            self._synthesizer = self._make_synthesizer()
        return self._synthesizer

    def _decode(self, upload: Upload) -> Recording:
        sha256 = hashlib.sha256(upload.data).hexdigest()
        if sha256 not in self._decoded:
            recording = decode_upload(upload.data, limits=self._limits, declared_mime=upload.declared_mime)
            # One upload's worth: its other files follow each other at once.
            if len(self._decoded) >= 4:
                self._decoded.clear()
            self._decoded[sha256] = recording
        return self._decoded[sha256]


def _cut(recording: Recording, window: Window) -> Pcm:
    """The window as mono 16-bit PCM at the recording's rate, of the channels that carry the voice."""
    part = recording.samples[round(window.start * recording.rate) : round(window.end * recording.rate)]
    mono = part.mean(axis=1) if window.channel is None else part[:, window.channel]
    pcm: Pcm = np.rint(np.clip(mono, -1.0, 1.0) * 32_767).astype(np.int16)
    return pcm


def _unit(pcm: Pcm) -> NDArray[np.float32]:
    return pcm.astype(np.float32) / np.float32(32_768)


def _timbre_of(engine: Synthesizer, voice: Conditioning) -> Timbre | None:
    blocks = [block.samples for block in engine.speak(SpeechRequest(LINE, voice))]
    if not blocks:
        return None
    return timbre(_unit(np.concatenate(blocks)), engine.info.rate)


def _stock_timbres(engine: Synthesizer) -> Iterator[Timbre]:
    """Of those stock voices that can be had here: some need weights that were not loaded."""
    for stock in cast(ShipsVoices, engine).stock():
        with suppress(SynthesisFailed):
            heard = _timbre_of(engine, stock.conditioning)
            if heard is not None:
                yield heard

"""
flite's statistical voices as base voices, through the C library and without a waveform.

These voices (Black, *CLUSTERGEN*, Interspeech 2006) predict, for every 5 ms, a pitch and the mean and spread
of a mel-cepstrum and of its slope. That prediction is all we want: it is read out of the utterance, turned
into smooth trajectories here, and flite's own vocoder is stopped at its first buffer.

flite is BSD-licensed. The struct layouts below are those of its public headers, version 2.x.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from runtime.errors import EngineUnavailable, SynthesisFailed
from tts.engine import SpokenWord
from tts.engines.clone.phones import from_flite
from tts.engines.clone.score import Floats, Score, Segment
from tts.engines.clone.spectrum import CEPSTRA

VOICES: Final[dict[str, str]] = {"slt": "female", "rms": "male", "awb": "male"}
"""Name and gender of the statistical voices Debian's ``libflite1`` carries."""

_STOP = -1
_WORD_START = b"R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_WORD_END = b"R:SylStructure.daughtern.daughtern.R:Segment.end"
_ORDER = 25
_FLOAT = ctypes.sizeof(ctypes.c_float)
_LOUDEST = 6.5
"""The gain coefficient of a loud vowel at int16 scale, so that base voices leave here near unit level."""

_SAFE = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": ",", "–": ",", "…": ".", "_": " "})
_SILENT = re.compile(r"[^A-Za-z0-9 .,;:!?'\"$%&()+/=@-]")


class _Track(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_char_p),
        ("num_frames", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("times", ctypes.POINTER(ctypes.c_float)),
        ("frames", ctypes.POINTER(ctypes.POINTER(ctypes.c_float))),
    ]


class _Streaming(ctypes.Structure):
    _fields_ = [
        ("min_buffsize", ctypes.c_int),
        ("callback", ctypes.c_void_p),
        ("item", ctypes.c_void_p),
        ("utt", ctypes.c_void_p),
        ("userdata", ctypes.c_void_p),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


class _Utterance(ctypes.Structure):
    _fields_ = [("features", ctypes.c_void_p)]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p
)


def _stop(_wave: int, _start: int, _size: int, _last: int, _info: int) -> int:
    return _STOP


_no_waveform = _Callback(_stop)


_SIGNATURES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "flite_init": (ctypes.c_int, ()),
    "flite_synth_text": (ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_void_p)),
    "flite_feat_set": (None, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)),
    "flite_feat_set_float": (None, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float)),
    "flite_ffeature_float": (ctypes.c_float, (ctypes.c_void_p, ctypes.c_char_p)),
    "flite_ffeature_string": (ctypes.c_char_p, (ctypes.c_void_p, ctypes.c_char_p)),
    "new_audio_streaming_info": (ctypes.POINTER(_Streaming), ()),
    "audio_streaming_info_val": (ctypes.c_void_p, (ctypes.POINTER(_Streaming),)),
    "utt_relation": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
    "relation_head": (ctypes.c_void_p, (ctypes.c_void_p,)),
    "item_next": (ctypes.c_void_p, (ctypes.c_void_p,)),
    "item_as": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
    "item_parent": (ctypes.c_void_p, (ctypes.c_void_p,)),
    "item_feat_string": (ctypes.c_char_p, (ctypes.c_void_p, ctypes.c_char_p)),
    "item_feat_float": (ctypes.c_float, (ctypes.c_void_p, ctypes.c_char_p)),
    "feat_val": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
    "val_track": (ctypes.POINTER(_Track), (ctypes.c_void_p,)),
    "delete_utterance": (None, (ctypes.c_void_p,)),
}


def installed() -> bool:
    """Whether flite and its voices can be found here, without loading them."""
    return ctypes.util.find_library("flite_cmu_us_slt") is not None


def _open(name: str) -> ctypes.CDLL:
    for candidate in (f"lib{name}.so.1", ctypes.util.find_library(name)):
        if candidate is not None:
            try:
                return ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
            except OSError:
                continue
    raise EngineUnavailable(
        f"the library {name} cannot be loaded",
        fix="install flite (Debian and Ubuntu: apt-get install libflite1)",
    )


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    core = _open("flite")
    _open("flite_usenglish")
    _open("flite_cmulex")
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(core, name)
        function.restype = result
        function.argtypes = arguments
    core.flite_init()
    return core


@lru_cache(maxsize=len(VOICES))
def _register(voice: str) -> Any:
    """The library's voice, set never to make a waveform."""
    core = _library()
    register = getattr(_open(f"flite_cmu_us_{voice}"), f"register_cmu_us_{voice}")
    register.restype = ctypes.POINTER(_Voice)
    register.argtypes = (ctypes.c_char_p,)
    handle = register(None)
    info = core.new_audio_streaming_info()
    info.contents.callback = ctypes.cast(_no_waveform, ctypes.c_void_p).value
    info.contents.min_buffsize = 256
    core.flite_feat_set(handle.contents.features, b"streaming_info", core.audio_streaming_info_val(info))
    return handle


class FliteVoice:
    """One of flite's statistical voices; see :class:`~tts.engines.clone.score.BaseVoice`."""

    statistical = True

    def __init__(self, voice: str) -> None:
        self.name = f"flite:{voice}"
        self.gender = VOICES[voice]
        self._core = _library()
        self._voice = _register(voice)

    def score(self, text: str, *, pace: float = 1.0) -> Score:
        """See :meth:`~tts.engines.clone.score.BaseVoice.score`."""
        spoken = _speakable(text)
        if not any(character.isalnum() for character in spoken):
            return Score(np.zeros(0, np.float32), np.zeros((0, CEPSTRA), np.float32), (), ())
        features = self._voice.contents.features
        self._core.flite_feat_set_float(features, b"duration_stretch", 1 / pace)
        utterance = self._core.flite_synth_text(spoken.encode("ascii"), self._voice)
        if not utterance:
            raise SynthesisFailed(f"flite could not say {text[:40]!r}")
        try:
            f0, cepstra = self._trajectories(utterance)
            return Score(f0, cepstra, self._segments(utterance), self._words(utterance, spoken))
        finally:
            self._core.delete_utterance(utterance)

    def _trajectories(self, utterance: int) -> tuple[Floats, Floats]:
        features = ctypes.cast(utterance, ctypes.POINTER(_Utterance)).contents.features
        value = self._core.feat_val(features, b"param_track")
        if not value:
            raise SynthesisFailed("flite made no parameters; is this version 2.1 or newer?")
        track = self._core.val_track(value).contents
        frames, channels = track.num_frames, track.num_channels
        rows = ctypes.cast(track.frames, ctypes.POINTER(ctypes.c_void_p))[:frames]
        copied = b"".join(ctypes.string_at(row, channels * _FLOAT) for row in rows)
        table = np.frombuffer(copied, np.float32).reshape(frames, channels).astype(np.float64)
        means, spreads = table[:, 2::2], np.maximum(table[:, 3::2], 1e-3)
        smooth = smoothest(
            means[:, :_ORDER],
            spreads[:, :_ORDER],
            means[:, _ORDER : 2 * _ORDER],
            spreads[:, _ORDER : 2 * _ORDER],
        )
        cepstra = np.zeros((frames, CEPSTRA), np.float32)
        cepstra[:, :_ORDER] = smooth
        cepstra[:, 0] -= _LOUDEST
        return table[:, 0].astype(np.float32), cepstra

    def _items(self, utterance: int, relation: bytes) -> Iterator[int]:
        item = self._core.relation_head(self._core.utt_relation(utterance, relation))
        while item:
            yield item
            item = self._core.item_next(item)

    def _segments(self, utterance: int) -> tuple[Segment, ...]:
        segments, start = [], 0.0
        for item in self._items(utterance, b"Segment"):
            end = float(self._core.item_feat_float(item, b"end"))
            name = self._core.item_feat_string(item, b"name").decode("ascii")
            segments.append(Segment(from_flite(name), start, end))
            start = end
        return tuple(segments)

    def _words(self, utterance: int, text: str) -> tuple[SpokenWord, ...]:
        """
        The tokens of the text in time.

        A token may be said as several words ("2" and "nd"); they share its span and become one.
        """
        words: list[SpokenWord] = []
        cursor, current = 0, None
        for item in self._items(utterance, b"Word"):
            start = float(self._core.flite_ffeature_float(item, _WORD_START))
            end = float(self._core.flite_ffeature_float(item, _WORD_END))
            if end <= start:
                continue
            token = self._core.item_parent(self._core.item_as(item, b"Token"))
            if token == current and words:
                words[-1] = replace(words[-1], end=end)
                continue
            name = self._core.item_feat_string(token, b"name").decode("ascii", "replace")
            position = text.find(name, cursor)
            if position >= 0:
                current, cursor = token, position + len(name)
                words.append(SpokenWord(name, start, end, (position, cursor)))
        return tuple(words)


def _speakable(text: str) -> str:
    """``text`` with every character made one that flite says or passes over, so that spans still hold."""
    characters = []
    for character in text.translate(_SAFE):
        base = unicodedata.normalize("NFKD", character)[:1]
        characters.append(" " if _SILENT.match(base) or not base else base)
    return "".join(characters)


def smoothest(
    means: NDArray[np.float64],
    spreads: NDArray[np.float64],
    slopes: NDArray[np.float64],
    slope_spreads: NDArray[np.float64],
) -> NDArray[np.float64]:
    """
    The likeliest trajectories under Gaussians for each value and each slope, independent dimensions.

    Args:
        means: Shape ``(frames, dims)``, as are the others. A slope is half the difference of the neighbours.

    Source: Tokuda et al., *Speech parameter generation algorithms for HMM-based speech synthesis*,
    ICASSP 2000.
    """
    frames, dims = means.shape
    if frames < 3:
        return means
    static = spreads**-2.0
    dynamic = slope_spreads**-2.0
    dynamic[0] = dynamic[-1] = 0  # no neighbour on one side
    earlier = np.zeros_like(dynamic)
    earlier[1:] = dynamic[:-1]
    later = np.zeros_like(dynamic)
    later[:-1] = dynamic[1:]
    pull = np.zeros_like(slopes)
    pull[1:] += 0.5 * (dynamic * slopes)[:-1]
    pull[:-1] -= 0.5 * (dynamic * slopes)[1:]
    target = static * means + pull
    bands = np.zeros((3, frames, dims))
    bands[0] = static + 0.25 * (earlier + later)
    bands[2, :-2] = -0.25 * dynamic[1:-1]
    solved = [
        solveh_banded(bands[:, :, d], target[:, d], lower=True, check_finite=False) for d in range(dims)
    ]
    return np.stack(solved, axis=1)

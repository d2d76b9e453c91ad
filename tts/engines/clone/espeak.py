"""
espeak-ng as a base voice, through its library and our own analysis.

espeak-ng is GPL-3.0-or-later: this module is imported only inside the synthesis worker, and only where flite
is not installed or espeak was asked for. Its state is global, so a process has one voice speaking at a time.
"""

from __future__ import annotations

import ctypes
import re
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
import soxr

from runtime.errors import EngineUnavailable, SynthesisFailed
from tts.engine import SpokenWord
from tts.engines.clone.envelope import envelope
from tts.engines.clone.phones import from_ipa
from tts.engines.clone.pitch import track
from tts.engines.clone.score import HOP, Floats, Score, Segment
from tts.engines.clone.spectrum import CEPSTRA, encode

VOICES: Final[dict[str, tuple[str, str, int]]] = {
    "female": ("en-us+f3", "female", 60),
    "male": ("en-us", "male", 45),
    "scot": ("en-gb-scotland+m3", "male", 55),
}
"""Name: espeak's voice and variant, gender, and pitch setting (0 to 99)."""

_RATE = 16_000
_FFT = 512
_WORDS_PER_MINUTE = 165
_REMEMBERED = 32
_SYNCHRONOUS, _PHONEME_EVENTS, _IPA, _STAY = 2, 1, 2, 0x8000
_UTF8, _CHARACTERS = 1, 1
_END, _WORD, _PHONEME = 0, 1, 7
_WRITTEN_WORD = re.compile(r"\w[\w'’.-]*\w|\w")
_RATE_SETTING, _PITCH_SETTING = 1, 3


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def installed() -> bool:
    """Whether the library's wheel is here, without loading it."""
    return find_spec("espeakng_loader") is not None


class _Library:
    """The one espeak-ng of this process, and what its last sentence gave."""

    def __init__(self) -> None:
        try:
            import espeakng_loader

            self._c = ctypes.CDLL(espeakng_loader.get_library_path())
            data = espeakng_loader.get_data_path().encode()
        except (ImportError, OSError) as error:
            raise EngineUnavailable(
                f"espeak-ng cannot be loaded: {error}",
                fix="install the extra: pip install 'vivavoce[espeak]'",
            ) from error
        self._c.espeak_Initialize.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
        self.rate: int = self._c.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _IPA | _STAY)
        if self.rate <= 0:
            raise EngineUnavailable("espeak-ng found no voice data", fix="reinstall espeakng-loader")
        self._c.espeak_Synth.argtypes = (
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        )
        self._callback = _Callback(self._collect)
        self._c.espeak_SetSynthCallback(self._callback)
        self._pcm: list[Any] = []
        self._events: list[tuple[int, int, int, int, str]] = []

    def _collect(self, wave: Any, count: int, events: Any) -> int:
        if wave and count > 0:
            self._pcm.append(np.ctypeslib.as_array(wave, shape=(count,)).astype(np.float32) / 32768)
        index = 0
        while events[index].type != _END:
            event = events[index]
            name = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "replace")
            name = name if event.type == _PHONEME else ""
            self._events.append((event.type, event.sample, event.text_position, event.length, name))
            index += 1
        return 0

    def say(
        self, text: str, voice: str, rate: int, pitch: int
    ) -> tuple[Floats, list[tuple[int, int, int, int, str]]]:
        self._pcm, self._events = [], []
        self._c.espeak_SetVoiceByName(voice.encode())
        self._c.espeak_SetParameter(_RATE_SETTING, rate, 0)
        self._c.espeak_SetParameter(_PITCH_SETTING, pitch, 0)
        encoded = text.encode() + b"\0"
        if self._c.espeak_Synth(encoded, len(encoded), 0, _CHARACTERS, 0, _UTF8, None, None) != 0:
            raise SynthesisFailed(f"espeak-ng could not say {text[:40]!r}")
        return np.concatenate([np.zeros(0, np.float32), *self._pcm]), self._events


@lru_cache(maxsize=1)
def _library() -> _Library:
    return _Library()


class EspeakVoice:
    """
    One espeak-ng voice; see :class:`~tts.engines.clone.score.BaseVoice`.

    Its wave generator carries phase from one sentence into the next, so the samples of a sentence depend on
    what was said before. The latest scores are kept, which makes a repeated request the same within one
    process; across processes espeak's timing agrees to a millisecond.
    """

    statistical = False

    def __init__(self, voice: str) -> None:
        self.name = f"espeak:{voice}"
        self._voice, self.gender, self._pitch = VOICES[voice]
        self._library = _library()
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._say)

    def score(self, text: str, *, pace: float = 1.0) -> Score:
        """See :meth:`~tts.engines.clone.score.BaseVoice.score`."""
        return self._remembered(text, pace)

    def _say(self, text: str, pace: float) -> Score:
        spoken = "".join(character if character.isprintable() else " " for character in text)
        if not any(character.isalnum() for character in spoken):
            return Score(np.zeros(0, np.float32), np.zeros((0, CEPSTRA), np.float32), (), ())
        rate = int(np.clip(_WORDS_PER_MINUTE * pace, 80, 450))
        samples, events = self._library.say(spoken, self._voice, rate, self._pitch)
        own_rate = self._library.rate
        seconds = len(samples) / own_rate
        narrow = soxr.resample(samples, own_rate, _RATE)
        if not len(narrow):
            return Score(np.zeros(0, np.float32), np.zeros((0, CEPSTRA), np.float32), (), ())
        f0 = track(narrow, _RATE, floor=70)
        cepstra = encode(envelope(narrow, f0, _RATE, _FFT), _RATE)[:, :CEPSTRA]
        frames = min(len(f0), int(seconds / HOP) + 1)
        return Score(
            f0[:frames],
            cepstra[:frames],
            tuple(_segments(events, own_rate, seconds)),
            tuple(_words(events, own_rate, seconds, spoken)),
        )


def _segments(events: list[tuple[int, int, int, int, str]], rate: int, seconds: float) -> list[Segment]:
    marks = [(sample / rate, name) for kind, sample, _, _, name in events if kind == _PHONEME]
    segments = []
    for (start, name), end in zip(marks, [start for start, _ in marks[1:]] + [seconds], strict=True):
        phones = list(from_ipa(name))
        cuts = np.linspace(start, end, len(phones) + 1).tolist()
        segments += [Segment(*part) for part in zip(phones, cuts[:-1], cuts[1:], strict=True)]
    return segments


def _words(
    events: list[tuple[int, int, int, int, str]], rate: int, seconds: float, text: str
) -> list[SpokenWord]:
    """
    The words of the text in time.

    espeak runs small words together ("in the") and reports only the first: the others share its time.
    """
    marks = [(position - 1, sample / rate) for kind, sample, position, _, _ in events if kind == _WORD]
    spans = [match.span() for match in _WRITTEN_WORD.finditer(text)]
    words: list[SpokenWord] = []
    for index, (begin, start) in enumerate(marks):
        upto, end = marks[index + 1] if index + 1 < len(marks) else (len(text), seconds)
        group = [span for span in spans if begin < span[1] and span[0] < upto]
        group = [span for span in group if not words or span[0] >= words[-1].source[1]]
        lengths = [0, *(stop - first for first, stop in group)]
        cuts = start + (end - start) * np.cumsum(lengths) / max(1, sum(lengths))
        words += [
            SpokenWord(text[slice(*span)], float(cut), float(then), span)
            for span, cut, then in zip(group, cuts[:-1], cuts[1:], strict=True)
        ]
    return words

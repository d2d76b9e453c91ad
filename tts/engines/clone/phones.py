"""The sounds every part of the engine talks about: 39 English phones and silence."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PHONES: tuple[str, ...] = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH"),
    *("IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V"),
    *("W", "Y", "Z", "ZH", "SIL"),
)
"""ARPAbet without stress, as in the CMU pronouncing dictionary, and ``SIL``."""

INDEX: dict[str, int] = {phone: index for index, phone in enumerate(PHONES)}
SILENCE = INDEX["SIL"]
STATES = 3
"""Each phone is a beginning, a middle and an end: the states of the usual phone HMM."""

_CLASSES = (
    "AA AO AH AW AY OW",
    "AE EH EY",
    "IH IY Y",
    "UH UW W OY",
    "ER R",
    "L",
    "M N NG",
    "S Z",
    "SH ZH CH JH",
    "F TH V DH HH",
    "P B",
    "T D",
    "K G",
    "SIL",
)
CLASS_OF: NDArray[np.intp] = np.array(
    [next(index for index, members in enumerate(_CLASSES) if phone in members.split()) for phone in PHONES]
)
"""Class of each phone: sounds made alike, which stand in for each other where a clip lacks one."""
CLASSES = len(_CLASSES)

VOICED: NDArray[np.bool_] = np.array(
    [phone not in {"CH", "F", "HH", "K", "P", "S", "SH", "T", "TH", "SIL"} for phone in PHONES]
)
VOWELS: NDArray[np.bool_] = np.array([phone[0] in "AEIOU" for phone in PHONES])

_FLITE = {"ax": "AH", "axr": "ER", "pau": "SIL", "dx": "D", "ix": "IH", "hv": "HH", "el": "L", "em": "M"}
_FLITE |= {"en": "N", "h#": "SIL", "brth": "SIL", "ssil": "SIL", "sil": "SIL"}

_IPA = {
    "iː": "IY", "i": "IY", "ɪ": "IH", "ᵻ": "IH", "eɪ": "EY", "e": "EY", "ɛ": "EH", "æ": "AE", "a": "AA",
    "aː": "AA", "ɑː": "AA", "ɑ": "AA", "ɒ": "AA", "ɔ": "AO", "ɔː": "AO", "oː": "AO", "o": "OW", "oʊ": "OW",
    "əʊ": "OW", "ʊ": "UH", "uː": "UW", "u": "UW", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɚ": "ER", "ɜː": "ER",
    "ɜ": "ER", "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY", "aɪɚ": "AY ER", "aɪə": "AY AH", "iə": "IY AH",
    "ɪɹ": "IH R", "ɛɹ": "EH R", "ʊɹ": "UH R", "oːɹ": "AO R", "ɔːɹ": "AO R", "ɑːɹ": "AA R", "əl": "AH L",
    "n̩": "N", "l̩": "L", "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "ɡ": "G", "g": "G", "tʃ": "CH",
    "dʒ": "JH", "f": "F", "v": "V", "θ": "TH", "ð": "DH", "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "h": "HH",
    "m": "M", "n": "N", "ŋ": "NG", "l": "L", "ɫ": "L", "ɹ": "R", "r": "R", "w": "W", "j": "Y", "ɾ": "D",
    "ʔ": "T", "x": "K", "ç": "HH", "ɬ": "L", "ɲ": "N",
}  # fmt: skip

_STRESS = re.compile("[ˈˌ_:‿|-]")


def from_flite(name: str) -> int:
    """The phone that flite's US English calls ``name`` (lower case, with its own allophones)."""
    return INDEX.get(_FLITE.get(name, name.upper()), INDEX["AH"])


def from_ipa(symbol: str) -> Iterator[int]:
    """The phones of one espeak-ng phoneme: none for a bare stress mark, two for an r-coloured vowel."""
    bare = _STRESS.sub("", symbol)
    if not bare:
        yield SILENCE
        return
    for name in _IPA.get(bare, _IPA.get(bare.rstrip("ː"), "AH")).split():
        yield INDEX[name]


def from_cmu(name: str) -> int:
    """The phone of a pocketsphinx alignment: ARPAbet, or one of its fillers (``SIL``, ``+NSN+``)."""
    return INDEX.get(name, SILENCE)

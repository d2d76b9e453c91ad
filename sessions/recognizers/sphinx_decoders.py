"""
The child's side of the embedded recogniser: a few pocketsphinx decoders, each with one utterance at a time.

pocketsphinx holds the interpreter lock while it decodes, and a decoder takes about 91 MB, which is why it
lives in a worker process and why decoders are lent for an utterance rather than owned by a call.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Final

SECONDS_PER_FRAME: Final = 0.01

CEPSTRAL_MEAN: Final = "44.4,5.5,-3.8,8.0,-2.9,1.8,-3.6,-2.2,-0.5,0.4,1.2,-0.8,0.2"
"""
Where cepstral mean normalisation starts for an unknown voice and line: the mean over 19 recordings of
10 speakers after decoding them. Word error of their first pass: 0.34, against 0.40 from the decoder's
own default; 0.28 when each goes on from its own mean.
"""

MOST_HMMS: Final = 3_000
"""
Phone models kept alive in a frame; the decoder's own bound is 30 000. On 220 s of 39 recordings a second of
speech took 73 ms in the place of 122, the end of an utterance 82 ms in the place of 224 (95 of 100), at a
word error of 0.419 in the place of 0.417. 1 000 take 54 ms and cost 0.08. Looking at fewer densities
(``topn``) saves a tenth more, and no longer tells "billing department" where it is expected.
"""

DOUBT: Final = 0.5
"""Mean posterior of an utterance's words below which it is compared with what was expected."""

CLOSER: Final = 0.1
"""By how much the score of an expected phrase must then be better, both as the decoder's shares of 1."""

MOST_GRAMMARS: Final = 32
"""Kept ready by each decoder."""

_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder made of an utterance."""

    text: str
    words: tuple[tuple[str, float, float, float], ...]
    """Word, start and end in seconds, posterior probability."""
    cepstral_mean: str
    """What it learnt about voice and line; the next utterance of the same caller begins from it."""


class SphinxDecoders:
    """
    ``count`` decoders of US English, numbered from 0. The first is loaded at once, others when asked for.

    Raises:
        ImportError: pocketsphinx is not installed.
    """

    def __init__(self, count: int) -> None:
        import pocketsphinx

        self._make = pocketsphinx.Decoder
        self._decoders: list[Any] = [None] * count
        # The audio of the open utterance of each, for a second look at its end.
        self._open: dict[int, bytearray] = {}
        self._grammars: list[OrderedDict[tuple[str, ...], str]] = [OrderedDict() for _ in range(count)]
        self._decoder(0)

    def begin(self, number: int, cepstral_mean: str | None) -> None:
        """Start an utterance on a decoder; one that was left open there is thrown away."""
        decoder = self._decoder(number)
        if self._open.pop(number, None) is not None:
            decoder.end_utt()
        self._open[number] = bytearray()
        decoder.start_stream()  # forgets the noise of the caller before
        decoder.set_cmn(cepstral_mean or CEPSTRAL_MEAN)
        decoder.start_utt()

    def feed(self, number: int, pcm: bytes) -> str:
        """Decode more audio, 16 kHz little-endian int16, and return the words so far."""
        decoder = self._decoder(number)
        self._open[number] += pcm
        decoder.process_raw(pcm, False, False)
        hypothesis = decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""

    def finish(self, number: int, expects: tuple[str, ...] = ()) -> Decoded:
        """
        End the utterance.

        Args:
            expects: Phrases it may well be. Where the words found are doubtful, and one of these explains
                the sound better, it is taken. Of 71 expected answers (8 voices of the engine's own and 3
                real ones) this finds 66, where the large vocabulary alone finds 55; of 55 others it takes 1
                for an expected one.
        """
        decoder = self._decoder(number)
        audio = self._open.pop(number)
        decoder.end_utt()
        heard, score = _result(decoder)
        if not expects or not heard.text or _sure(heard) or any(_says(heard.text, p) for p in expects):
            return heard
        expected, expected_score = self._search_expected(number, bytes(audio), expects)
        # Many words are not mistaken for few.
        alike = len(heard.words) <= 2 * len(expected.words) + 1
        return expected if expected.words and alike and expected_score >= score + CLOSER else heard

    def _search_expected(self, number: int, audio: bytes, expects: tuple[str, ...]) -> tuple[Decoded, float]:
        decoder = self._decoder(number)
        everything = decoder.current_search()
        mean = decoder.get_cmn(False)
        grammar = self._grammar(number, expects)
        if grammar is None:
            return Decoded("", (), mean), 0.0
        decoder.activate_search(grammar)
        try:
            decoder.start_stream()
            decoder.set_cmn(mean)
            decoder.start_utt()
            decoder.process_raw(audio, False, True)
            decoder.end_utt()
            found, score = _result(decoder)
        finally:
            decoder.activate_search(everything)
        # What was learnt of the voice stays as the whole vocabulary left it.
        return replace(found, cepstral_mean=mean), score

    def _grammar(self, number: int, expects: tuple[str, ...]) -> str | None:
        """The name of a search for one of these phrases; None where the dictionary knows none of them."""
        decoder, known = self._decoder(number), self._grammars[number]
        if expects in known:
            known.move_to_end(expects)
            return known[expects]
        phrases = [" ".join(words) for phrase in expects if (words := _spelled(decoder, phrase))]
        if not phrases:
            return None
        if len(known) >= MOST_GRAMMARS:
            decoder.remove_search(known.popitem(last=False)[1])
        name = f"expected-{abs(hash(expects))}"
        decoder.add_jsgf_string(name, f"#JSGF V1.0; grammar g; public <g> = {' | '.join(phrases)};")
        known[expects] = name
        return name

    def _decoder(self, number: int) -> Any:
        decoder = self._decoders[number]
        if decoder is None:
            # No second search over a flattened lexicon: it takes 0.4 s at the end of an utterance and won
            # nothing on real clips. The lattice's best path takes under 0.1 s and does win (word error
            # 0.33 against 0.39).
            decoder = self._make(
                samprate=16000,
                loglevel="FATAL",
                fwdflat=False,
                bestpath=True,
                maxhmmpf=MOST_HMMS,
            )
            self._decoders[number] = decoder
        return decoder


def _result(decoder: Any) -> tuple[Decoded, float]:
    hypothesis = decoder.hyp()
    words = tuple(
        (
            segment.word.partition("(")[0],
            segment.start_frame * SECONDS_PER_FRAME,
            (segment.end_frame + 1) * SECONDS_PER_FRAME,
            min(1.0, segment.prob),
        )
        for segment in (decoder.seg() or ())
        if segment.word[0] not in "<[+("  # silence and noises
    )
    text = hypothesis.hypstr if hypothesis else ""
    return Decoded(text, words, decoder.get_cmn(True)), hypothesis.score if hypothesis else 0.0


def _sure(heard: Decoded) -> bool:
    return bool(heard.words) and math.fsum(word[3] for word in heard.words) / len(heard.words) >= DOUBT


def _says(text: str, phrase: str) -> bool:
    return f" {' '.join(_WORD.findall(phrase.lower()))} " in f" {text} "


def _spelled(decoder: Any, phrase: str) -> list[str] | None:
    """The words of a phrase; None where the dictionary lacks one of them."""
    words = _WORD.findall(phrase.lower())
    return words if all(decoder.lookup_word(word) for word in words) else None

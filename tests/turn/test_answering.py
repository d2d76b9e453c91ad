from __future__ import annotations

from pathlib import Path

import pytest

from runtime.media.frame import LISTENING_RATE
from runtime.turn.answering import Answerer, AnsweringDetector, AnsweringSettings
from runtime.turn.events import WINDOW_SECONDS, VadWindow
from runtime.turn.silero import SileroVad
from runtime.turn.vad import VadBatch
from tests.turn.voices import recording, silence


def judged(*stretches: tuple[bool, float]) -> tuple[Answerer | None, float]:
    """The verdict on speech and silence of so many seconds, and when it fell."""
    detector, at = AnsweringDetector(), 0
    for speaks, seconds in stretches:
        for _ in range(round(seconds / WINDOW_SECONDS)):
            window = VadWindow(at, 0.9 if speaks else 0.05, -25.0)
            at = window.end
            if verdict := detector.push(window):
                return verdict, at / LISTENING_RATE
    return None, at / LISTENING_RATE


def test_a_person_says_a_word_and_waits() -> None:
    verdict, when = judged((False, 0.8), (True, 0.6), (False, 3.0))
    assert verdict == "person"
    assert when == pytest.approx(0.8 + 0.6 + 1.2, abs=0.1)


def test_a_machine_goes_on_also_with_pauses_between_its_words() -> None:
    assert judged((False, 0.5), (True, 4.0))[0] == "machine"
    assert judged((False, 0.5), (True, 0.5), (False, 0.9), (True, 2.5))[0] == "machine"


def test_nobody_says_nothing() -> None:
    verdict, when = judged((False, 8.0))
    assert verdict == "nobody"
    assert when == pytest.approx(5.0, abs=0.1)


def test_it_is_decided_once_and_silence_is_counted_on() -> None:
    detector = AnsweringDetector()
    verdicts = [detector.push(VadWindow(512 * n, 0.9, -20.0)) for n in range(120)]
    assert [verdict for verdict in verdicts if verdict] == ["machine"]
    for n in range(120, 150):
        detector.push(VadWindow(512 * n, 0.1, -60.0))
    assert detector.quiet_for(512 * 150) == pytest.approx(30 * WINDOW_SECONDS)


@pytest.mark.parametrize("field", ["greeting", "pause", "silence", "threshold"])
def test_settings_have_bounds(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        AnsweringSettings(**{field: -1.0})


@pytest.mark.clips
def test_real_words_and_real_announcements(clips: Path) -> None:
    expected = {
        "turn-dograh-nope_m_44100_3.4s.flac": "person",
        "turn-dograh-yes_m_44100_2.5s.flac": "person",
        "librivox-sense-0870_m_16000_7.1s.flac": "machine",
        "libri2300-131720-0008_m_16000_9.1s.flac": "machine",
        "libri3080-5032-0002_f_16000_10.0s.flac": "machine",
        "libri2414-128291-0004_m_16000_10.4s.flac": "machine",
    }
    model = SileroVad()
    found = {}
    for name in expected:
        batch, detector = VadBatch(model), AnsweringDetector()
        stream = batch.open()
        stream.push(recording(clips / "C_conversation" / name))
        stream.push(silence(3.0))
        found[name] = next(filter(None, (detector.push(window) for _, window in batch.step())))
    assert found == expected

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from scipy.signal import butter, sosfilt

from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.media.g711 import G711_RATE, decode_mulaw, encode_mulaw
from runtime.turn.barge_in import BargeInDetector
from runtime.turn.echo import EchoDetector
from runtime.turn.events import BargedIn, Ducked, VadWindow
from runtime.turn.silero import SileroVad
from runtime.turn.vad import VadBatch
from tests.media.tones import Signal, on_a_line, quiet, telephone_speech
from tests.turn.voices import voice

PACKET = 160

LINE = butter(2, [300, 3_300], "bandpass", fs=G711_RATE, output="sos")
"""What a telephone and its line make of a voice."""


def narrow(pcm: Pcm) -> Signal:
    samples: Signal = soxr.resample(pcm / 32_768.0, LISTENING_RATE, G711_RATE)
    return samples


def returned(
    agent: Signal, *, delay: float, loss: float, caller: Signal | None = None, at: float = 0.0
) -> Pcm:
    """What comes from the line, at 16 kHz: our echo, perhaps a caller from ``at`` on, and some noise."""
    line = np.concatenate([quiet(delay), sosfilt(LINE, agent) * 10 ** (-loss / 20), quiet(0.5)])
    if caller is not None:
        begin = round(at * G711_RATE)
        line[begin : begin + len(caller)] += caller[: len(line) - begin]
    up = soxr.resample(on_a_line(line, noise=-62.0), G711_RATE, LISTENING_RATE, quality="QQ")
    return np.asarray(up, np.int16)


class Line:
    """We play; the line brings something back."""

    def __init__(self, agent: Signal) -> None:
        self._coded = encode_mulaw(np.rint(agent * 32_767).astype(np.int16))
        self._sent = 0
        self.echo = EchoDetector(G711_RATE, decode_mulaw)

    def until(self, now: float) -> None:
        """Packets leave a little ahead of their time."""
        while self._sent * PACKET < len(self._coded) and self._sent * 0.02 <= now + 0.1:
            packet = self._coded[self._sent * PACKET : (self._sent + 1) * PACKET]
            self.echo.plays(packet, self._sent * 0.02, 0.02)
            self._sent += 1
        self.echo.came_in(now)


def shares(agent: Signal, heard: Pcm) -> list[bool]:
    """Whether each 32 ms are taken for echo, from 0.2 s on."""
    line, found = Line(agent), []
    for end in range(3_200, len(heard), 512):
        line.until(end / LISTENING_RATE)
        found.append(line.echo.is_echo(heard[:end]))
    return found


@pytest.mark.parametrize("delay", [0.02, 0.15, 0.5])
@pytest.mark.parametrize("loss", [6.0, 20.0])
def test_our_own_voice_is_known_at_any_delay_and_level(delay: float, loss: float) -> None:
    agent = narrow(voice(3.0, pitch=190.0, level=-14.0))
    found = shares(agent, returned(agent, delay=delay, loss=loss))
    inside = found[round(delay / 0.032) : 85]
    assert np.mean(inside) > 0.85


def test_another_voice_is_not_ours() -> None:
    agent, caller = narrow(voice(3.0, pitch=110.0)), narrow(voice(3.0, pitch=190.0))
    heard = returned(np.zeros_like(agent), delay=0.1, loss=0.0, caller=caller)
    assert not any(shares(agent, heard))


def test_a_caller_over_the_echo_is_not_ours() -> None:
    agent, caller = narrow(voice(4.0, pitch=190.0)), narrow(voice(2.0, pitch=110.0))
    heard = returned(agent, delay=0.12, loss=15.0, caller=caller, at=1.5)
    found = shares(agent, heard)
    assert np.mean(found[10:38]) > 0.9
    assert np.mean(found[48:85]) < 0.2


def test_nothing_played_nothing_returns() -> None:
    echo = EchoDetector(G711_RATE, decode_mulaw)
    echo.came_in(10.0)
    assert not echo.may_return
    assert not echo.is_echo(np.ones(4_096, np.int16))
    echo.plays(b"\xff" * 160, 10.0, 0.02)
    assert echo.may_return
    assert not echo.is_echo(np.zeros(4_096, np.int16))
    assert not echo.is_echo(np.ones(100, np.int16))
    echo.came_in(11.0)
    assert not echo.may_return


def test_little_is_kept() -> None:
    echo = EchoDetector(G711_RATE, decode_mulaw)
    for number in range(5_000):
        echo.plays(b"\xff" * 160, 0.02 * number, 0.02)
    assert len(echo._played) <= 110


def test_wide_lines_are_compared_as_narrow_ones() -> None:
    spoken = voice(2.0)
    echo = EchoDetector(LISTENING_RATE, lambda coded: np.frombuffer(coded, "<i2"))
    for at in range(0, len(spoken), 320):
        echo.plays(spoken[at : at + 320].tobytes(), at / LISTENING_RATE, 0.02)
    echo.came_in(1.6)
    heard = np.concatenate([np.zeros(1_600, np.int16), spoken // 4])[: round(1.6 * LISTENING_RATE)]
    assert echo.is_echo(heard)
    assert echo.is_echo(heard[:-320], age=0.02)


@pytest.mark.clips
def test_echoes_of_real_voices_stop_nobody_and_real_callers_do(clips: Path) -> None:
    paths = sorted((clips / "A_good").glob("*.flac"))[:12]
    model, rng = SileroVad(), np.random.default_rng(6)
    false, held, late = 0, 0, 0
    for number, path in enumerate(paths):
        agent = telephone_speech(path, level=-20.0)
        delay, loss = float(rng.uniform(0.06, 0.25)), (10.0, 20.0)[number % 2]
        events = _events(model, agent, returned(agent, delay=delay, loss=loss))
        false += any(isinstance(event, BargedIn) for event, _ in events)
        held += sum(isinstance(event, Ducked) for event, _ in events)
        caller = telephone_speech(paths[(number + 5) % len(paths)], level=-22.0)
        alone = _ducked(
            _events(model, agent, returned(0 * agent, delay=delay, loss=loss, caller=caller, at=0.8))
        )
        over = _ducked(_events(model, agent, returned(agent, delay=delay, loss=loss, caller=caller, at=0.8)))
        late += over > alone + 0.25
    assert false == 0
    assert held <= 3
    assert late <= 1


def _events(model: SileroVad, agent: Signal, heard: Pcm) -> list[tuple[object, float]]:
    """What barge-in makes of a line while we speak, with the echo taken out."""
    batch, line, detector = VadBatch(model), Line(agent), BargeInDetector()
    batch.open().push(heard)
    events: list[tuple[object, float]] = []
    for _, window in batch.step():
        now = window.end / LISTENING_RATE
        line.until(now)
        if window.probability >= 0.3 and line.echo.is_echo(heard[: window.end]):
            window = VadWindow(window.start, 0.0, window.level)
        if event := detector.push(window):
            events.append((event, now))
    return events


def _ducked(events: list[tuple[object, float]]) -> float:
    return next((at for event, at in events if isinstance(event, Ducked) and at > 0.8), 9.0)

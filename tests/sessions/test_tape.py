from __future__ import annotations

import io
import os
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.g711 import encode_mulaw
from sessions.tape import FURTHEST_AHEAD, SETTLED, Sound, Tape
from sessions.tape_file import (
    FRAME_BYTES,
    HEADER_BYTES,
    RECORDING_RATE,
    TapeFile,
    decoded,
    recovered,
    wav_header,
)


def tone(seconds: float, rate: int, *, level: int = 1000) -> Sound:
    pcm = np.full(round(seconds * rate), level, "<i2")
    return Sound(rate, len(pcm), pcm.tobytes())


def samples(sounds: object) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.concatenate([np.zeros(0, np.int16), *(decoded(sound) for sound in sounds)])  # type: ignore[attr-defined]


def test_both_sides_are_as_long_as_the_call() -> None:
    tape = Tape(began=100.0)
    tape.hear(tone(0.5, 8_000), 101.5)
    tape.say(tone(0.25, 24_000), 103.0)
    caller, agent = tape.rest(110.0)
    assert sum(sound.seconds for sound in caller) == pytest.approx(10.0, abs=0.001)
    assert sum(sound.seconds for sound in agent) == pytest.approx(10.0, abs=0.001)


def test_the_caller_ends_where_their_audio_came_in_and_the_agent_begins_where_it_left() -> None:
    tape = Tape(began=0.0)
    tape.hear(tone(0.5, 8_000), 1.5)
    tape.say(tone(0.5, 8_000), 3.0)
    caller, agent = tape.rest(5.0)
    assert np.flatnonzero(samples(caller))[[0, -1]].tolist() == [8_000, 11_999]
    assert np.flatnonzero(samples(agent))[[0, -1]].tolist() == [24_000, 27_999]


def test_jitter_is_no_pause() -> None:
    tape = Tape(began=0.0)
    for packet in range(50):
        tape.hear(tone(0.02, 8_000), 0.02 * (packet + 1) + (0.05 if packet % 7 == 3 else 0.0))
    caller, _ = tape.rest(2.0)
    assert np.count_nonzero(samples(caller)) == np.flatnonzero(samples(caller))[-1] + 1 == 8_000


def test_a_recording_sent_at_once_is_kept_in_order_and_bounded() -> None:
    tape = Tape(began=0.0)
    for second in range(100):
        tape.hear(tone(1.0, 8_000, level=second + 1), 1.0)
    caller, _ = tape.rest(60.0)
    heard = samples(caller)
    assert np.flatnonzero(heard).size <= (FURTHEST_AHEAD + 1) * 8_000
    assert np.all(np.diff(heard[: np.flatnonzero(heard)[-1] + 1].astype(int)) >= 0)


def test_what_was_taken_back_was_never_said() -> None:
    tape = Tape(began=0.0)
    tape.say(tone(1.0, 8_000), 1.0)
    tape.unsay(0.4, 1.6)
    _, agent = tape.rest(4.0)
    assert np.flatnonzero(samples(agent))[[0, -1]].tolist() == [8_000, 8_000 + 4_799]


def test_silence_settles_as_time_passes() -> None:
    tape = Tape(began=0.0)
    caller, agent = tape.take(10.0)
    assert sum(sound.seconds for sound in caller) == pytest.approx(10.0 - SETTLED)
    assert sum(sound.seconds for sound in agent) == pytest.approx(10.0 - SETTLED)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["hear", "say", "take"]),
            st.floats(0.005, 0.5),
            st.sampled_from([8_000, 16_000, 24_000, 48_000]),
        ),
        max_size=60,
    )
)
def test_taken_in_any_pieces_nothing_is_lost_or_doubled(
    script: list[tuple[str, float, int]],
) -> None:
    pieces, whole = Tape(began=0.0), Tape(began=0.0)
    now = 0.0
    taken: tuple[list[Sound], list[Sound]] = ([], [])
    for verb, seconds, rate in script:
        now += seconds
        if verb == "take":
            for side, sounds in zip(taken, pieces.take(now), strict=True):
                side.extend(sounds)
        else:
            for tape in (pieces, whole):
                getattr(tape, verb)(tone(seconds, rate), now)
    for side, sounds in zip(taken, pieces.rest(now + 1.0), strict=True):
        side.extend(sounds)
    for side, once in zip(taken, whole.rest(now + 1.0), strict=True):
        sound = sum(np.count_nonzero(decoded(block)) / block.rate for block in side)
        assert sound == pytest.approx(sum(np.count_nonzero(decoded(b)) / b.rate for b in once), abs=0.01)
        assert sum(block.seconds for block in side) == pytest.approx(now + 1.0, abs=0.01)


def test_a_file_is_a_stereo_wav_of_the_calls_length(tmp_path: Path) -> None:
    tape = Tape(began=0.0)
    tape.hear(tone(1.0, 8_000, level=4_000), 2.0)
    mulaw = encode_mulaw(np.full(8_000, -4_000, np.int16))
    tape.say(Sound(8_000, 8_000, mulaw, "pcmu"), 3.0)
    file = TapeFile(tmp_path / "call.wav")
    file.write(*tape.take(4.0))
    file.write(*tape.rest(6.0))
    file.close(6.0)
    file.release()
    with wave.open(str(tmp_path / "call.wav")) as wav:
        assert (wav.getnchannels(), wav.getframerate(), wav.getsampwidth()) == (2, RECORDING_RATE, 2)
        assert wav.getnframes() == 6 * RECORDING_RATE
        both = np.frombuffer(wav.readframes(6 * RECORDING_RATE), "<i2").reshape(-1, 2)
    middle = RECORDING_RATE // 2
    assert both[RECORDING_RATE + middle].tolist() == pytest.approx([4_000, 0], abs=50)
    assert both[3 * RECORDING_RATE + middle].tolist() == pytest.approx([0, -4_000], abs=150)


def test_what_a_crash_left_is_whole_to_its_last_frame(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    file = TapeFile(path)
    file.write([tone(3.0, 16_000)], [tone(3.0, 16_000)])
    assert recovered(path) is None  # somebody still writes it
    file.release()
    with path.open("ab") as torn:
        torn.write(b"\1\2\3")
    assert recovered(path) == pytest.approx(3.0)
    with wave.open(str(path)) as wav:
        assert wav.getnframes() == 3 * RECORDING_RATE


def test_an_empty_leftover_is_an_empty_recording(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"RIFF")
    assert recovered(path) == 0.0
    assert os.path.getsize(path) == HEADER_BYTES


def test_the_header_says_what_wave_readers_need() -> None:
    file = io.BytesIO(wav_header(5 * FRAME_BYTES) + bytes(5 * FRAME_BYTES))
    with wave.open(file) as wav:
        assert wav.getparams()[:4] == (2, 2, RECORDING_RATE, 5)


def test_what_nobody_takes_becomes_silence_of_the_same_length() -> None:
    tape = Tape(began=0.0)
    for second in range(100):
        tape.say(tone(1.0, 8_000), float(second))
    _, agent = tape.rest(100.0)
    assert sum(sound.seconds for sound in agent) == pytest.approx(100.0)
    assert sum(len(sound.coded) for sound in agent) <= 62 * 16_000

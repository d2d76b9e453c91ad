from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidRequest
from runtime.media.active_level import active_level
from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.media.g711 import decode_alaw, decode_mulaw
from runtime.media.prompt import AFTER, BEFORE, PROMPT_FORMATS, finish_prompt, prompt_format
from tests.recordings import decoded
from tests.turn.voices import recording, silence, voice

ULAW = prompt_format("ulaw8k")


def spoken(level: float = -20.0) -> Pcm:
    return np.concatenate([silence(0.7), voice(1.5, level=level), silence(0.9)])


@pytest.mark.parametrize("level", [-45.0, -26.0, -12.0])
def test_a_prompt_has_the_level_of_the_network_whatever_the_speech_had(level: float) -> None:
    prompt = finish_prompt(spoken(level), LISTENING_RATE, ULAW)
    assert prompt.level_dbov == pytest.approx(-26.0, abs=0.3)
    assert active_level(decode_mulaw(prompt.data), 8_000) == pytest.approx(-26.0, abs=0.5)


def test_the_level_can_be_chosen_and_nothing_clips() -> None:
    loud = finish_prompt(spoken(), LISTENING_RATE, ULAW, level_dbov=-16.0)
    assert loud.peak_dbfs <= -1.4
    assert np.abs(decode_mulaw(loud.data).astype(int)).max() < 32_124
    with pytest.raises(InvalidRequest, match="-36 and -16"):
        finish_prompt(spoken(), LISTENING_RATE, ULAW, level_dbov=-3.0)


def test_silence_is_trimmed_and_evenly_put_back() -> None:
    prompt = finish_prompt(spoken(), LISTENING_RATE, ULAW)
    assert prompt.seconds == pytest.approx(1.5 + BEFORE + AFTER, abs=0.1)
    heard = decode_mulaw(prompt.data)
    assert not heard[: round(BEFORE * 8_000)].any()
    assert not heard[-round(AFTER * 8_000) :].any()


def test_hum_goes_and_speech_stays() -> None:
    time = np.arange(3 * LISTENING_RATE) / LISTENING_RATE
    hum = (8_000 * np.sin(2 * np.pi * 50 * time)).astype(np.int16)
    speech = np.clip(np.pad(spoken(), (0, len(hum)))[: len(hum)].astype(int) + hum, -32_768, 32_767)
    heard = decode_mulaw(finish_prompt(speech.astype(np.int16), LISTENING_RATE, ULAW).data)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    hertz = np.fft.rfftfreq(len(heard), 1 / 8_000)
    assert spectrum[hertz < 60].max() < 0.02 * spectrum[(hertz > 300) & (hertz < 3_000)].max()


def test_no_sound_is_no_prompt() -> None:
    with pytest.raises(InvalidRequest, match="no sound"):
        finish_prompt(silence(1.0), LISTENING_RATE, ULAW)
    with pytest.raises(InvalidRequest) as unknown:
        prompt_format("8track")
    assert "ulaw8k, alaw8k" in str(unknown.value.fix)


@pytest.mark.parametrize("name", PROMPT_FORMATS)
def test_every_format_holds_the_same_speech(name: str) -> None:
    format = prompt_format(name)
    prompt = finish_prompt(spoken(), LISTENING_RATE, format)
    assert prompt.data == finish_prompt(spoken(), LISTENING_RATE, format).data
    heard = _heard(name, prompt.data)
    assert len(heard) / format.rate == pytest.approx(prompt.seconds, abs=0.06)
    assert active_level(heard, format.rate) == pytest.approx(-26.0, abs=0.6)


def _heard(name: str, data: bytes) -> Pcm:
    """By somebody else's decoder wherever there is a container."""
    match name:
        case "ulaw8k":
            return decode_mulaw(data)
        case "alaw8k":
            return decode_alaw(data)
        case "slin" | "slin16":
            return np.frombuffer(data, "<i2")
        case "g722":
            with av.open(io.BytesIO(data), format="g722") as container:
                frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
            return np.concatenate(frames).astype(np.int16)
        case _:
            samples, _rate = decoded(data)
            return np.rint(samples * 32_767).astype(np.int16)


def test_a_g711_wav_says_so_in_its_header() -> None:
    data = finish_prompt(spoken(), LISTENING_RATE, prompt_format("wav8k-alaw")).data
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, 20)
    assert (data[:4], data[8:16], tag, channels, rate, bits) == (b"RIFF", b"WAVEfmt ", 6, 1, 8_000, 8)
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8


@given(st.lists(st.integers(-32_768, 32_767), max_size=600))
def test_any_sound_makes_a_prompt_or_is_refused(samples: list[int]) -> None:
    try:
        prompt = finish_prompt(np.array(samples, np.int16), 24_000, ULAW)
    except InvalidRequest:
        return
    assert len(prompt.data) == round(prompt.seconds * 8_000)
    assert prompt.peak_dbfs <= -1.4


# ITU-T P.56


def test_the_active_level_of_a_steady_sound_is_its_level() -> None:
    time = np.arange(5 * 8_000) / 8_000
    sine = (16_384 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)
    assert active_level(sine, 8_000) == pytest.approx(-9.03, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_pauses_do_not_count(rate: int) -> None:
    noise = np.random.default_rng(1).standard_normal(2 * rate) * 3_000
    steady = noise.astype(np.int16)
    paused = np.concatenate([steady[:rate], np.zeros(3 * rate, np.int16), steady[rate:]])
    whole, active = active_level(steady, rate), active_level(paused, rate)
    assert whole is not None
    assert active == pytest.approx(whole, abs=0.6)


def test_silence_has_no_active_level() -> None:
    assert active_level(np.zeros(8_000, np.int16), 8_000) is None
    assert active_level(np.zeros(0, np.int16), 8_000) is None


@pytest.mark.clips
def test_real_voices_come_out_at_one_level(clips: Path) -> None:
    for path in sorted((clips / "A_good").glob("*.flac"))[:8]:
        prompt = finish_prompt(recording(path), LISTENING_RATE, ULAW)
        assert prompt.level_dbov == pytest.approx(-26.0, abs=0.3), path.name
        assert prompt.peak_dbfs < -1.4

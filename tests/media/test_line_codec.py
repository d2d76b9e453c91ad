from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.line_codec import encode_l16, line_codec


@given(st.lists(st.integers(-32_768, 32_767), max_size=50), st.sampled_from([8_000, 16_000, 24_000]))
def test_linear_pcm_comes_back_as_it_went(samples: list[int], rate: int) -> None:
    codec = line_codec("l16", rate)
    pcm = np.array(samples, np.int16)
    assert np.array_equal(codec.decode(codec.encode(pcm)), pcm)
    assert len(codec.encode(pcm)) == codec.sample_bytes * len(pcm)


def test_the_low_byte_comes_first() -> None:
    assert encode_l16(np.array([0x0102], np.int16)) == b"\x02\x01"


@pytest.mark.parametrize("coding", ["pcmu", "pcma", "l16"])
def test_silence_is_silent(coding: str) -> None:
    codec = line_codec(coding, 8_000)
    assert abs(int(codec.decode(codec.silence)[0])) <= 8


@pytest.mark.parametrize(("coding", "rate"), [("pcmu", 16_000), ("opus", 8_000), ("l16", 0)])
def test_other_codecs_are_refused(coding: str, rate: int) -> None:
    with pytest.raises(ValueError, match="no telephone line carries"):
        line_codec(coding, rate)

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.frame import EncodedFrame
from sessions.peers.blocks import BLOCK, FIRST, BlockEncoder
from tts.phrases import WireFormat

RATE = 8000
WIRE = WireFormat("pcm/8000", RATE, lambda samples: samples.tobytes())


def encode(*blocks: int) -> list[EncodedFrame]:
    """Frames of a ramp cut into blocks of these lengths."""
    ramp = np.arange(sum(blocks)).astype(np.int16)
    encoder = BlockEncoder(WIRE, sample_bytes=2, position=500)
    frames: list[EncodedFrame] = []
    start = 0
    for length in blocks:
        frames += encoder.push(ramp[start : start + length].tobytes())
        start += length
    return [*frames, *encoder.flush()]


@given(st.lists(st.integers(0, 3000), max_size=12))
def test_any_cut_of_the_input_gives_the_same_frames(blocks: list[int]) -> None:
    assert encode(*blocks) == encode(sum(blocks))


@given(st.lists(st.integers(0, 3000), max_size=12))
def test_every_sample_is_in_exactly_one_frame(blocks: list[int]) -> None:
    frames = encode(*blocks)
    assert b"".join(frame.payload for frame in frames) == np.arange(sum(blocks)).astype(np.int16).tobytes()
    position = 500
    for frame in frames:
        assert frame.pts == position
        position += frame.samples


def test_the_first_block_is_short_and_the_others_are_not() -> None:
    sizes = [frame.samples / RATE for frame in encode(RATE)]
    assert sizes[0] == FIRST
    assert set(sizes[1:-1]) == {BLOCK}
    assert sizes[-1] <= BLOCK

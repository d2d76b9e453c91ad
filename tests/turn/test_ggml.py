from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.turn.ggml import BadModelFile, read_ggml


def tensor(name: str, values: np.ndarray, *, kind: int = 0) -> bytes:
    shape = values.shape[::-1]
    header = struct.pack(f"<3i{len(shape)}i", len(shape), len(name), kind, *shape)
    return header + name.encode() + values.astype("<f4" if kind == 0 else "<f2").tobytes()


def model(*tensors: bytes) -> bytes:
    return struct.pack("<Ii5s2i", 0x67676D6C, 5, b"small", 7, 8) + b"".join(tensors)


def test_tensors_come_back_with_name_shape_and_values() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    read = read_ggml(model(tensor("a", values), tensor("b", values[0], kind=1)), parameters=2)
    assert (read.name, read.parameters) == ("small", (7, 8))
    np.testing.assert_array_equal(read.tensors["a"], values)
    np.testing.assert_array_equal(read.tensors["b"], values[0])


def test_another_format_is_refused_by_name() -> None:
    with pytest.raises(BadModelFile, match=r"weights\.bin.*magic"):
        read_ggml(b"GGUF" + bytes(60), parameters=2, source="weights.bin")


def test_quantised_tensors_are_refused() -> None:
    with pytest.raises(BadModelFile, match="quantised"):
        read_ggml(model(struct.pack("<3i", 1, 1, 8)), parameters=2)


def test_a_shape_beyond_reason_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(BadModelFile, match="shape"):
        read_ggml(model(struct.pack("<5i", 2, 1, 0, 2**30, 2**30)), parameters=2)


def test_a_file_cut_anywhere_inside_a_tensor_is_refused() -> None:
    whole = model(tensor("a", np.ones((2, 3))))
    start = len(model())
    for end in range(start + 1, len(whole)):
        with pytest.raises(BadModelFile):
            read_ggml(whole[:end], parameters=2)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_read_but_never_crash(tail: bytes) -> None:
    with contextlib.suppress(BadModelFile):
        read_ggml(model(tail), parameters=2)

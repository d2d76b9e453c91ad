"""
Read the tensors of a ggml model file, as whisper.cpp's converter for Silero VAD writes it.

Layout, all little-endian::

    u32 magic 0x67676d6c ("ggml")
    i32 length, then that many ASCII bytes: the model's name
    i32 × n hyper-parameters                        (the caller knows n)
    until the end, one record a tensor:
        i32 dimensions (0 to 4), i32 name length, i32 type (0 float32, 1 float16)
        i32 × dimensions, fastest-varying first
        name, ASCII
        values

Source: ``models/convert-silero-vad-to-ggml.py`` and ``whisper_vad_init`` of whisper.cpp 1.8.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x67676D6C
MAX_VALUES = 10_000_000
_TYPES: Mapping[int, np.dtype[np.float32] | np.dtype[np.float16]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f2"),
}


class BadModelFile(ValueError):
    """The file is not the model it should be. The message names the file and the byte."""


@dataclass(frozen=True, slots=True)
class GgmlModel:
    """A model file, read."""

    name: str
    parameters: tuple[int, ...]
    tensors: Mapping[str, NDArray[np.float32]]
    """By name; shapes are slowest-varying first, as NumPy counts."""


def read_ggml(data: bytes, *, parameters: int, source: str = "model") -> GgmlModel:
    """
    Parse a ggml file.

    Args:
        data: The whole file.
        parameters: How many 32-bit hyper-parameters follow the name.
        source: What to call the file in errors.

    Raises:
        BadModelFile: Wrong magic, truncated, or a record that cannot be.
    """
    reader = _Reader(data, source)
    (magic,) = reader.unpack("<I")
    if magic != MAGIC:
        raise BadModelFile(
            f"{source}: starts with {data[:4]!r}, not with ggml's magic; is it another format?"
        )
    (length,) = reader.unpack("<i")
    name = reader.text(length)
    numbers = reader.unpack(f"<{parameters}i")
    tensors: dict[str, NDArray[np.float32]] = {}
    while not reader.at_end:
        tensor_name, values = _read_tensor(reader)
        tensors[tensor_name] = values
    return GgmlModel(name, numbers, tensors)


def read_ggml_file(path: Path, *, parameters: int) -> GgmlModel:
    """:func:`read_ggml` of a file. Raises OSError where it cannot be read."""
    return read_ggml(path.read_bytes(), parameters=parameters, source=str(path))


def _read_tensor(reader: _Reader) -> tuple[str, NDArray[np.float32]]:
    at = reader.offset
    dimensions, length, kind = reader.unpack("<3i")
    dtype = _TYPES.get(kind)
    if dtype is None or not 0 <= dimensions <= 4:
        raise BadModelFile(
            f"{reader.source}: byte {at} is not a tensor of floats "
            f"(type {kind}, {dimensions} dimensions); a quantised or newer file?"
        )
    shape = reader.unpack(f"<{dimensions}i")
    count = 1
    for size in shape:
        count *= size
        if size <= 0 or count > MAX_VALUES:
            raise BadModelFile(f"{reader.source}: byte {at} claims a tensor of shape {shape[::-1]}")
    name = reader.text(length)
    values = np.frombuffer(reader.take(count * dtype.itemsize), dtype)
    return name, values.astype(np.float32).reshape(shape[::-1])


class _Reader:
    """A cursor that refuses to run past the end."""

    def __init__(self, data: bytes, source: str) -> None:
        self._data = data
        self.source = source
        self.offset = 0

    @property
    def at_end(self) -> bool:
        return self.offset == len(self._data)

    def take(self, size: int) -> bytes:
        end = self.offset + size
        if size < 0 or end > len(self._data):
            raise BadModelFile(
                f"{self.source}: {size} bytes wanted at byte {self.offset} of {len(self._data)}; "
                "the file is truncated or damaged: install the package again"
            )
        piece = self._data[self.offset : end]
        self.offset = end
        return piece

    def unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def text(self, length: int) -> str:
        at = self.offset
        try:
            return self.take(length).decode("ascii")
        except UnicodeDecodeError as error:
            raise BadModelFile(f"{self.source}: byte {at} should be an ASCII name") from error

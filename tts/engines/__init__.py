"""Which engines can speak inside a worker, by name; each is imported only when it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any

from runtime.errors import EngineUnavailable
from tts.engine import Synthesizer


@dataclass(frozen=True, slots=True)
class SynthesizerFactory:
    """A synthesizer's address: picklable, callable in the child, free until called."""

    name: str
    module: str
    attribute: str
    extra: str | None = None
    """The optional dependency group it needs, ``vivavoce[extra]``."""

    def __call__(self, **options: Any) -> Synthesizer:
        """
        Import and make it, with the engine's own options.

        Raises:
            EngineUnavailable: A library it needs is not installed.
        """
        try:
            made: Synthesizer = getattr(import_module(self.module), self.attribute)(**options)
        except ModuleNotFoundError as missing:
            how = f"install it with: pip install 'vivavoce[{self.extra}]'" if self.extra else None
            raise EngineUnavailable(
                f"engine {self.name} needs the library {missing.name}", fix=how
            ) from missing
        return made


SYNTHESIZERS: Mapping[str, SynthesizerFactory] = MappingProxyType(
    {
        factory.name: factory
        for factory in (
            SynthesizerFactory("clone", "tts.engines.clone", "CloneSynthesizer"),
            SynthesizerFactory("tone", "tts.engines.tone", "ToneSynthesizer"),
            SynthesizerFactory("pocket", "tts.engines.pocket", "PocketSynthesizer", extra="pocket"),
        )
    }
)
"""Engines that run in a worker of ours. Remote engines are made where their keys are, in the server."""


def synthesizer(name: str, **options: Any) -> Callable[[], Synthesizer]:
    """
    The factory of the engine called ``name``, picklable.

    Args:
        options: Keyword arguments of the engine's class.

    Raises:
        EngineUnavailable: No engine has that name.
    """
    try:
        factory = SYNTHESIZERS[name]
    except KeyError:
        raise EngineUnavailable(
            f"no engine is called {name!r}", fix=f"use one of {', '.join(sorted(SYNTHESIZERS))}"
        ) from None
    return partial(factory, **options) if options else factory

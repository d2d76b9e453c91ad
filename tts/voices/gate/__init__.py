"""
The quality gate: whether a recording can become a voice, and if not, what to change.

The gate itself is imported when it is first named: it needs SciPy, which the server that only passes its
reports on shall not load.
"""

from typing import TYPE_CHECKING

from tts.voices.gate.limits import GATE_VERSION, Profile
from tts.voices.gate.report import GateReport, Metric, Window

if TYPE_CHECKING:
    from tts.voices.gate.gate import Gate

__all__ = ["GATE_VERSION", "Gate", "GateReport", "Metric", "Profile", "Window"]


def __getattr__(name: str) -> object:
    if name == "Gate":
        from tts.voices.gate.gate import Gate

        return Gate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

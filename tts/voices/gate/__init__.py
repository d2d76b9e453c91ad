"""The quality gate: whether a recording can become a voice, and if not, what to change."""

from tts.voices.gate.gate import Gate
from tts.voices.gate.limits import GATE_VERSION, Profile
from tts.voices.gate.report import GateReport, Metric, Window

__all__ = ["GATE_VERSION", "Gate", "GateReport", "Metric", "Profile", "Window"]

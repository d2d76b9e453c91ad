"""Every limit of the gate, and where each number came from."""

GATE_VERSION = "1.0.0"

"""
``make bench``: every figure of the README that this machine can measure in a few minutes.

``python -m tests.bench NAME …`` runs some of them.
"""

from __future__ import annotations

import importlib
import sys

from tests.bench.machine import describe

BENCHES = (
    "beep",
    "burst",
    "clear",
    "engine",
    "enrolment",
    "inbound",
    "interruptions",
    "loop_lag",
    "pool",
    "response_gap",
    "scheduler",
    "turn",
    "webrtc",
)


def main(names: list[str]) -> int:
    """Run the named benches, or all."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no bench called {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    print(describe())
    for name in names or BENCHES:
        print(f"\n## {name}\n", flush=True)
        importlib.import_module(f"tests.bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Simulated Twilio calls by ``streamdouble``, on networks that lose packets and jumble their timing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from loadtest.speech import babble, quiet
from tests.live_server import LiveServer
from tests.recordings import decoded, wav

PROGRAM = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "streamdouble"

NETWORKS = {
    "clean": (),
    "loss": ("--packet-loss", "0.05"),
    "both": ("--packet-loss", "0.05", "--jitter", "40"),
}

Outcome: TypeAlias = tuple[dict[str, Any], Path]


@pytest.fixture(scope="module")
def outcomes(
    server: LiveServer, agent: str, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Outcome]:
    """One call on each network, all at the same time: what was told of it, and where its reply is."""
    if not PROGRAM.exists():
        pytest.skip("streamdouble is not installed: run scripts/setup-conformance")
    folder = tmp_path_factory.mktemp("streamdouble")
    said = np.concatenate([quiet(0.3, rate=8_000), babble(1.2, rate=8_000), quiet(1.2, rate=8_000)])
    (folder / "caller.wav").write_bytes(wav(said, 8_000))
    url = f"{server.url.replace('http', 'ws')}/telephony/twilio/{agent}"
    caller = str(folder / "caller.wav")
    fixed = ["--audio", caller, "--json", "--chaos-seed", "7", "--response-timeout", "30"]
    running = {
        name: subprocess.Popen(
            [str(PROGRAM), "call", *fixed, *network, "--out", str(folder / f"{name}.wav"), url],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, network in NETWORKS.items()
    }
    told = {name: program.communicate(timeout=60)[0] for name, program in running.items()}
    return {name: (json.loads(each), folder / f"{name}.wav") for name, each in told.items()}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_simulated_caller_is_answered(outcomes: Mapping[str, Outcome], network: str) -> None:
    told, reply = outcomes[network]
    assert (told["exit_code"], told["violations"], told["unknown_events"]) == (0, [], [])
    assert (told["timed_out"], told["closed_early"]) == (False, False)
    assert told["stall_count"] == 0
    assert told["marks_received"] == told["marks_echoed"] > 0
    assert (told["frames_dropped"] > 0) == (network != "clean")
    heard, rate = decoded(reply.read_bytes())
    assert len(heard) / rate > 0.5
    assert np.abs(heard).max() > 0.1

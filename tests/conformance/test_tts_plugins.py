"""LiveKit's and Pipecat's ElevenLabs and OpenAI speech plugins, pointed at us, in a cloned voice."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.live_server import LiveServer

CLIENTS = Path(__file__).parent / "clients"
PYTHON = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "python"

TEXT = "The quick brown fox jumps over the lazy dog."

Reports: TypeAlias = dict[str, dict[str, Any]]

PLUGINS = (
    "livekit elevenlabs",
    "livekit openai",
    "pipecat elevenlabs",
    "pipecat elevenlabs http",
    "pipecat openai",
)

ALIGNED = {"livekit elevenlabs", "pipecat elevenlabs", "pipecat elevenlabs http"}
"""Those that tell the words that sound."""

TIMED = ALIGNED - {"livekit elevenlabs"}
"""
Of those, the ones that read times as ElevenLabs documents them: from the start of each message's own piece.
LiveKit's takes them as times of the whole utterance.
"""


@pytest.fixture(scope="module")
def heard(server: LiveServer, key: str, cloned_voice: str) -> Reports:
    if not PYTHON.exists():
        pytest.skip("the plugins are not installed: run scripts/setup-conformance")
    task = json.dumps({"url": server.url, "key": key, "voice": cloned_voice, "text": TEXT})
    done = subprocess.run(
        [str(PYTHON), "-W", "ignore", "tts_plugins.py", task],
        cwd=CLIENTS,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    report: Reports = json.loads(done.stdout.decode().splitlines()[-1])
    return report


@pytest.fixture(scope="module")
def seconds(server: LiveServer, key: str, cloned_voice: str) -> dict[str, float]:
    """How long each plugin's sentence is in its voice, asked of us plainly."""
    with server.client(key) as api:

        def said_in(voice: str) -> float:
            order = {"input": TEXT, "voice": voice, "response_format": "pcm"}
            return len(api.post("/v1/audio/speech", json=order).content) / 48_000

        return dict.fromkeys(PLUGINS, said_in(cloned_voice)) | {"pipecat openai": said_in("alloy")}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_sentence_arrives_whole(heard: Reports, seconds: dict[str, float], plugin: str) -> None:
    assert heard[plugin]["errors"] == []
    assert heard[plugin]["seconds"] == pytest.approx(seconds[plugin], abs=0.35)
    assert heard[plugin]["loudest"] > 3_000


@pytest.mark.parametrize("plugin", sorted(ALIGNED))
def test_its_words_are_told_where_they_sound(heard: Reports, seconds: dict[str, float], plugin: str) -> None:
    words = heard[plugin]["words"]
    letters = "".join(character for word, _ in words for character in word if character.isalpha())
    assert letters == "".join(character for character in TEXT if character.isalpha())
    if plugin not in TIMED:
        return
    begins = [begin for _, begin in words]
    assert begins == sorted(begins)
    assert seconds[plugin] / 2 < begins[-1] < seconds[plugin]

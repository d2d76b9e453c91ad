"""
Schemathesis over every dialect's OpenAPI document, against a running server.

It makes requests from the documents, good and bad, and holds each answer against them: no 5xx that is not
told, no status, content type or body that the document does not have, no address that answers without a key.
The seed is fixed. ``VIVAVOCE_OPENAPI_EXAMPLES`` is how many random requests each operation gets beside those
that cover its schema (5 in ``make test``, 60 in ``make conformance``).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cli.reference import synthesise_reference
from runtime.server.dialects.catalogue import DIALECTS, Dialect
from tests.acceptance.far_end import elevenlabs
from tests.live_server import LiveServer, live_server
from tests.recordings import wav

PROGRAM = Path(__file__).parents[2] / ".venv-conformance" / "bin" / "schemathesis"

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)


UNCOVERED = """
[[operations]]
include-path = "/v1/prompts"
phases.coverage.enabled = false
"""
"""The longest text that may be sent takes minutes to say at the slowest speed; random ones are tried."""


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that counts no requests, so that all of them reach what they are for."""
    folder = tmp_path_factory.mktemp("openapi")
    with (
        elevenlabs() as far_end,
        live_server(
            folder, engine="clone", rate_limit_per_minute=0, elevenlabs_base_url=far_end.url
        ) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def known(steady: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A key, and a configuration that knows ids of what it owns: half of a made-up id's answers are 404."""
    key = steady.sandbox_key()
    with steady.client(key) as client:
        agent = client.post("/v1/agents", json={"name": "Desk"}).json()["agent_id"]
        sample = {"file": ("me.wav", wav(*synthesise_reference()), "audio/wav")}
        voice = client.post("/v1/voice/clones", data={"name": "Me"}, files=sample).json()["id"]
    config = tmp_path_factory.mktemp("schemathesis") / "schemathesis.toml"
    # Not `id`: it names keys too, and a run that revokes its own key learns nothing more.
    named = {"agent_id": agent, "voice_id": voice, "voiceId": voice}
    lines = [f"{json.dumps(f'path.{name}')} = {json.dumps(value)}" for name, value in named.items()]
    config.write_text("[parameters]\n" + "\n".join(lines) + "\n" + UNCOVERED)
    return key, config


@pytest.mark.timeout(600)
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_answer_is_as_documented(
    steady: LiveServer, known: tuple[str, Path], dialect: Dialect, tmp_path: Path
) -> None:
    if not PROGRAM.exists():
        pytest.skip("schemathesis is not installed: run scripts/setup-conformance")
    key, config = known
    bearer = "Bearer " if dialect.key_header == "Authorization" else ""
    command = [
        *(str(PROGRAM), "--config-file", str(config), "run", f"{steady.url}/openapi/{dialect.name}.json"),
        *("--url", f"{steady.url}/d/{dialect.name}", "--header", f"{dialect.key_header}: {bearer}{key}"),
        *("--phases", "examples,coverage,fuzzing", "--checks", ",".join(CHECKS), "--seed", "6"),
        *("--max-examples", os.environ.get("VIVAVOCE_OPENAPI_EXAMPLES", "5"), "--no-shrink"),
        *("--suppress-health-check", "all", "--generation-database", "none", "--request-timeout", "60"),
        *("--warnings", "off", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = "\n".join(line[:400] for line in done.stdout.splitlines())
    assert done.returncode == 0, told[-8000:] + done.stderr[-2000:]
    assert f"{_operations(dialect)} selected" in done.stdout, done.stdout[:2000]


def _operations(dialect: Dialect) -> int:
    return sum(len(getattr(route, "methods", ())) for router in dialect.routers for route in router.routes)

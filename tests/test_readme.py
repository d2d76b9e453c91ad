"""The README's samples do what it says, on a server as it is shipped."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from runtime.cli.reference import synthesise_reference
from tests.live_server import live_server
from tests.recordings import wav

README = (Path(__file__).parents[1] / "README.md").read_text()
SHELL = [block for block in re.findall(r"```sh\n(.*?)```", README, re.S) if "curl" in block]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
HERE = "http://127.0.0.1:8080"


@pytest.mark.timeout(120)
def test_the_samples_run_as_they_stand(tmp_path: Path) -> None:
    for program in ("bash", "curl", "jq"):
        if shutil.which(program) is None:
            pytest.skip(f"the README's samples need {program}")
    (tmp_path / "me.wav").write_bytes(wav(*synthesise_reference()))
    with live_server(tmp_path, engine="clone") as server:
        script = "set -euo pipefail\n" + "".join(SHELL) + '\necho "K=$K"\necho "A=$A"\n'
        done = subprocess.run(
            ["bash", "-c", script.replace(HERE, server.url)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "is ready" in done.stdout
        with wave.open(str(tmp_path / "hello.wav")) as hello:
            assert 0.8 < hello.getnframes() / hello.getframerate() < 6.0

        told = dict(line.split("=", 1) for line in done.stdout.splitlines() if re.match(r"[KA]=", line))
        [sample] = PYTHON
        heard = sample.replace(HERE, server.url) + '\nassert pcm, "no audio came"\n'
        heard = heard.replace(
            "async def main() -> None:\n", "pcm = b''\n\n\nasync def main() -> None:\n    global pcm\n"
        )
        spoken = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", heard],
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert spoken.returncode == 0, spoken.stderr

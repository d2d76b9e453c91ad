from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from runtime.server.presence import KEEP_SECONDS, Presence


def test_a_run_is_over_when_it_leaves(tmp_path: Path) -> None:
    here, other = Presence(tmp_path), Presence(tmp_path)
    assert here.is_over(here.name) is False
    assert here.is_over(other.name) is False
    other.leave()
    other.leave()
    assert here.is_over(other.name) is True
    assert here.is_over("0123456789abcdef") is None


def test_a_run_is_over_when_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from runtime.server.presence import Presence;"
        "print(Presence(pathlib.Path(sys.argv[1])).name, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    here = Presence(tmp_path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        assert here.is_over(name) is False
        child.kill()
        child.wait(5)
        assert here.is_over(name) is True


def test_old_files_are_forgotten(tmp_path: Path) -> None:
    long_ago, lasting = Presence(tmp_path), Presence(tmp_path)
    for one in (long_ago, lasting):
        os.utime(tmp_path / f"run-{one.name}.lock", (0, KEEP_SECONDS))
    long_ago.leave()
    after = Presence(tmp_path)
    assert after.is_over(long_ago.name) is None
    assert after.is_over(lasting.name) is False

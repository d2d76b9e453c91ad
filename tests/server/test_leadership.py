"""One of a server's processes leads, and another takes over when it ends."""

from __future__ import annotations

from pathlib import Path

from runtime.server.leadership import Leadership


def test_a_process_alone_leads() -> None:
    assert Leadership().take()
    assert Leadership().held


def test_the_second_waits_until_the_first_leaves(tmp_path: Path) -> None:
    first, second = Leadership(tmp_path / "lock"), Leadership(tmp_path / "lock")
    assert first.take()
    assert not second.take()
    assert not second.held
    first.leave()
    assert second.take()


def test_taking_twice_is_holding_once(tmp_path: Path) -> None:
    leader = Leadership(tmp_path / "lock")
    assert leader.take()
    assert leader.take()
    leader.leave()
    assert not leader.held

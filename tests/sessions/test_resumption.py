from __future__ import annotations

import pytest

from runtime.errors import NotFound
from sessions.resumption import Resumptions


def test_a_token_finds_its_line_once() -> None:
    lines: Resumptions[str] = Resumptions()
    token = lines.issue("tenant", "the line")
    assert lines.take("tenant", token) == "the line"
    with pytest.raises(NotFound) as caught:
        lines.take("tenant", token)
    assert caught.value.code == "resume_not_found"


def test_another_tenant_finds_nothing_and_uses_nothing_up() -> None:
    lines: Resumptions[str] = Resumptions()
    token = lines.issue("tenant", "the line")
    with pytest.raises(NotFound):
        lines.take("stranger", token)
    assert lines.take("tenant", token) == "the line"


def test_a_call_that_is_over_is_not_found() -> None:
    lines: Resumptions[str] = Resumptions()
    tokens = [lines.issue("tenant", "the line") for _ in range(3)]
    kept = lines.issue("tenant", "another line")
    lines.withdraw("the line")
    lines.withdraw("the line")
    assert len(lines) == 1
    assert lines.take("tenant", kept) == "another line"
    for token in [*tokens, "", "nonsense"]:
        with pytest.raises(NotFound):
            lines.take("tenant", token)

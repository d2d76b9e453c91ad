"""Plivo's own library accepts what we compute, and we accept what it computes. Needs ``plivo``."""

from __future__ import annotations

import pytest

from runtime.wire import plivo

library = pytest.importorskip("plivo.utils.signature_v3", reason="plivo is not installed")
TOKEN, NONCE = "a token", "12345"


@pytest.mark.parametrize("query", ["", "?b=2&a=1", "?a=1&a=0", "?a="])
@pytest.mark.parametrize("form", [{}, {"To": "2", "From": "+1 (5)", "z": "ü"}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_both_compute_the_same(method: str, form: dict[str, str], query: str) -> None:
    url = f"https://voice.example.com/telephony/plivo/agent_1/voice{query}"
    ours = plivo.signature(TOKEN, method, url, form, NONCE)
    assert library.validate_v3_signature(method, url, NONCE, TOKEN, ours, dict(form))

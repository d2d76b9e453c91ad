from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import NotFound
from runtime.server.secrets import Secrets, load_secret


def test_what_was_encrypted_is_read_with_the_same_secret_only() -> None:
    token = Secrets(b"one").encrypt("sk_secret")
    assert "sk_secret" not in token
    assert Secrets(b"one").decrypt(token) == "sk_secret"
    with pytest.raises(ValueError, match="secret key"):
        Secrets(b"two").decrypt(token)


def test_a_signed_address_opens_until_it_expires() -> None:
    secrets = Secrets(b"one")
    token = secrets.sign({"n": "a/b"}, expires_at=100.0)
    assert secrets.opened(token, now=99.0) == {"n": "a/b"}
    for wrong in (token[:-2] + "xx", "x" + token, "", ".", token.partition(".")[0], "é.é"):
        with pytest.raises(NotFound):
            secrets.opened(wrong, now=99.0)
    with pytest.raises(NotFound):
        secrets.opened(token, now=100.0)
    with pytest.raises(NotFound):
        Secrets(b"two").opened(token, now=99.0)


def test_the_secret_is_made_once_and_readable_by_nobody_else(tmp_path: Path) -> None:
    made = load_secret(None, tmp_path / "data")
    assert load_secret(None, tmp_path / "data") == made
    assert (tmp_path / "data" / "secret.key").stat().st_mode & 0o077 == 0
    assert load_secret("configured", tmp_path) == b"configured"

"""What the server alone can read, and addresses that only it can have made."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from runtime.errors import NotFound


class Secrets:
    """
    Encrypts and signs with keys derived from one secret.

    Args:
        secret: Of high entropy: whoever has it reads what is stored and signs what is served.
    """

    def __init__(self, secret: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(secret, b"stored keys")))
        self._signing = _derived(secret, b"signed addresses")

    def encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, token: str) -> str:
        """Raises ValueError when it was encrypted with another secret, or damaged."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken as error:
            raise ValueError("this was not encrypted with the present secret key") from error

    def sign(self, content: dict[str, Any], *, expires_at: float) -> str:
        """A token that is safe in addresses; anyone can read it and nobody make another."""
        body = _packed(json.dumps(content | {"exp": int(expires_at)}, separators=(",", ":")).encode())
        return f"{body}.{self._signature(body)}"

    def opened(self, token: str, *, now: float) -> dict[str, Any]:
        """
        What :meth:`sign` was given.

        Raises:
            NotFound: Forged, damaged or expired; it does not say which.
        """
        body, _, signature = token.partition(".")
        if hmac.compare_digest(signature.encode(), self._signature(body).encode()):
            content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            if content.pop("exp") > now:
                return content
        raise NotFound("There is nothing at this address, or no longer.")

    def _signature(self, body: str) -> str:
        return _packed(hmac.digest(self._signing, body.encode(), "sha256"))


def signature(secret: str, body: bytes, *, at: float) -> str:
    """
    What tells a receiver that we sent ``body``, and when: ``t=<unix seconds>,v1=<hex>``, where the latter is
    the HMAC-SHA256 of ``<unix seconds>.<body>``.

    Args:
        secret: Shared with the receiver.
        at: Seconds since the Unix epoch.
    """
    moment = f"{at:.0f}"
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def load_secret(configured: str | None, folder: Path) -> bytes:
    """The configured secret, or one that is made at the first start and kept in ``folder``."""
    if configured:
        return configured.encode()
    path = folder / "secret.key"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        made = secrets.token_urlsafe(32).encode()
        file.write(made)
    return made


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(secret, digest_size=32, person=hashlib.sha256(purpose).digest()[:16]).digest()


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

"""Who may go on with a call whose line broke: tokens that are good once."""

from __future__ import annotations

import secrets
from typing import Generic, TypeVar

from runtime.errors import NotFound

LineT = TypeVar("LineT")


class Resumptions(Generic[LineT]):
    """
    Tokens by which a broken line is found again.

    A token is a secret of its tenant, good for one resumption; the line that is resumed hands out the next.
    """

    def __init__(self) -> None:
        self._lines: dict[str, tuple[str, LineT]] = {}

    def __len__(self) -> int:
        """Tokens that are good now."""
        return len(self._lines)

    def __contains__(self, token: str) -> bool:
        """Whether the token is good, whosever it is."""
        return token in self._lines

    def issue(self, tenant_id: str, line: LineT) -> str:
        """A fresh token for ``line``; 192 random bits."""
        token = f"resume_{secrets.token_urlsafe(24)}"
        self._lines[token] = (tenant_id, line)
        return token

    def find(self, tenant_id: str, token: str) -> LineT:
        """
        Whose line a token is, without using it up.

        Raises:
            NotFound: Unknown, used, withdrawn, or another tenant's (which stays good for its own).
        """
        owner, line = self._lines.get(token, (None, None))
        if owner != tenant_id or line is None:
            raise NotFound(
                "No call waits for this token.",
                code="resume_not_found",
                param="resume",
                fix="Open a new session; a token is good once, and for a short time after the line broke",
            )
        return line

    def take(self, tenant_id: str, token: str) -> LineT:
        """Use a token up. Raises as :meth:`find` does."""
        line = self.find(tenant_id, token)
        del self._lines[token]
        return line

    def withdraw(self, line: LineT) -> None:
        """The call is over: no token finds its line any more."""
        for token in [token for token, (_, found) in self._lines.items() if found is line]:
            del self._lines[token]

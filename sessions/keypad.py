"""Which keys belong together: digits pressed on a telephone, collected into one entry."""

from __future__ import annotations

KEYS = frozenset("0123456789*#ABCD")

SETTLE = 2.0
"""Seconds after a key in which another one joins the same entry."""

LONGEST = 32
"""Keys of one entry; more than any card number has."""


class Keypad:
    """Collect keys until ``#``, a pause, or the longest entry. No clock is read here."""

    def __init__(self, *, settle: float = SETTLE) -> None:
        self._settle = settle
        self._keys = ""
        self._deadline: float | None = None
        self._hash_until: float | None = None
        """An entry ended by its length; a hash up to then still belongs to it."""

    def press(self, key: str, now: float, *, wanted: int | None = None) -> str | None:
        """
        Take a key. Returns the entry where this key ends it, without the ``#``; what is no key is ignored.

        Args:
            wanted: How many keys the whole entry has, where that is known: the last of them ends it.
        """
        if key not in KEYS:
            return None
        self._hash_until = None
        if key == "#" and self._keys:
            return self._take()
        self._keys += key
        self._deadline = now + self._settle
        if len(self._keys) < min(LONGEST, wanted or LONGEST):
            return None
        self._hash_until = None if key == "#" else now + self._settle
        return self._take()

    def trails(self, key: str, now: float) -> bool:
        """Whether the key is the ``#`` that people press behind an entry which its length has ended."""
        until, self._hash_until = self._hash_until, None
        return key == "#" and until is not None and now < until

    def deadline(self) -> float | None:
        """When to :meth:`poll`, monotonic seconds; None while there is no entry."""
        return self._deadline

    def poll(self, now: float) -> str | None:
        """The entry, if the pause after its last key is over."""
        return self._take() if self._deadline is not None and now >= self._deadline else None

    def _take(self) -> str:
        keys, self._keys, self._deadline = self._keys, "", None
        return keys

"""How often a key may call."""

from __future__ import annotations

from collections import OrderedDict

from runtime.errors import RateLimited

MAX_KEYS = 10_000
"""Keys remembered; the one that has been quiet for longest is forgotten first, which can only be kind."""


class RateLimiter:
    """
    A bucket for each key, filled steadily; a request takes one out. Pure: callers pass ``now``.

    Args:
        per_minute: Requests, and the size of the bucket; 0 lets everything pass.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, *, now: float) -> None:
        """Raises RateLimited, with the seconds until there is one again."""
        if not self.per_minute:
            return
        level, since = self._buckets.pop(key, (float(self.per_minute), now))
        rate = self.per_minute / 60.0
        level = min(float(self.per_minute), level + (now - since) * rate)
        allowed = level >= 1.0
        self._buckets[key] = (level - 1.0 if allowed else level, now)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        if not allowed:
            raise RateLimited(
                f"More than {self.per_minute} requests in a minute.", retry_after=(1.0 - level) / rate
            )

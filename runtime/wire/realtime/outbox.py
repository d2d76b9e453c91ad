"""What is to be sent and what is to be done, in order, until the shell drains it."""

from __future__ import annotations

import json

from runtime.errors import RequestError
from runtime.wire.conversation import new_id
from runtime.wire.realtime.actions import Action
from runtime.wire.realtime.config import JsonObject


class Outbox:
    """The way out of every room of a session's protocol."""

    def __init__(self) -> None:
        self._events: list[JsonObject] = []
        self._actions: list[Action] = []
        self._event_prefix = new_id("event")
        self._event_count = 0

    def emit(self, event_type: str, /, **members: object) -> None:
        """Send an event; its id is added here."""
        self._event_count += 1
        event_id = f"{self._event_prefix}{self._event_count:05x}"
        self._events.append({"type": event_type, "event_id": event_id, **members})

    def ask(self, action: Action) -> None:
        """Ask something of the call."""
        self._actions.append(action)

    def refuse(self, refusal: RequestError, event_id: str | None) -> None:
        """Answer the client event ``event_id`` with an error; the session stays open."""
        self._error("invalid_request_error", refusal.code, refusal.message, refusal.param, event_id)

    def fail(self, message: str, code: str) -> None:
        """Tell the client of a fault of ours."""
        self._error("server_error", code, message, None, None)

    def events(self) -> list[JsonObject]:
        """Drain what to send."""
        events, self._events = self._events, []
        return events

    def actions(self) -> list[Action]:
        """Drain what to do."""
        actions, self._actions = self._actions, []
        return actions

    def _error(self, kind: str, code: str, message: str, param: str | None, event_id: str | None) -> None:
        error = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}
        self.emit("error", error=error)


def encode(event: JsonObject) -> str:
    """One event as a JSON text frame."""
    return json.dumps(event, separators=(",", ":"))

"""A client's end of the protocol core: says events, keeps what comes back, and checks every frame of it."""

from __future__ import annotations

import base64
import json
from typing import Any

from runtime.wire.realtime import Action, RealtimeProtocol, Response, SessionConfig, encode
from tests.conformance.profile import Transcript, assert_conforms


class Line:
    """Drives a :class:`RealtimeProtocol`, decoding what it sends from the very text a socket would carry."""

    def __init__(self, config: SessionConfig | None = None, **options: Any) -> None:
        self.protocol = RealtimeProtocol(config or SessionConfig(model="agent", voice="alloy"), **options)
        self.heard: list[dict[str, Any]] = []
        self.asked: list[Action] = []
        self._transcript = Transcript()
        self.protocol.open()
        self.drain()

    def say(self, event_type: str, **members: Any) -> list[dict[str, Any]]:
        """Send one client event; returns what came back."""
        return self.say_text(json.dumps({"type": event_type, **members}))

    def say_text(self, text: str | bytes) -> list[dict[str, Any]]:
        self.protocol.receive(text)
        return self.drain()

    def drain(self) -> list[dict[str, Any]]:
        events = [json.loads(encode(event)) for event in self.protocol.events()]
        assert_conforms(events)
        faults = self._transcript.follow(events).faults
        assert not faults, faults
        self.heard += events
        self.asked += self.protocol.actions()
        return events

    def respond(self, **response: Any) -> Response:
        """Ask for a response, and return it."""
        before = set(self.protocol.responses.ids)
        self.say("response.create", response=response)
        (new,) = set(self.protocol.responses.ids) - before
        return self.protocol.responses.get(new)

    @property
    def session(self) -> dict[str, Any]:
        """The session as the client was last shown it."""
        shown: dict[str, Any] = next(e["session"] for e in reversed(self.heard) if "session" in e)
        return shown

    def state(self) -> tuple[object, ...]:
        """Everything of the core that a refused message must not have changed."""
        core = self.protocol
        return (
            core.config,
            core.conversation.items,
            core.responses.ids,
            core.input.uncommitted,
            core.input.turn_id,
        )


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def error(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The one error that came back."""
    assert types(events) == ["error"]
    found: dict[str, Any] = events[0]["error"]
    return found


def b64(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


def user_text(text: str, **members: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **members}


def pcm(seconds: float) -> bytes:
    """Silence at 24 kHz."""
    return bytes(2 * round(seconds * 24_000))

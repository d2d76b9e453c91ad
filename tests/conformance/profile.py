"""
What every event we send must satisfy: the intersection of what five stock clients accept.

openai-agents validates each frame against openai-python's types and takes a failure for a session error;
Pipecat raises, and its reader dies; the JavaScript SDK quietly drops what does not match. So an event is
checked here against openai-python's own union of server events, and then against the rules that only the
other clients have. :class:`Transcript` checks the order of a whole stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter, ValidationError

SERVER_EVENT: TypeAdapter[object] = TypeAdapter(RealtimeServerEvent)

FRAME_BYTES = 1 << 20
"""What Pipecat's WebSocket accepts in one frame."""

ITEM_CONTENT = {"input_text", "input_audio", "output_text", "output_audio"}
REASONS = {"turn_detected", "client_cancelled", "max_output_tokens", "content_filter"}
TRANSCRIPTION_MEMBERS = {"model", "language", "prompt"}


def violations(event: Mapping[str, Any]) -> list[str]:
    """Why some client would stumble over ``event``; empty if none does."""
    try:
        SERVER_EVENT.validate_python(event)
    except ValidationError as error:
        named = [e for e in error.errors() if "type" not in e["loc"]]
        return [f"{event.get('type')}: {e['loc']}: {e['msg']}" for e in named] or [str(error)]
    found: list[str] = []
    if not _filled(event.get("event_id")):
        found.append("event_id is missing")
    if "session" in event:
        found += _session(event["session"])
    if "item" in event:
        found += _item(event["item"])
    if "response" in event:
        found += _response(event["response"])
    if "part" in event:
        found += _part(event["part"])
    if event["type"] in RULES:
        found += RULES[event["type"]](event)
    return [f"{event['type']}: {why}" for why in found]


def assert_conforms(events: Iterable[Mapping[str, Any]]) -> None:
    """Fail with every violation of every event."""
    found = [why for event in events for why in violations(event)]
    assert not found, "\n".join(found)


class Transcript:
    """
    Follows a stream of server events and notes each one that comes out of order.

    Everything opened is closed, once, inside its response; ``response.done`` is last; an item is added
    before it is done, and its ``previous_item_id`` is known.
    """

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._responses: dict[str, dict[tuple[object, ...], str]] = {}
        self._over: set[str] = set()
        self._items: dict[str, str] = {}
        self._first = True

    def follow(self, events: Iterable[Mapping[str, Any]]) -> Transcript:
        for event in events:
            self._step(event)
        return self

    def _step(self, event: Mapping[str, Any]) -> None:
        kind = event["type"]
        if self._first and kind != "session.created":
            self._fault(event, "comes before session.created")
        self._first = False
        if kind == "response.created":
            self._responses[event["response"]["id"]] = {}
        elif kind == "response.done":
            response_id = event["response"]["id"]
            left = self._responses.pop(response_id, None)
            if left is None:
                self._fault(event, "was not created, or is done twice")
            elif left:
                self._fault(event, f"leaves open {sorted(map(str, left))}")
            self._over.add(response_id)
        elif "response_id" in event and not kind.startswith("output_audio_buffer."):
            self._inside(event)
        elif kind == "conversation.item.added":
            self._item_added(event)
        elif kind == "conversation.item.deleted":
            self._items[event["item_id"]] = "deleted"
        elif kind == "conversation.item.done" and event["item"]["id"] not in self._items:
            self._fault(event, "is done before it was added")

    def _item_added(self, event: Mapping[str, Any]) -> None:
        before, item_id = event["previous_item_id"], event["item"]["id"]
        if before is not None and before not in self._items:
            self._fault(event, f"follows {before}, which was never added")
        if self._items.get(item_id) == "added":
            self._fault(event, "is added twice")
        self._items[item_id] = "added"

    def _inside(self, event: Mapping[str, Any]) -> None:
        kind = event["type"]
        open_here = self._responses.get(event["response_id"])
        if open_here is None:
            self._fault(event, "is outside its response")
            return
        index = event["output_index"]
        item, part, stream = ("item", index), ("part", index), ("stream", index)
        match kind.removeprefix("response.").split("."):
            case ["output_item", "added"]:
                open_here[item] = kind
            case ["output_item", "done"]:
                if part in open_here:
                    self._fault(event, "closes an item with an open part")
                self._close(event, open_here, item)
            case ["content_part", "added"]:
                self._require(event, open_here, item)
                open_here[part] = kind
                open_here[stream] = kind
            case ["content_part", "done"]:
                if stream in open_here:
                    self._fault(event, "closes a part with an open stream")
                self._close(event, open_here, part)
            case ["output_audio_transcript" | "output_text", "done"]:
                self._close(event, open_here, stream)
            case ["output_audio_transcript" | "output_text" | "output_audio", _]:
                self._require(event, open_here, stream)
            case ["function_call_arguments", _]:
                self._require(event, open_here, item)
            case _:
                self._fault(event, "is not an event of a response that we know")

    def _require(self, event: Mapping[str, Any], open_here: Mapping[Any, str], what: object) -> None:
        if what not in open_here:
            self._fault(event, f"comes while its {what} is not open")

    def _close(self, event: Mapping[str, Any], open_here: dict[Any, str], what: object) -> None:
        if open_here.pop(what, None) is None:
            self._fault(event, f"closes a {what} that is not open")

    def _fault(self, event: Mapping[str, Any], why: str) -> None:
        self.faults.append(f"{event['type']} {event.get('item_id', '')}: {why}")


def _filled(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _session(session: Mapping[str, Any]) -> list[str]:
    audio = session.get("audio", {})
    found = [
        f"audio.{side}.format.rate is not 24000"
        for side in ("input", "output")
        if audio.get(side, {}).get("format", {}).get("rate", 24000) != 24000
    ]
    voice = audio.get("output", {}).get("voice", "")
    if not isinstance(voice, str):
        found.append("a voice is shown as a plain string: Pipecat raises on an object")
    transcription = audio.get("input", {}).get("transcription") or {}
    if extra := transcription.keys() - TRANSCRIPTION_MEMBERS:
        found.append(f"transcription shows {extra}: Pipecat raises")
    detector = audio.get("input", {}).get("turn_detection")
    if detector and not isinstance(detector.get("interrupt_response"), bool):
        found.append("interrupt_response is not explicit: the JavaScript SDK decides by it who cancels")
    return found


def _item(item: Mapping[str, Any]) -> list[str]:
    found = []
    if not _filled(item.get("id")):
        found.append("item.id is missing")
    if item.get("status") not in ("in_progress", "completed", "incomplete"):
        found.append("item.status is missing")
    if item["type"] == "function_call":
        found += [
            f"function_call.{name} is missing" for name in ("call_id", "name") if not _filled(item.get(name))
        ]
        if not isinstance(item.get("arguments"), str):
            found.append("function_call.arguments is not a string")
    for part in item.get("content", ()):
        if part["type"] not in ITEM_CONTENT | {"input_image"}:
            found.append(f"content type {part['type']} is dropped by the JavaScript SDK")
        if part["type"] == "input_audio" and "transcript" not in part:
            found.append("input_audio without the key transcript: the JavaScript SDK throws")
    return found


def _response(response: Mapping[str, Any]) -> list[str]:
    found = [why for item in response.get("output", ()) for why in _item(item)]
    if not isinstance(response["audio"]["output"]["voice"], str):
        found.append("a voice is shown as a plain string: the JavaScript SDK drops response.created")
    details = response.get("status_details") or {}
    if details.get("reason", "turn_detected") not in REASONS:
        found.append(f"reason {details['reason']} is not one of four")
    if any(part.get("audio") for item in response["output"] for part in item.get("content", ())):
        found.append("output carries audio")
    return found


def _part(part: Mapping[str, Any]) -> list[str]:
    if part.get("type") not in ("audio", "text"):
        return [f"part.type {part.get('type')} is neither audio nor text"]
    return [f"part.{name} is null" for name in ("transcript", "text") if name in part and part[name] is None]


def _completed(event: Mapping[str, Any]) -> list[str]:
    return [] if event.get("usage") else ["usage is missing"]


def _failed(event: Mapping[str, Any]) -> list[str]:
    return [] if _filled(event["error"].get("type")) else ["error.type is missing"]


def _arguments_done(event: Mapping[str, Any]) -> list[str]:
    return [] if _filled(event.get("name")) else ["name is missing"]


def _error(event: Mapping[str, Any]) -> list[str]:
    return [] if _filled(event["error"].get("message")) else ["error.message is missing"]


RULES = {
    "conversation.item.input_audio_transcription.completed": _completed,
    "conversation.item.input_audio_transcription.failed": _failed,
    "response.function_call_arguments.done": _arguments_done,
    "error": _error,
}

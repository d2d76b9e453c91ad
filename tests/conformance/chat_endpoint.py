"""
A chat endpoint of OpenAI's shape with a model that always says the same: the agent's brain in these tests.

It asks for the weather by a tool when it is offered one, reads out what the tool said, tells a long story
when asked for one, and otherwise repeats what it was told. What it was sent is kept.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STORY = (
    "Once upon a time there was a lighthouse at the end of the world. Every evening its keeper climbed the "
    "stairs and lit the lamp. One night a ship came out of the fog, with no name and no crew on board. The "
    "keeper rowed out to it, and found a single passenger asleep in the cabin."
)


class ChatEndpoint:
    """Serves ``/v1/chat/completions`` on a free port of the loopback."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @contextmanager
    def serving(self) -> Iterator[ChatEndpoint]:
        thread = threading.Thread(target=self._server.serve_forever, name="chat endpoint")
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                requests.append(body)
                payload = b"".join(
                    b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in _chunks(body)
                )
                payload += b"data: [DONE]\n\n"
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                with suppress(ConnectionError):  # an interrupted agent hangs up on its brain
                    self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def _chunks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for delta in _deltas(body):
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
        }


def _deltas(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    last = body["messages"][-1]
    tools = [tool["function"]["name"] for tool in body.get("tools") or ()]
    said = _text(last["content"])
    if last["role"] == "tool":
        yield from _words(f"The forecast says: {said}.")
    elif "weather" in said and "get_weather" in tools:
        call = {"name": "get_weather", "arguments": '{"city": "Bern"}'}
        yield {"tool_calls": [{"index": 0, "id": "call_weather", "type": "function", "function": call}]}
    elif "story" in said:
        yield from _words(STORY)
    else:
        yield from _words(f"I heard: {said}.")


def _words(text: str) -> Iterator[dict[str, Any]]:
    for word in text.split(" "):
        yield {"content": word + " "}


def _text(content: object) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return str(content or "")

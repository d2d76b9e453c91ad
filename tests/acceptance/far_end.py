"""Servers that ours calls: one with recordings, one like ElevenLabs. Real HTTP, on the loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


class FarEnd:
    """What was asked of it, in order."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.requests: list[tuple[str, dict[str, str]]] = []


class _Quiet(BaseHTTPRequestHandler):
    far_end: ClassVar[FarEnd]

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def note(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.far_end.requests.append((self.path, headers))

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def recordings(files: dict[str, bytes]) -> Iterator[FarEnd]:
    """Serves ``files`` by path, ``/to?…`` redirects, ``/endless`` never ends."""

    class Handler(_Quiet):
        def do_GET(self) -> None:
            self.note()
            if self.path.startswith("/to?"):
                self.answer(302, b"", location=self.path.removeprefix("/to?"))
            elif self.path == "/endless":
                self.send_response(200)
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(bytes(2**20))
                        time.sleep(0.001)
                except OSError:
                    return
            elif self.path in files:
                self.answer(200, files[self.path])
            else:
                self.answer(404, b"secret text of the far end")

    yield from _serve(Handler)


@contextmanager
def elevenlabs() -> Iterator[FarEnd]:
    """Takes ``sk_good…`` and has two voices."""

    class Handler(_Quiet):
        def do_GET(self) -> None:
            self.note()
            if not self.headers.get("xi-api-key", "").startswith("sk_good"):
                self.answer(401, b'{"detail":{"status":"invalid_api_key"}}')
            elif self.path == "/v1/user":
                self.answer(200, b'{"subscription":{"tier":"creator"}}')
            elif self.path.startswith("/v1/voices/") and self.path[-3:] not in ("abc", "def"):
                self.answer(404, b'{"detail":{"status":"voice_not_found"}}')
            elif self.path.startswith("/v1/voices/"):
                name = self.path[-3:]
                self.answer(200, json.dumps({"voice_id": name, "name": name.title()}).encode())
            else:
                voices = [
                    {"voice_id": name, "name": name.title(), "preview_url": None} for name in ("abc", "def")
                ]
                self.answer(200, json.dumps({"voices": voices}).encode())

        def do_POST(self) -> None:
            self.note()
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.answer(200, b"ID3 far away", content_type="audio/mpeg")

    yield from _serve(Handler)


def _serve(handler: type[_Quiet]) -> Iterator[FarEnd]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.far_end = FarEnd(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield handler.far_end
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""An HTTP server that says yes to everything, and writes down what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    """With its query."""
    authorization: str
    body: str


class RecordingServer:
    """
    Made by :func:`recording_server`.

    Args:
        status: Of every answer.
    """

    def __init__(self, *, status: int) -> None:
        self.asked: list[Asked] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                shown = self.headers.get("authorization") or ""
                asked.append(Asked(self.command, self.path, shown, body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def recording_server(*, status: int = 200) -> Iterator[RecordingServer]:
    recorder = RecordingServer(status=status)
    thread = threading.Thread(target=recorder.server.serve_forever, name="recorder")
    thread.start()
    try:
        yield recorder
    finally:
        recorder.server.shutdown()
        recorder.server.server_close()
        thread.join()

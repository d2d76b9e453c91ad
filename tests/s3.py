"""
An S3-compatible store on the loopback, small and strict.

It keeps objects in memory, speaks path-style addresses, and checks every signature (AWS Signature Version 4:
the canonical request, the string to sign, the derived key) before it does anything. It can be told to fail.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

ACCESS_KEY = "AKIAEXAMPLE"
SECRET_KEY = "a secret that only tests know"
REGION = "eu-test-1"
BUCKET = "recordings"


class S3:
    """
    The store.

    Attributes:
        objects: Everything in the bucket, by key.
        failing: The next so many requests are answered 503.
        dead: Connections are dropped in the middle of what they upload.
        holding: ``METHOD part-of-the-key`` of requests that get no answer; the first sets ``held``.
        refused: Requests whose signature was wrong.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.failing = 0
        self.dead = False
        self.holding: str | None = None
        self.held = threading.Event()
        self.refused = 0

    @property
    def settings(self) -> dict[str, str]:
        """What a server is told to keep its recordings here."""
        return {
            "blob_url": f"s3://{BUCKET}/vivavoce",
            "blob_endpoint_url": self.url,
            "blob_region": REGION,
            "blob_access_key_id": ACCESS_KEY,
            "blob_secret_access_key": SECRET_KEY,
        }


class _Handler(BaseHTTPRequestHandler):
    s3: ClassVar[S3]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def _serve(self) -> None:
        if self.s3.dead:
            self.close_connection = True
            self.connection.close()
            return None
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        address = urlsplit(self.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        if self.s3.failing:
            self.s3.failing -= 1
            return self._answer(503, b"<Error><Code>SlowDown</Code></Error>")
        if not signed(self.command, address.path, address.query, dict(self.headers), body):
            self.s3.refused += 1
            return self._answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        if bucket != BUCKET:
            return self._answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        if self._is_held(key if "delete" not in query else body.decode()):
            self.close_connection = True
            return None
        return self._do(key, query, body)

    def _is_held(self, key: str) -> bool:
        """Wait while such requests are held; True for one that was, as its client is gone by then."""
        method, _, part = (self.s3.holding or " \0").partition(" ")
        if self.command != method or part not in key:
            return False
        self.s3.held.set()
        while self.s3.holding is not None:
            time.sleep(0.02)
        return True

    def _do(self, key: str, query: Mapping[str, str], body: bytes) -> None:
        objects, uploads = self.s3.objects, self.s3.uploads
        match self.command:
            case "GET" if not key:
                return self._answer(200, self._listing(query.get("prefix", "")))
            case "POST" if "delete" in query:
                keys = re.findall(rb"<Key>(.*?)</Key>", body)
                for name in keys:
                    objects.pop(name.decode(), None)
                gone = b"".join(b"<Deleted><Key>%s</Key></Deleted>" % name for name in keys)
                return self._answer(200, b"<DeleteResult>%s</DeleteResult>" % gone)
            case "POST" if "uploads" in query:
                upload = f"upload{len(uploads)}"
                uploads[upload] = {}
                made = f"<InitiateMultipartUploadResult><Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key>"
                made += f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                return self._answer(200, made.encode())
            case "PUT" if "partNumber" in query:
                uploads[query["uploadId"]][int(query["partNumber"])] = body
                return self._answer(200, b"", etag='"part"')
            case "POST" if "uploadId" in query:
                parts = uploads.pop(query["uploadId"])
                objects[key] = b"".join(parts[number] for number in sorted(parts))
                done = b"<ETag>&quot;x&quot;</ETag>"
                return self._answer(
                    200, b"<CompleteMultipartUploadResult>%s</CompleteMultipartUploadResult>" % done
                )
            case "PUT":
                objects[key] = body
                return self._answer(200, b"", etag='"whole"')
            case "DELETE":
                objects.pop(key, None)
                uploads.pop(query.get("uploadId", ""), None)
                return self._answer(204, b"")
            case _ if key not in objects:
                return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            case _:
                return self._object(objects[key])

    def _object(self, data: bytes) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        if wanted is None:
            return self._answer(200, data, etag='"whole"')
        first, last = int(wanted[1]), int(wanted[2])
        span = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
        return self._answer(206, data[first : last + 1], content_range=span, etag='"whole"')

    def _listing(self, prefix: str) -> bytes:
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key, data in sorted(self.s3.objects.items())
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def signed(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a request carries the right signature over what it is: AWS Signature Version 4."""
    named = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    given = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
        r"SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})",
        named.get("authorization", ""),
    )
    if given is None:
        return False
    access_key, day, region, signed_headers, signature = given.groups()
    if (access_key, region) != (ACCESS_KEY, REGION) or "host" not in signed_headers.split(";"):
        return False
    payload = named.get("x-amz-content-sha256", "")
    if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return False
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    request = "\n".join(
        (
            method,
            quote(unquote(path), safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{named[name]}" for name in signed_headers.split(";")),
            "",
            signed_headers,
            payload,
        )
    )
    scope = f"{day}/{region}/s3/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{named['x-amz-date']}\n{scope}\n{hashed}"
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), signature)


@contextmanager
def s3_store() -> Iterator[S3]:
    """A store with an empty bucket."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    handler = type("Handler", (_Handler,), {"s3": S3(server.server_address[1])})
    server.RequestHandlerClass = handler
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield handler.s3
    finally:
        server.shutdown()
        server.server_close()

"""
Downloads a recording from an address that a stranger gave, and reaches nothing it should not.

An address is judged by where a connection really goes: the name is looked up here, every answer must be on
the public internet, and the connection is made to that very answer, so a second look-up cannot lead
elsewhere (DNS rebinding). That happens on every hop of a redirect. An operator can open hosts on his own
network by name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import httpcore

from runtime.errors import InvalidRequest, UploadTooLarge

MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that carry an IPv4 address; RFC 6052."""

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class AudioFetcher:
    """
    Args:
        allow_hosts: Names (or ``name:port``) that may be in a private network.
        max_bytes: Largest file.
        timeout: Seconds for all of it, redirects included.
    """

    def __init__(self, *, allow_hosts: Collection[str] = (), max_bytes: int, timeout: float = 20.0) -> None:
        self._allowed = frozenset(host.lower() for host in allow_hosts)
        self._max_bytes = max_bytes
        self._timeout = timeout

    async def fetch(self, url: str) -> bytes:
        """
        The file at ``url``. Nothing of the caller's request goes along, and nothing of the answer's status
        or text comes back: the server is no window into a network.

        Raises:
            InvalidRequest: ``audio_url_unreachable``, for whichever reason.
            UploadTooLarge: More than ``max_bytes``.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow(url)
        except TimeoutError:
            raise unreachable(f"it did not arrive within {self._timeout:g} s") from None
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            raise unreachable("no recording could be loaded from there") from None

    async def _follow(self, url: str) -> bytes:
        for _hop in range(MAX_REDIRECTS + 1):
            parts = _checked(url)
            backend = _GuardedNetwork(open_host=self._is_allowed(parts))
            async with (
                httpcore.AsyncConnectionPool(network_backend=backend) as pool,
                pool.stream("GET", _ascii(parts), headers=_headers(parts)) as answer,
            ):
                if answer.status in REDIRECTS:
                    target = _header(answer.headers, b"location")
                    if target is None:
                        raise unreachable("it leads nowhere")
                    url = urljoin(url, target.decode("latin-1"))
                    continue
                if answer.status != 200:
                    raise unreachable("no recording could be loaded from there")
                return await self._read(answer)
        raise unreachable(f"it redirects more than {MAX_REDIRECTS} times")

    async def _read(self, answer: httpcore.Response) -> bytes:
        data = bytearray()
        async for piece in answer.aiter_stream():
            data += piece
            if len(data) > self._max_bytes:
                raise UploadTooLarge(f"The recording is larger than {self._max_bytes} bytes.")
        return bytes(data)

    def _is_allowed(self, parts: SplitResult) -> bool:
        host = (parts.hostname or "").lower()
        return host in self._allowed or f"{host}:{_port(parts)}" in self._allowed


@asynccontextmanager
async def guarded_pool(
    url: str, allowed: Collection[str] = ()
) -> AsyncIterator[tuple[httpcore.AsyncConnectionPool, httpcore.URL, tuple[bytes, bytes]]]:
    """
    A connection pool that reaches only public addresses, the address to ask for, and its ``Host`` header.

    Args:
        url: http or https.
        allowed: Names (or ``name:port``), lower case, that may be in a private network.

    Raises:
        InvalidRequest: Not such an address; connecting raises it too, where the name leads inside.
    """
    parts = _checked(url)
    host = (parts.hostname or "").lower()
    open_host = host in allowed or f"{host}:{_port(parts)}" in allowed
    async with httpcore.AsyncConnectionPool(network_backend=_GuardedNetwork(open_host=open_host)) as pool:
        yield pool, _ascii(parts), _headers(parts)[0]


async def require_public(url: str, allowed: Collection[str] = ()) -> None:
    """
    Refuse an address that could not be reached later; one whose name is not known now is let through.

    Args:
        url: http or https.
        allowed: Names (or ``name:port``), lower case, that may be in a private network.

    Raises:
        InvalidRequest: Not such an address, or it leads inside.
    """
    parts = _checked(url)
    _ascii(parts)
    host = (parts.hostname or "").lower()
    if host in allowed or f"{host}:{_port(parts)}" in allowed:
        return
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
    except OSError:
        return
    if not all(is_public(ipaddress.ip_address(str(answer[4][0]).partition("%")[0])) for answer in answers):
        raise _outside()


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only, and to the very address that was looked at."""

    def __init__(self, *, open_host: bool) -> None:
        self._open_host = open_host
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
        if not self._open_host and not all(is_public(address) for address in addresses):
            raise _outside()
        return await self._network.connect_tcp(
            str(addresses[0]), port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(self, *_args: Any, **_options: Any) -> httpcore.AsyncNetworkStream:
        raise unreachable("that is not an address")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


def is_public(address: IpAddress) -> bool:
    """Whether an address is on the public internet, also when it wraps another one."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if address.teredo is not None:
            wrapped = address.teredo[1]
        if wrapped is not None:
            return is_public(wrapped)
    return address.is_global and not address.is_multicast


def unreachable(why: str) -> InvalidRequest:
    """One code for whatever is wrong with an address."""
    return InvalidRequest(
        f"audio_url cannot be used: {why}.",
        code="audio_url_unreachable",
        param="audio_url",
        fix="give an http or https address of a recording on the public internet, or send audio_base64",
    )


def _outside() -> InvalidRequest:
    return unreachable("that address is not on the public internet")


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise unreachable("it is not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise unreachable("only http and https are fetched")
    if parts.username is not None or parts.password is not None:
        raise unreachable("it carries credentials")
    return parts


def _ascii(parts: SplitResult) -> httpcore.URL:
    try:
        host = (parts.hostname or "").encode("idna")
    except UnicodeError:
        raise unreachable("it is not an address") from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in target):
        raise unreachable("it is not an address")
    return httpcore.URL(
        scheme=parts.scheme.encode(), host=host, port=parts.port, target=target.encode("utf-8", "replace")
    )


def _headers(parts: SplitResult) -> list[tuple[bytes, bytes]]:
    host = (parts.hostname or "").encode("idna")
    named = b"[" + host + b"]" if b":" in host else host
    if parts.port is not None:
        named += f":{parts.port}".encode()
    return [(b"host", named), (b"accept", b"audio/*, */*"), (b"user-agent", b"vivavoce")]


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    return next((value for key, value in headers if key.lower() == name), None)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)

"""STUN and TURN servers, as WebRTC's ``iceServers`` name them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

IceServer: TypeAlias = Mapping[str, str | Sequence[str]]
"""``urls``, and for TURN ``username`` and ``credential``."""

MEMBERS = frozenset({"urls", "username", "credential"})

_URL = re.compile(r"(stun|turns?):[\w.-]+(:\d{1,5})?(\?transport=(udp|tcp))?", re.ASCII)
"""RFC 7064 §3.1 and RFC 7065 §3.1, of which aiortc reads no IPv6 literal and speaks no STUN over TLS."""


def check_ice_servers(servers: Sequence[IceServer]) -> None:
    """
    Raises:
        ValueError: A server cannot be used; the message says which and what to change.
    """
    for number, server in enumerate(servers):
        if unknown := server.keys() - MEMBERS:
            raise ValueError(f"server {number} has {sorted(unknown)[0]!r}; its members are {sorted(MEMBERS)}")
        urls = server.get("urls", ())
        if not urls:
            raise ValueError(f"server {number} has no 'urls', such as 'turn:turn.example.com:3478'")
        for url in [urls] if isinstance(urls, str) else urls:
            _check_url(url, server)


def _check_url(url: str, server: IceServer) -> None:
    found = _URL.fullmatch(url)
    if found is None or (found[1] == "stun" and found[3]):
        raise ValueError(
            f"{url!r} should look like 'stun:host:3478', 'turn:host:3478?transport=udp' or 'turns:host:5349'"
        )
    if found[1] == "turns" and found[4] == "udp":
        raise ValueError(f"{url!r}: TURN over TLS goes over TCP; leave out '?transport=udp'")
    if found[1] != "stun" and not (server.get("username") and server.get("credential")):
        raise ValueError(f"{url!r} needs a 'username' and a 'credential'")

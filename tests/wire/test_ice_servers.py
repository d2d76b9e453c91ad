from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire.ice_servers import IceServer, check_ice_servers

WHO = {"username": "voice", "credential": "secret"}


@pytest.mark.parametrize(
    "server",
    [
        {"urls": "stun:stun.example.com"},
        {"urls": "stun:192.0.2.1:3478"},
        {"urls": "turn:turn.example.com:3478?transport=udp", **WHO},
        {"urls": ["turn:192.0.2.1?transport=tcp", "turns:turn.example.com:5349"], **WHO},
    ],
)
def test_servers_that_can_be_used(server: IceServer) -> None:
    check_ice_servers([server])


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ({"url": "stun:stun.example.com"}, "its members are"),
        ({}, "no 'urls'"),
        ({"urls": []}, "no 'urls'"),
        ({"urls": "http://turn.example.com"}, "should look like"),
        ({"urls": "turn:[2001:db8::1]:3478", **WHO}, "should look like"),
        ({"urls": "turn.example.com:3478", **WHO}, "should look like"),
        ({"urls": "stun:stun.example.com?transport=udp"}, "should look like"),
        ({"urls": "turns:turn.example.com?transport=udp", **WHO}, "over TCP"),
        ({"urls": "turn:turn.example.com"}, "'username' and a 'credential'"),
        ({"urls": ["stun:a", "turn:b"], "username": "voice"}, "'username' and a 'credential'"),
    ],
)
def test_a_server_that_cannot_be_used_is_refused_with_what_to_change(server: IceServer, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        check_ice_servers([{"urls": "stun:stun.example.com"}, server])


@given(st.text() | st.from_regex(r"[a-z.]+:[0-9]+(.transport=(udp|tcp))?", fullmatch=True))
def test_what_passes_is_understood_by_the_stack_that_uses_it(url: str) -> None:
    from aiortc.rtcicetransport import parse_stun_turn_uri

    for scheme in ("stun", "turn", "turns"):
        try:
            check_ice_servers([{"urls": f"{scheme}:{url}", **WHO}])
        except ValueError:
            continue
        parse_stun_turn_uri(f"{scheme}:{url}")

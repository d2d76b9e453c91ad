"""ElevenLabs' streaming input, spoken by a client over the network."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.live_server import LiveServer

TEXT = "Hello there, my friend! How are you today?"


def address(server: LiveServer, kind: str, voice: str = "tone-low", **query: str) -> str:
    options = "&".join(f"{name}={value}" for name, value in ({"output_format": "pcm_24000"} | query).items())
    return f"{server.url.replace('http', 'ws')}/v1/text-to-speech/{voice}/{kind}?{options}"


def send(socket: Any, **body: object) -> None:
    socket.send(json.dumps(body))


def heard(socket: Any) -> tuple[list[dict[str, Any]], int]:
    """All messages to the end, and the close code."""
    messages: list[dict[str, Any]] = []

    def read() -> None:
        while True:
            messages.append(json.loads(socket.recv(timeout=20)))

    with pytest.raises(ConnectionClosed) as closed:
        read()
    assert closed.value.rcvd is not None
    return messages, closed.value.rcvd.code


def audio_of(messages: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(message["audio"]) for message in messages if message.get("audio"))


def test_one_utterance_written_word_by_word(server: LiveServer, key: str) -> None:
    with connect(address(server, "stream-input"), additional_headers={"xi-api-key": key}) as socket:
        send(socket, text=" ", voice_settings={"stability": 0.5})
        for word in TEXT.split(" "):
            send(socket, text=word + " ")
        send(socket, text="")
        messages, code = heard(socket)
    assert code == 1000
    assert messages[-1] == {"audio": None, "isFinal": True}
    assert len(audio_of(messages)) > 48_000
    characters = [c for m in messages if m.get("alignment") for c in m["alignment"]["chars"]]
    assert "".join(characters).strip(" ?") in TEXT


def test_the_key_may_come_in_the_first_message(server: LiveServer, key: str) -> None:
    with connect(address(server, "stream-input")) as socket:
        send(socket, text=" ", **{"xi-api-key": key})
        send(socket, text="Hello. ")
        send(socket, text="")
        messages, code = heard(socket)
    assert code == 1000
    assert audio_of(messages)


@pytest.mark.parametrize("first", [{"text": " "}, {"text": " ", "xi-api-key": "wrong"}])
def test_without_a_key_the_socket_closes_1008(server: LiveServer, first: dict[str, str]) -> None:
    with connect(address(server, "stream-input")) as socket:
        send(socket, **first)
        messages, code = heard(socket)
    assert code == 1008
    assert messages[0]["error"] == "unauthorized"


def test_contexts_side_by_side(server: LiveServer, key: str) -> None:
    with connect(address(server, "multi-stream-input"), additional_headers={"xi-api-key": key}) as socket:
        for context in ("a", "b"):
            send(socket, text=" ", context_id=context)
            send(socket, text=f"This is {context}. ", context_id=context)
            send(socket, context_id=context, flush=True)
        send(socket, text="", context_id="a")
        send(socket, text="And this is more. ", context_id="a")
        send(socket, context_id="b", close_context=True)
        send(socket, close_socket=True)
        messages, code = heard(socket)
    assert code == 1000
    assert {message["contextId"] for message in messages} == {"a", "b"}
    for context in ("a", "b"):
        own = [message for message in messages if message["contextId"] == context]
        assert own[-1]["isFinal"] is True
        assert sum(bool(message.get("isFinal")) for message in own) == 1
        assert audio_of(own)
    longer, shorter = (audio_of([m for m in messages if m["contextId"] == c]) for c in ("a", "b"))
    assert len(longer) > len(shorter)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [("nope", "protocol_error"), ('{"text": 5}', "protocol_error"), ("[]", "protocol_error")],
)
def test_garbage_closes_this_socket_with_a_reason(
    server: LiveServer, key: str, garbage: str, code: str
) -> None:
    with connect(address(server, "stream-input"), additional_headers={"xi-api-key": key}) as socket:
        socket.send(garbage)
        messages, closed = heard(socket)
    assert (messages[0]["error"], closed) == (code, 1008)


@pytest.mark.parametrize(
    ("voice", "query", "code"),
    [
        ("voice_x", {}, "voice_not_found"),
        ("tone-low", {"output_format": "midi"}, "output_format_not_allowed"),
        ("tone-low", {"inactivity_timeout": "0.2"}, "input_timeout"),
        ("tone-low", {"inactivity_timeout": "x"}, "invalid_request"),
    ],
)
def test_what_cannot_be_served_is_told(
    server: LiveServer, key: str, voice: str, query: dict[str, str], code: str
) -> None:
    target = address(server, "stream-input", voice, **query)
    with connect(target, additional_headers={"xi-api-key": key}) as socket:
        with suppress(ConnectionClosed):  # it may be quicker than we are
            send(socket, text=" ")
        messages, closed = heard(socket)
    assert (messages[0]["error"], closed) == (code, 1008)


def test_a_client_that_vanishes_leaves_the_server_well(server: LiveServer, key: str) -> None:
    for _ in range(3):
        with connect(address(server, "stream-input"), additional_headers={"xi-api-key": key}) as socket:
            send(socket, text=" ")
            send(socket, text="This goes on and on. " * 50, flush=True)
            socket.recv(timeout=10)
            socket.close_socket()
    test_one_utterance_written_word_by_word(server, key)
    assert "Traceback" not in server.log

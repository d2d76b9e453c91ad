"""Calls over WebRTC by a real aiortc peer, and the secrets that browsers open them with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from openai import AsyncOpenAI

from tests.conformance.profile import Transcript, assert_conforms
from tests.live_server import LiveServer
from tests.webrtc_caller import WebRtcCaller, webrtc_call

SDP = {"content-type": "application/sdp"}


@pytest.fixture
async def calling(server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key of a new tenant."""
    headers = {"authorization": f"Bearer {server.sandbox_key()}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as client:
        yield client


def user_text(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def test_a_call_is_answered_heard_and_hung_up(calling: httpx.AsyncClient) -> None:
    async with webrtc_call(calling) as caller:
        caller.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
        updated = await caller.hear("session.updated")
        assert updated["session"]["instructions"] == "Be brief."
        caller.send("conversation.item.create", item=user_text("one two three four"))
        caller.send("response.create")
        done = await caller.hear("response.done")
        await caller.hear("output_audio_buffer.stopped")
        await asyncio.sleep(0.2)
        kinds = [event["type"] for event in caller.events]
        assert kinds.index("response.content_part.added") < kinds.index("output_audio_buffer.started")
        assert kinds.index("response.done") < kinds.index("output_audio_buffer.stopped")
        assert "response.output_audio.delta" not in kinds
        assert_conforms(caller.events)
        assert Transcript().follow(caller.events).faults == []
        assert done["response"]["status"] == "completed"
        audible = np.abs(caller.audio.astype(np.int32)) > 300
        assert audible.sum() / 48_000 > 0.3

        gone = await calling.delete(caller.location)
        assert gone.status_code == 204
        await asyncio.wait_for(caller.closed.wait(), 10)
    assert (await calling.delete(caller.location)).status_code == 404


async def test_the_first_state_may_come_with_the_offer(calling: httpx.AsyncClient) -> None:
    caller = WebRtcCaller()
    session = {"type": "realtime", "instructions": "From the form.", "output_modalities": ["text"]}
    form = {
        "sdp": (None, await caller.offer(), "application/sdp"),
        "session": (None, json.dumps(session), "application/json"),
    }
    try:
        await caller.take(await calling.post("/v1/realtime/calls", files=form))
        created = await caller.hear("session.created")
        assert created["session"]["instructions"] == "From the form."
        assert created["session"]["output_modalities"] == ["text"]
    finally:
        await caller.close()


async def test_the_stock_sdk_creates_calls_and_secrets(server: LiveServer) -> None:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.sandbox_key()) as client:
        secret = await client.realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "instructions": "From the secret."},
        )
        assert secret.value.startswith("ek_")
        caller = WebRtcCaller()
        try:
            browser = client.with_options(api_key=secret.value)
            answer = await browser.realtime.calls.with_raw_response.create(sdp=await caller.offer())
            await caller.take(answer.http_response)
            created = await caller.hear("session.created")
            assert created["session"]["instructions"] == "From the secret."
        finally:
            await caller.close()


async def test_another_socket_may_join_and_steer_a_call(server: LiveServer) -> None:
    key = server.sandbox_key()
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as calling,
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key) as client,
        webrtc_call(calling) as caller,
    ):
        call_id = caller.location.rsplit("/", 1)[1]
        async with client.realtime.connect(call_id=call_id) as side:
            created = await side.recv()
            assert created.type == "session.created"
            item: Any = {"type": "conversation.item.create", "item": user_text("hello")}
            await side.send(item)
            assert (await caller.hear("conversation.item.added"))["item"]["role"] == "user"
            assert (await side.recv()).type == "conversation.item.added"
            caller.send("response.create", response={"output_modalities": ["text"]})
            while (event := await side.recv()).type != "response.done":
                pass
            assert event.type == "response.done"


# What is refused


@pytest.mark.parametrize(
    ("sdp", "says"),
    [
        ("", "v=0"),
        ("hello", "v=0"),
        ("v=0\r\n", "audio"),
        ("v=0\r\nm=audio 9 RTP 0\r\n", "Opus"),
        ("v=0\r\nm=audio 9 RTP 111\r\na=rtpmap:111 opus/48000/2\r\n", "data channel"),
        (
            "v=0\r\nm=audio 9 RTP 111\r\na=rtpmap:111 opus/48000/2\r\nm=application 9 x y\r\n",
            "could not be read",
        ),
        ("v=0\r\n" + "a=x\r\n" * 20_000, "characters"),
    ],
    ids=range(7),
)
async def test_an_offer_that_cannot_be_answered_says_why(
    calling: httpx.AsyncClient, sdp: str, says: str
) -> None:
    answer = await calling.post("/v1/realtime/calls", content=sdp, headers=SDP)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_form_without_an_offer_and_a_huge_body_are_refused(calling: httpx.AsyncClient) -> None:
    form = await calling.post("/v1/realtime/calls", files={"session": (None, "{}", "application/json")})
    assert form.status_code == 400
    assert "sdp" in form.json()["error"]["message"]
    huge = await calling.post("/v1/realtime/calls", content=b"v" * 600_000, headers=SDP)
    assert huge.status_code == 400


async def test_a_session_that_cannot_be_is_refused_with_its_member(calling: httpx.AsyncClient) -> None:
    caller = WebRtcCaller()
    try:
        for session, param in [
            ({"audio": {"output": {"voice": "voice_nobody"}}}, None),
            ({"max_output_tokens": 0}, "session.max_output_tokens"),
        ]:
            form = {
                "sdp": (None, await caller.offer(), "application/sdp"),
                "session": (None, json.dumps(session), "application/json"),
            }
            answer = await calling.post("/v1/realtime/calls", files=form)
            assert answer.status_code in (400, 404)
            if param:
                assert answer.json()["error"]["param"] == param
    finally:
        await caller.close()


async def test_a_call_belongs_to_its_tenant(server: LiveServer, calling: httpx.AsyncClient) -> None:
    headers = {"authorization": f"Bearer {server.sandbox_key()}"}
    async with (
        httpx.AsyncClient(base_url=server.url, headers=headers) as stranger,
        webrtc_call(calling) as caller,
    ):
        assert (await stranger.delete(caller.location)).status_code == 404
        assert (await stranger.post(f"{caller.location}/hangup")).status_code == 404
        assert (await calling.post(f"{caller.location}/hangup")).status_code == 200


async def test_no_key_no_call(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as nobody:
        answer = await nobody.post("/v1/realtime/calls", content="v=0", headers=SDP)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert (await nobody.post("/v1/realtime/client_secrets", json={})).status_code == 401


async def test_pages_of_any_origin_may_ask(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as page:
        answer = await page.options("/v1/realtime/calls", headers={"origin": "https://example.org"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "location" in answer.headers["access-control-expose-headers"]


# Secrets


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "expires_after.seconds"),
        ({"expires_after": {"seconds": "60"}}, "expires_after.seconds"),
        ({"expires_after": 60}, "expires_after"),
        ({"session": {"type": "realtime", "max_output_tokens": 0}}, "session.max_output_tokens"),
        ({"session": []}, "session"),
        ({"allowed_origins": ["*"]}, "allowed_origins"),
        ({"allowed_origins": "https://example.org"}, "allowed_origins"),
        ([], "body"),
    ],
)
async def test_an_impossible_secret_is_refused(calling: httpx.AsyncClient, body: object, param: str) -> None:
    answer = await calling.post("/v1/realtime/client_secrets", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


async def test_a_secret_works_from_its_origins_only(server: LiveServer, calling: httpx.AsyncClient) -> None:
    made = await calling.post(
        "/v1/realtime/client_secrets", json={"allowed_origins": ["https://mine.example"]}
    )
    headers = {"authorization": f"Bearer {made.json()['value']}"} | SDP
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as page:
        elsewhere = await page.post(
            "/v1/realtime/calls", content="v=0", headers={"origin": "https://other.example"}
        )
        assert elsewhere.status_code == 403
        assert elsewhere.json()["error"]["code"] == "origin_not_allowed"
        at_home = await page.post(
            "/v1/realtime/calls", content="v=0", headers={"origin": "https://mine.example"}
        )
        assert at_home.status_code == 400  # let in, and then the offer is no offer


async def test_a_secret_opens_sessions_and_nothing_else(
    server: LiveServer, calling: httpx.AsyncClient
) -> None:
    made = await calling.post("/v1/realtime/client_secrets", json={})
    headers = {"authorization": f"Bearer {made.json()['value']}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as page:
        assert (await page.get("/v1/voices")).status_code == 401
        assert (await page.post("/v1/realtime/client_secrets", json={})).status_code == 401

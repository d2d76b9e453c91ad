"""WebRTC calls whose network goes away and comes back: by an ICE restart, and by a new connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.live_server import LiveServer
from tests.lossy_network import lossy_relay
from tests.webrtc_caller import RATE, WebRtcCaller, webrtc_call

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
SPOKEN = 0.06 * len(f"Yousaid:{WORDS}.".replace(" ", ""))
"""Seconds, in the tone engine's voice."""

FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}


@pytest.fixture
async def calling(server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {server.sandbox_key()}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as client:
        yield client


async def ask(caller: WebRtcCaller, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    caller.send("response.create")
    await caller.hear("output_audio_buffer.started")


def spoken(caller: WebRtcCaller) -> float:
    """Seconds of the agent's voice that came in."""
    return float((abs(caller.audio.astype(int)) > 300).sum()) / RATE


@pytest.mark.parametrize("whole", [True, False], ids=["offer", "fragment"])
async def test_a_caller_whose_network_changed_is_found_again(calling: httpx.AsyncClient, whole: bool) -> None:
    async with (
        lossy_relay(loss=0, jitter=0) as relay,
        webrtc_call(calling, relay=relay, conceals=True) as caller,
    ):
        await ask(caller, WORDS)
        while spoken(caller) < 0.5:
            await caller.listened()
        relay.cut = True
        # Long enough that the server notices, and holds its breath: the sentence would be over otherwise.
        await asyncio.sleep(SPOKEN)
        assert "response.done" not in [event["type"] for event in caller.events]
        at_break = len(caller.events)

        answer = await caller.restart_ice(calling, whole=whole)
        assert answer.headers["etag"].endswith('-1"')
        done = await caller.hear("response.done", after=at_break)
        assert done["response"]["status"] == "completed"
        await caller.hear("output_audio_buffer.stopped")
        assert spoken(caller) > 0.5
        await ask(caller, "still there")
        # It is the same session on the same channel: nobody was greeted again.
        assert [event["type"] for event in caller.events].count("session.created") == 1


async def test_a_caller_whose_connection_is_gone_goes_on_in_mid_sentence(calling: httpx.AsyncClient) -> None:
    async with webrtc_call(calling, conceals=True, resumable="true") as before:
        resume = before.events[0]["session"]["resume"]
        assert resume["resumed"] is False
        await ask(before, WORDS)
        while spoken(before) < 0.5:
            await before.listened()
    async with webrtc_call(calling, conceals=True, resume=resume["token"]) as after:
        again = after.events[0]["session"]
        assert again["id"] == before.events[0]["session"]["id"]
        assert again["resume"]["resumed"] is True
        assert after.location == before.location
        done = await after.hear("response.done")
        assert done["response"]["status"] == "completed"
        await after.hear("output_audio_buffer.stopped")
        assert spoken(before) + spoken(after) == pytest.approx(SPOKEN, abs=0.5)
        await ask(after, "still there")
        assert (await calling.delete(after.location)).status_code == 204
        await asyncio.wait_for(after.closed.wait(), 10)
    assert (await calling.delete(after.location)).status_code == 404


async def test_a_token_is_good_once_and_for_its_tenant_only(
    server: LiveServer, calling: httpx.AsyncClient
) -> None:
    async with webrtc_call(calling, resumable="true") as before:
        token = before.events[0]["session"]["resume"]["token"]
    stranger = {"authorization": f"Bearer {server.sandbox_key()}"}
    async with httpx.AsyncClient(base_url=server.url, headers=stranger, timeout=30) as other:
        assert await refused(other, token) == (404, "resume_not_found")
    async with webrtc_call(calling, resume=token):
        assert await refused(calling, token) == (404, "resume_not_found")


async def refused(api: httpx.AsyncClient, token: str) -> tuple[int, str]:
    caller = WebRtcCaller()
    try:
        answer = await api.post(
            "/v1/realtime/calls",
            params={"resume": token},
            content=await caller.offer(),
            headers={"content-type": "application/sdp"},
        )
        return answer.status_code, answer.json()["error"]["code"]
    finally:
        await caller.close()


async def test_a_call_that_was_hung_up_is_not_resumed(calling: httpx.AsyncClient) -> None:
    async with webrtc_call(calling, resumable="true") as caller:
        token = caller.events[0]["session"]["resume"]["token"]
        assert (await calling.delete(caller.location)).status_code == 204
        await asyncio.wait_for(caller.closed.wait(), 10)
    assert await refused(calling, token) == (404, "resume_not_found")


async def test_what_is_no_restart_is_refused_or_trickled(calling: httpx.AsyncClient) -> None:
    async with webrtc_call(calling) as caller:
        same = caller.connection.localDescription.sdp
        sdp = {"content-type": "application/sdp"}
        again = await calling.patch(caller.location, content=same, headers=sdp)
        assert again.status_code == 400
        assert "restartIce()" in again.json()["error"]["message"]
        # The same ICE side in a fragment is trickle: it may bring candidates, even bad ones.
        trickled = await calling.patch(
            caller.location, content=same + "a=candidate:what\r\n", headers=FRAGMENT
        )
        assert trickled.status_code == 204
        for body in ("", "a=ice-ufrag:ab\r\na=ice-pwd:short\r\n", "a=ice-ufrag:abcd\r\n", "x" * 70_000):
            bad = await calling.patch(caller.location, content=body, headers=FRAGMENT)
            assert bad.status_code == 400
        plain = await calling.patch(caller.location, content=same, headers={"content-type": "text/plain"})
        assert plain.status_code == 415
        stale = await calling.patch(
            caller.location, content=same, headers=FRAGMENT | {"if-match": '"of-yesterday"'}
        )
        assert stale.status_code == 412
        await ask(caller, "still there")

from __future__ import annotations

from tests.calls.client import RATE, realtime
from tests.calls.test_bad_clients import refused
from tests.live_server import LiveServer

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


async def test_a_dropped_call_goes_on_in_mid_sentence(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key, resumable="true") as before:
        resume = before.events[0]["session"]["resume"]
        assert resume["resumed"] is False
        await before.ask(WORDS)
        await before.until("response.output_audio.delta", count=8)
        before.socket.transport.abort()
        await before.ended()
    async with realtime(server.url, key, resume=resume["token"], conforms=False) as after:
        again = after.events[0]["session"]
        assert again["id"] == before.events[0]["session"]["id"]
        assert again["resume"]["resumed"] is True
        done = await after.until("response.done")
        assert done["response"]["status"] == "completed"
        heard = (len(before.audio()) + len(after.audio())) / RATE
        whole = 0.06 * len(f"Yousaid:{WORDS}.".replace(" ", ""))
        # What was on its way when the line broke is lost: no more than the lead, and a packet.
        assert whole - 0.35 <= heard <= whole + 0.001
        await after.ask("still there")
        await after.until("response.done", count=2)
        assert len(before.events) > 5


async def test_a_token_is_good_once_and_for_its_tenant_only(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key, resumable="true") as before:
        token = before.events[0]["session"]["resume"]["token"]
        before.socket.transport.abort()
        await before.ended()
    stranger = {"authorization": f"Bearer {server.sandbox_key()}"}
    path = f"/v1/realtime?resume={token}"
    status, error = await refused(server.url, path, additional_headers=stranger)
    assert (status, error["code"]) == (404, "resume_not_found")
    async with realtime(server.url, key, resume=token):
        pass
    owner = {"authorization": f"Bearer {key}"}
    status, error = await refused(server.url, path, additional_headers=owner)
    assert (status, error["code"]) == (404, "resume_not_found")


async def test_only_who_asks_for_it_gets_a_token(server: LiveServer, key: str) -> None:
    async with realtime(server.url, key) as client:
        assert "resume" not in client.events[0]["session"]

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from runtime.clock import ManualClock
from runtime.server.tool_calls import MAX_RESULT_BYTES, HttpTools
from sessions.brains.brain import Tool, ToolCall
from sessions.brains.tools import ServerTool
from tests.sessions.chat_endpoint import ChatEndpoint, chat_endpoint

CALL = ToolCall("c1", "weather", '{"town": "Bonn"}')


async def run(
    endpoint: ChatEndpoint, clock: ManualClock, *, call: ToolCall = CALL, secret: str | None = None
) -> str:
    async with chat_endpoint(endpoint):
        host = endpoint.base_url.split("/")[2]
        tool = ServerTool(Tool("weather"), f"{endpoint.base_url}/weather", 0.3, secret)
        return await HttpTools(clock, allow_hosts=[host]).run(tool, call, session_id="sess_1")


async def test_the_arguments_are_posted_and_the_answer_comes_back(clock: ManualClock) -> None:
    endpoint = ChatEndpoint(body=b'{"sky": "clear"}')
    assert await run(endpoint, clock) == '{"sky": "clear"}'
    (request,) = endpoint.requests
    assert request["head"].startswith("POST /v1/weather ")
    assert json.loads(request["body"]) == {
        "name": "weather",
        "call_id": "c1",
        "arguments": {"town": "Bonn"},
        "session_id": "sess_1",
    }
    assert "signature" not in request["head"].lower()


async def test_a_secret_signs_the_request(clock: ManualClock) -> None:
    endpoint = ChatEndpoint(body=b"ok")
    await run(endpoint, clock, secret="quiet")
    (request,) = endpoint.requests
    at = f"{clock.wall():.0f}"
    digest = hmac.new(b"quiet", at.encode() + b"." + request["body"], hashlib.sha256).hexdigest()
    assert f"x-vivavoce-signature: t={at},v1={digest}" in request["head"].lower()


async def test_a_long_answer_is_cut(clock: ManualClock) -> None:
    assert len(await run(ChatEndpoint(body=b"x" * 100_000), clock)) == MAX_RESULT_BYTES


@pytest.mark.parametrize(
    ("endpoint", "code"),
    [
        (ChatEndpoint(status=500), "failed"),
        (ChatEndpoint(chunks=[{}], stall_after=0), "timeout"),
    ],
)
async def test_what_goes_wrong_is_told_to_the_model(
    clock: ManualClock, endpoint: ChatEndpoint, code: str
) -> None:
    assert json.loads(await run(endpoint, clock))["error"]["code"] == code


async def test_arguments_that_are_not_json_are_not_sent(clock: ManualClock) -> None:
    endpoint = ChatEndpoint(body=b"ok")
    answer = await run(endpoint, clock, call=ToolCall("c1", "weather", "{town"))
    assert json.loads(answer)["error"]["code"] == "bad_arguments"
    assert endpoint.requests == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/x", "http://169.254.169.254/latest", "http://[::1]/x", "http://user:pw@x.example/"],
)
async def test_private_addresses_are_out_of_reach(clock: ManualClock, url: str) -> None:
    answer = await HttpTools(clock).run(ServerTool(Tool("weather"), url), CALL, session_id="s")
    assert json.loads(answer)["error"]["code"] == "refused"

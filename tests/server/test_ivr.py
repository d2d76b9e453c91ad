"""A menu by keys, as the documentation shows it, on a telephone line."""

from __future__ import annotations

import base64
import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import websockets
from websockets.exceptions import ConnectionClosedOK

from runtime.media.g711 import encode_mulaw
from tests.live_server import LiveServer
from tests.media.tones import key, quiet
from tests.server.test_telephony import Phone, agent_of

DOCS = Path(__file__).parents[2] / "docs" / "flows.md"

MENU = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.S) if "hash" in block)


@asynccontextmanager
async def _until_hung_up(url: str) -> AsyncIterator[Phone]:
    """A call; the body is left when the agent ends it."""
    async with websockets.connect(url) as socket:
        phone = Phone(socket)
        await phone.start()
        with contextlib.suppress(ConnectionClosedOK):
            yield phone


async def call(server: LiveServer, agent: str, *keys: tuple[float, str]) -> None:
    """Each key after so many seconds of silence on the line; the call goes on until it is ended."""
    url = server.url.replace("http", "ws") + f"/telephony/twilio/{agent}"
    async with _until_hung_up(url) as phone:
        chunk = 0
        for wait, pressed in (*keys, (12.0, "")):
            for _ in range(round(wait / 0.02)):
                await phone.speak(chunk)
                chunk += 1
                await phone.listen(0.02)
            if pressed:
                dtmf = {"track": "inbound_track", "digit": pressed}
                await phone.send({"event": "dtmf", "streamSid": "MZ1", "dtmf": dtmf})


def turns(api: httpx.Client, agent: str) -> list[tuple[str, str]]:
    """Of the agent's last call."""
    give_up = time.monotonic() + 5.0
    while not (calls := api.get("/v1/omni/calls", params={"session_label": agent}).json()["data"]):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    told: list[dict[str, Any]] = api.get(f"/v1/omni/calls/{calls[0]['id']}/transcript").json()["turns"]
    return [(turn["role"], turn["text"]) for turn in told]


async def test_keys_lead_through_the_menu(server: LiveServer, api: httpx.Client) -> None:
    agent = agent_of(api, brain="flow", flow=MENU)
    number = [(0.1, digit) for digit in "4711#"]
    await call(server, agent, (1.0, "2"), (0.6, "4"), *number[1:])
    told = turns(api, agent)
    assert [text for role, text in told if role == "user"] == ["2", "4711"]
    assert told[-1] == ("assistant", "Parcel 4711 comes tomorrow. Goodbye.")


async def test_silence_is_asked_again_and_in_the_end_put_through(
    server: LiveServer, api: httpx.Client
) -> None:
    quick = re.sub(r"silence: \d+", "silence: 2", MENU)
    quick = re.sub(r"ask: For .*", "ask: One, or two?", quick)
    quick = re.sub(r"retry: Please press .*", "retry: Once more.", quick)
    agent = agent_of(api, brain="flow", flow=quick)
    await call(server, agent)
    said = [text for role, text in turns(api, agent) if role == "assistant"]
    assert said[:2] == ["One, or two?", "Once more. One, or two?"]
    assert said[-1].startswith("One moment")


async def test_keys_in_the_sound_of_a_line_that_signals_none(server: LiveServer, api: httpx.Client) -> None:
    agent = agent_of(api, brain="flow", flow=MENU)
    url = server.url.replace("http", "ws") + f"/telephony/twilio/{agent}?keys=inband"
    sound = np.concatenate([quiet(1.0), key("0", 0.12, level=-15.0), quiet(3.0)])
    mulaw = encode_mulaw(np.rint(sound * 32_767).astype(np.int16))
    async with _until_hung_up(url) as phone:
        for chunk in range(len(mulaw) // 160):
            payload = base64.b64encode(mulaw[160 * chunk : 160 * (chunk + 1)]).decode()
            await phone.speak(chunk, payload)
            await phone.listen(0.02)
    assert ("user", "0") in turns(api, agent)

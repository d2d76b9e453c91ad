"""
A call on a time line over every carrier's framing, against the real server: the cloning engine, a real
caller's voice, and an agent that follows a flow. What was said is not recognised here, and asked for again.

Some calls are held at the same time, and each test looks at what one of them heard and said. The carriers'
own interfaces, where calls are ended and handed on, are played by a server that writes down what it is asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import parse_qs
from uuid import UUID

import httpx
import numpy as np
import pytest
import soxr
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from loadtest.framings import FRAMINGS
from runtime.cli.reference import synthesise_reference
from runtime.media.frame import Pcm
from tests.calls.carrier_caller import CarrierCaller, carrier_call
from tests.live_server import LiveServer, live_server
from tests.recording_server import Asked, RecordingServer, recording_server
from tests.recordings import decoded, wav
from tests.server.test_voices import enrol

TOKEN = "a-token-for-all-carriers"
GREETING = "Hello, this is Ann. What can I do?"
FLOW = f"""
steps:
  hello:
    ask: {GREETING}
    branch:
      - {{keys: "9", next: operator}}
      - {{keys: "0", next: bye}}
    retry: I am sorry, I did not get that. Please tell me once more what it is that you would like me to do.
    tries: 9
  operator:
    say: One moment.
    transfer: "+1 (555) 0100"
  bye:
    say: Goodbye.
    end: completed
"""

CARRIERS = tuple(name for name in FRAMINGS if name != "realtime")
SPEECH = Path("A_good") / "cstrhvd-589_m_48000_2.7s.flac"
MARKED = {name for name in CARRIERS if name not in ("audiohook", "mod_audio_stream", "audiosocket")}
FAREWELLS = {"audiohook": '"disconnect"', "chan_websocket": '"HANGUP"', "jambonz": '"disconnect"'}
KEYS = {
    "vonage": '{{"event":"websocket:dtmf","digit":"{key}","duration":260}}',
    "audiohook": (
        '{{"version":"2","type":"dtmf","seq":{seq},"serverseq":0,"id":"{call}","position":"PT1S",'
        '"parameters":{{"digit":"{key}"}}}}'
    ),
    "chan_websocket": '{{"event":"DTMF_END","digit":"{key}"}}',
    "jambonz": '{{"event":"dtmf","dtmf":"{key}","duration":"250"}}',
    "mod_audio_stream": '{{"event":"dtmf","digit":"{key}"}}',
}
"""How a key is pressed; the others say it as Twilio does."""


@dataclass
class Story:
    """What became of one carrier's calls."""

    caller: CarrierCaller
    greeting: Pcm = field(default_factory=lambda: np.zeros(0, np.int16))
    marks_of_greeting: int = 0
    seconds_of_answer: float = 0.0
    """Until the caller spoke again."""
    stopped_after: float | None = None
    """Seconds from the first word over the answer to the last audio, or to the clear."""
    transferred: list[str] = field(default_factory=list)
    """What the stream was told in the end."""
    hung_up: list[str] = field(default_factory=list)


Stories: TypeAlias = Mapping[str, Story | BaseException]


@pytest.fixture(scope="module")
def desks() -> Iterator[RecordingServer]:
    with recording_server() as recorder:
        yield recorder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, desks: RecordingServer) -> Iterator[LiveServer]:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with live_server(
        tmp_path_factory.mktemp("carriers"),
        engine="clone",
        recognizer_workers=0,
        telephony_token=TOKEN,
        audiosocket_port=0,
        twilio_account_sid="AC0",
        twilio_auth_token="secret",
        twilio_api_url=desks.url,
        telnyx_api_key="KEY0",
        telnyx_api_url=desks.url,
        plivo_auth_id="MA0",
        plivo_auth_token="secret",
        plivo_api_url=desks.url,
        vonage_application_id="app0",
        vonage_private_key=key.decode(),
        vonage_api_url=desks.url,
        signalwire_space_url=desks.url,
        signalwire_project_id="P0",
        signalwire_api_token="secret",
        jambonz_api_url=desks.url,
        jambonz_api_key="J0",
        freeswitch_api_url=desks.url.replace("//", "//freeswitch:works@"),
    ) as server:
        yield server


@pytest.fixture(scope="module")
def clip(request: pytest.FixtureRequest) -> tuple[Pcm, int]:
    """A caller's words, by a real voice where one is there."""
    try:
        recording: Path = request.getfixturevalue("clips") / SPEECH
    except pytest.skip.Exception:
        return synthesise_reference("I would like to know when you are open.")
    samples, rate = decoded(recording.read_bytes())
    begin = int(np.argmax(np.abs(samples) > 0.1))
    return np.round(samples[begin:] * 32_767).astype(np.int16), rate


@dataclass(frozen=True)
class Agent:
    id: str
    key: str
    greeting: Pcm
    """As the API speaks it, at 8 kHz."""


@pytest.fixture(scope="module")
def agent(server: LiveServer) -> Agent:
    """One with a cloned voice."""
    key = server.sandbox_key()
    samples, rate = synthesise_reference()
    with server.client(key) as api:
        voice = enrol(api, wav(samples, rate))["id"]
        body = {"name": "Ann", "voice_id": voice, "brain": "flow", "flow": FLOW}
        made = api.post("/v1/agents", json=body)
        assert made.status_code == 201, made.text
        order = {"model": "tts-1", "voice": voice, "input": GREETING, "response_format": "pcm"}
        spoken = np.frombuffer(api.post("/v1/audio/speech", json=order).content, "<i2")
    return Agent(made.json()["id"], key, soxr.resample(spoken, 24_000, 8_000))


def address(server: LiveServer, agent: Agent, carrier: str, name: str) -> str:
    if carrier == "audiosocket":
        found = re.search(r"AudioSocket on (\S+)", server.log)
        assert found is not None
        return f"audiosocket://{found[1]}/{name}"
    path = FRAMINGS[carrier].path.format(agent=agent.id, call=name)
    return server.url.replace("http", "ws") + path


def named(server: LiveServer, agent: Agent, carrier: str, number: int) -> str:
    """What a call is known by."""
    if carrier == "audiosocket":
        with server.client(agent.key) as api:
            return str(api.post("/v1/telephony/calls", json={"agent_id": agent.id}).json()["uuid"])
    return UUID(int=1_000 * number + CARRIERS.index(carrier)).hex


def press(caller: CarrierCaller, carrier: str, key: str, *, seq: int) -> None:
    if carrier == "audiosocket":
        caller.socket.send(b"\x03\x00\x01" + key.encode())
        return
    said = KEYS.get(carrier, '{{"event":"dtmf","dtmf":{{"digit":"{key}"}}}}')
    caller.socket.send(said.format(key=key, seq=seq, call=caller.name))


async def conversation(caller: CarrierCaller, carrier: str, words: Pcm) -> Story:
    """Greeting, garbage, the caller's turn, the answer, a turn over it, and a key that hands on."""
    story = Story(caller)
    await caller.wait("greeting", lambda: caller.seconds > 1.0, seconds=40)
    await caller.quiet(pause=0.4, seconds=20)
    story.greeting, story.marks_of_greeting = caller.audio, caller.marks
    for garbage in ("{", '{"event":7}', "\u0000"):
        if carrier == "audiosocket":
            caller.socket.send(b"\x44\x00\x02ab")
        else:
            caller.socket.send(garbage)
    before = caller.seconds
    caller.say(words[: round(1.2 * caller.codec.rate)])
    await caller.wait("answer", lambda: caller.seconds - before > 0.6, seconds=40)
    story.seconds_of_answer = caller.seconds - before
    loop = asyncio.get_running_loop()
    spoke, heard, clears = loop.time(), caller.seconds, len(caller.clears)
    caller.say(words)
    if caller.framing.clears is not None:
        await caller.wait("clear", lambda: len(caller.clears) > clears, seconds=20)
        story.stopped_after = caller.clears[-1] - spoke
    else:
        while caller.seconds > heard:
            heard = caller.seconds
            await asyncio.sleep(0.4)
        story.stopped_after = loop.time() - spoke - 0.4
    caller._words.clear()
    press(caller, carrier, "9", seq=2)
    await asyncio.wait_for(caller.closed.wait(), 40)
    story.transferred = caller.texts
    return story


async def farewell(caller: CarrierCaller, carrier: str) -> list[str]:
    """The caller presses the key for goodbye before the greeting is over."""
    await caller.wait("greeting", lambda: caller.seconds > 0.3, seconds=40)
    press(caller, carrier, "0", seq=2)
    await asyncio.wait_for(caller.closed.wait(), 40)
    return caller.texts


async def lost(caller: CarrierCaller) -> None:
    """The network goes away in mid-word."""
    await caller.wait("greeting", lambda: caller.seconds > 0.2, seconds=40)
    caller.cut()


@pytest.fixture(scope="module")
def stories(server: LiveServer, agent: Agent, clip: tuple[Pcm, int]) -> Stories:
    """All carriers' calls."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    names = {(c, n): named(server, agent, c, n) for c in CARRIERS for n in range(3)}

    some_at_a_time = asyncio.Semaphore(4)

    async def tell(carrier: str) -> Story:
        framing = FRAMINGS[carrier]
        words = soxr.resample(clip[0], clip[1], framing.rate).astype(np.int16)

        def call(number: int) -> AbstractAsyncContextManager[CarrierCaller]:
            name = names[carrier, number]
            return carrier_call(
                framing,
                address(server, agent, carrier, name),
                name=name,
                headers=headers,
                farewell=FAREWELLS.get(carrier),
            )

        async with some_at_a_time:
            async with call(0) as caller:
                story = await conversation(caller, carrier, words)
            async with call(1) as caller:
                story.hung_up = await farewell(caller, carrier)
            async with call(2) as caller:
                await lost(caller)
        return story

    async def all_of_them() -> list[Story | BaseException]:
        return await asyncio.gather(*map(tell, CARRIERS), return_exceptions=True)

    return dict(zip(CARRIERS, asyncio.run(all_of_them()), strict=True))


def told(stories: Stories, carrier: str) -> Story:
    story = stories[carrier]
    if isinstance(story, BaseException):
        raise story
    return story


each = pytest.mark.parametrize("carrier", CARRIERS)
pytestmark = pytest.mark.timeout(150)


@each
def test_the_greeting_is_the_cloned_voices(stories: Stories, agent: Agent, carrier: str) -> None:
    story = told(stories, carrier)
    heard = soxr.resample(story.greeting.astype(np.float64), story.caller.codec.rate, 8_000)
    assert loudness_agrees(heard, agent.greeting.astype(np.float64)) > 0.95


def loudness_agrees(ours: Pcm, theirs: Pcm) -> float:
    """Correlation of two recordings' loudness in steps of 20 ms, at the offset where they agree best."""
    curves = []
    for samples in (ours, theirs):
        whole = samples[: len(samples) // 160 * 160].astype(np.float64).reshape(-1, 160)
        curves.append(np.sqrt(np.mean(whole**2, axis=1)))
    long, short = sorted(curves, key=len, reverse=True)
    offsets = range(len(long) - len(short) + 1)
    return max(float(np.corrcoef(long[at : at + len(short)], short)[0, 1]) for at in offsets)


@each
def test_a_real_voice_is_answered_and_stops_the_answer(stories: Stories, carrier: str) -> None:
    story = told(stories, carrier)
    assert story.seconds_of_answer > 0.6
    assert story.stopped_after is not None
    # The whole answer is longer by far.
    assert story.stopped_after < 3.0


@each
def test_marks_ride_along_where_the_carrier_has_them(stories: Stories, carrier: str) -> None:
    assert (told(stories, carrier).marks_of_greeting >= 2) == (carrier in MARKED)


TRANSFERS: Mapping[str, tuple[str, str, str]] = {
    "twilio": ("POST", "/2010-04-01/Accounts/AC0/Calls/CA{call}.json", "Dial%3E%2B15550100%3C%2FDial"),
    "telnyx": ("POST", "/v2/calls/v2%3A{call}/actions/transfer", '"to":"+15550100"'),
    "plivo": ("POST", "/v1/Account/MA0/Call/c{call}/", '"aleg_url":"http'),
    "vonage": ("PUT", "/v1/calls/{call}", '"number":"15550100"'),
    "signalwire": ("POST", "/api/laml/2010-04-01/Accounts/P0/Calls/CA{call}.json", "Url=http"),
    "jambonz": ("POST", "/v1/Accounts/a0/Calls/{call}", '"call_hook":"http'),
    "mod_audio_stream": ("GET", "/txtapi/uuid_transfer?{call}%20%2B15550100", ""),
}
"""What carriers' interfaces are asked for with the first call, whose caller is handed on."""

HANG_UPS: Mapping[str, tuple[str, str, str]] = {
    "twilio": ("POST", "/2010-04-01/Accounts/AC0/Calls/CA{call}.json", "Status=completed"),
    "telnyx": ("POST", "/v2/calls/v2%3A{call}/actions/hangup", "{}"),
    "plivo": ("DELETE", "/v1/Account/MA0/Call/c{call}/", ""),
    "vonage": ("PUT", "/v1/calls/{call}", '"action":"hangup"'),
    "signalwire": ("POST", "/api/laml/2010-04-01/Accounts/P0/Calls/CA{call}.json", "Status=completed"),
    "mod_audio_stream": ("GET", "/txtapi/uuid_kill?{call}", ""),
}
"""And with the second, which is ended."""


def asked_for(desks: RecordingServer, call: str) -> list[Asked]:
    return [asked for asked in desks.asked if call in asked.path]


@each
def test_the_caller_is_handed_on_as_the_carrier_does_it(
    stories: Stories, desks: RecordingServer, carrier: str
) -> None:
    story = told(stories, carrier)
    asked = asked_for(desks, story.caller.name)
    if carrier in TRANSFERS:
        method, path, body = TRANSFERS[carrier]
        (only,) = asked
        assert (only.method, only.path) == (method, path.format(call=story.caller.name))
        assert body in only.body.replace(": ", ":")
        assert only.authorization
    else:
        assert asked == []
    ends = [text for text in story.transferred if FAREWELLS.get(carrier, "no farewell") in text]
    if carrier == "audiohook":
        assert json.loads(ends[-1])["parameters"]["outputVariables"] == {"transfer": "+1 (555) 0100"}
    else:
        assert ends == []  # the call is not ended: what follows is the carrier's


@each
def test_the_agent_hangs_up_as_the_carrier_does_it(
    stories: Stories, desks: RecordingServer, carrier: str
) -> None:
    story = told(stories, carrier)
    call = UUID(int=1_000 + CARRIERS.index(carrier)).hex
    asked = asked_for(desks, call)
    if carrier in HANG_UPS:
        method, path, body = HANG_UPS[carrier]
        (only,) = asked
        assert (only.method, only.path) == (method, path.format(call=call))
        assert body in only.body.replace(": ", ":")
    else:
        assert asked == []
    if carrier in FAREWELLS:
        assert FAREWELLS[carrier] in story.hung_up[-1]


@pytest.mark.parametrize("carrier", ["plivo", "signalwire", "jambonz"])
def test_the_document_that_hands_on_can_be_fetched(
    stories: Stories, desks: RecordingServer, carrier: str
) -> None:
    (asked,) = asked_for(desks, told(stories, carrier).caller.name)
    fields = parse_qs(asked.body) if asked.body.startswith("Url=") else json.loads(asked.body)
    url = str(fields["Url"][0] if "Url" in fields else fields.get("aleg_url") or fields["call_hook"])
    assert "+15550100" in httpx.post(url).text
    assert httpx.post(url.replace("ticket=", "ticket=x")).status_code == 404


def test_lines_that_died_are_given_up(stories: Stories, server: LiveServer) -> None:
    give_up = time.monotonic() + 10
    count = re.compile(r"^vivavoce_live_calls\{.*\} (\S+)$", re.MULTILINE)
    while True:
        counted = count.findall(httpx.get(f"{server.url}/metrics").text)
        assert counted
        if sum(map(float, counted)) == 0:
            return
        assert time.monotonic() < give_up, f"{counted} calls are still up"
        time.sleep(0.1)

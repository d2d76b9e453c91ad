"""
A telephone calls an agent: baresip over SIP and RTP to Asterisk, and from there over its sockets to us.

``make sip``. Both programs are other people's; the tests are skipped where one is missing.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import ANY
from uuid import UUID

import httpx
import numpy as np
import pytest
import soxr

from runtime.media.frame import LISTENING_RATE, Pcm
from runtime.media.level import rms_dbfs
from tests.live_server import LiveServer, live_server
from tests.media.tones import key, on_a_line, quiet
from tests.sip.asterisk import Asterisk, asterisk_program, running_asterisk
from tests.sip.phone import RATE, Phone, phone_call
from tests.turn.voices import recording

CALL = UUID("40325ec2-5efd-4bd3-805f-53576e581d13")

MENU = """
steps:
  menu:
    ask: Press one for the opening hours, or say no to leave.
    branch:
      - {keys: "1", next: hours}
      - {words: ["no", nope], next: bye}
  hours:
    say: We are open from eight to six. Goodbye.
    end: completed
  bye:
    say: Goodbye then.
    end: completed
"""

LONG_STORY = """
steps:
  story:
    say: >-
      Once upon a time there was a telephone that nobody answered, because everybody who lived in the house
      had gone down to the river to look for the boat, which had been lost in the storm of the year before.
    next: question
  question:
    ask: Shall I go on?
    slot: more
    next: story
"""

DIALPLAN = """
[phones]
exten => audiosocket,1,Answer()
 same => n,AudioSocket({call},127.0.0.1:{port})
 same => n,Hangup()
exten => audiosocket16,1,Answer()
 same => n,Dial(AudioSocket/127.0.0.1:{port}/{call}/c(slin16))
exten => websocket16,1,Answer()
 same => n,Dial(WebSocket/{agent}/c(slin16)f(json))
exten => websocket,1,Answer()
 same => n,Dial(WebSocket/{agent}/c(ulaw))
exten => story,1,Answer()
 same => n,Dial(WebSocket/{story}/c(slin16)f(json))
"""

SOCKET = """
[{agent}]
type = websocket_client
connection_type = per_call_config
uri = {url}/telephony/asterisk/{agent}
protocols = media
"""

WAYS = ("audiosocket", "audiosocket16", "websocket16", "websocket")


@pytest.fixture(scope="module")
def program() -> str:
    found = asterisk_program()
    if found is None:
        pytest.skip("no Asterisk here: install one (22.6 or newer), or name it in VIVAVOCE_ASTERISK")
    if shutil.which("baresip") is None:
        pytest.skip("no telephone here: install baresip")
    return found


@dataclass(frozen=True)
class House:
    """A server with real voices and real ears, and its two agents."""

    server: LiveServer
    api: httpx.Client
    menu: str
    story: str

    def last_call(self) -> list[tuple[str, str]]:
        """Who said what in the call that ended last."""
        newest = self.api.get("/v1/omni/calls", params={"limit": 1}).json()["data"][0]
        turns = self.api.get(f"/v1/omni/calls/{newest['id']}/transcript").json()["turns"]
        return [(turn["role"], turn["text"]) for turn in turns]


@pytest.fixture(scope="module")
def house(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("server")
    with live_server(folder) as first:
        key = first.sandbox_key()
        with first.client(key) as api:
            menu, story = _agent(api, MENU), _agent(api, LONG_STORY)
    # A dialplan's own UUID is a setting, and agents have ids only once they are there.
    known = json.dumps({str(CALL): menu})
    options = {"engine": "clone", "recognizer_workers": 1, "audiosocket_port": 0}
    with (
        live_server(folder, **options, audiosocket_agents=known) as server,
        server.client(key) as api,
    ):
        yield House(server, api, menu, story)


@pytest.fixture(scope="module")
def pbx(program: str, house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asterisk]:
    found = re.findall(r"AudioSocket on 127\.0\.0\.1:(\d+)", house.server.log)
    dialplan = DIALPLAN.format(call=CALL, port=found[-1], agent=house.menu, story=house.story)
    url = house.server.url.replace("http", "ws")
    sockets = "".join(SOCKET.format(agent=each, url=url) for each in (house.menu, house.story))
    folder = tmp_path_factory.mktemp("pbx") / "asterisk"
    with running_asterisk(program, folder, dialplan=dialplan, sockets=sockets) as pbx:
        yield pbx


def _agent(api: httpx.Client, flow: str) -> str:
    answer = api.post("/v1/agents", json={"name": "PBX", "brain": "flow", "flow": flow})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def spoken(pcm: Pcm) -> np.ndarray:
    """For each tenth of a second, whether something loud enough for speech is in it."""
    size = RATE // 10
    return np.array([rms_dbfs(pcm[at : at + size]) > -45.0 for at in range(0, len(pcm) - size + 1, size)])


def quiet_after_speech(phone: Phone, *, pause: float = 0.8, within: float = 15.0) -> Pcm:
    """Wait until the agent has spoken and fallen silent: no more packets come. Returns all that was heard."""
    give_up = time.monotonic() + within
    size, since = 0, time.monotonic()
    while time.monotonic() < give_up:
        heard = phone.heard()
        if len(heard) != size:
            size, since = len(heard), time.monotonic()
        elif size > RATE and time.monotonic() - since > pause:
            return heard
        time.sleep(0.1)
    raise AssertionError(f"the agent did not speak and fall silent within {within} s")


@pytest.mark.parametrize("way", WAYS)
def test_a_telephone_is_greeted_presses_a_key_and_is_hung_up_on(
    way: str, house: House, pbx: Asterisk, tmp_path: Path
) -> None:
    # Asterisk hears the key in the sound: as an event, this phone sends a tone without a length.
    says = on_a_line(quiet(2.0), key("1", 0.2, level=-15))
    with phone_call(tmp_path / "phone", pbx.address(way), says=says) as phone:
        over = phone.wait_until_over(15.0)
        heard = phone.heard()
    assert over, f"the agent never hung up:\n{pbx.log[-3000:]}"
    (_, question), *rest = house.last_call()
    assert "Press one for the opening hours, or say no to leave.".startswith(question)
    assert rest == [("user", "1"), ("assistant", "We are open from eight to six. Goodbye.")]
    loud = spoken(heard)
    assert loud.sum() >= 30, "".join(".#"[each] for each in loud)
    # Loud, as telephone speech should be, and nowhere clipped.
    assert np.abs(heard.astype(np.int32)).max() < 32_000
    assert -30.0 < rms_dbfs(heard[np.abs(heard) > 200]) < -8.0


@pytest.mark.clips
@pytest.mark.parametrize("way", ["audiosocket", "websocket16"])
def test_what_a_caller_says_is_understood(
    way: str, house: House, pbx: Asterisk, clips: Path, tmp_path: Path
) -> None:
    nope = soxr.resample(
        recording(clips / "C_conversation" / "turn-dograh-nope_m_44100_3.4s.flac"), LISTENING_RATE, RATE
    )
    says = np.concatenate([np.zeros(6 * RATE, np.int16), nope])
    with phone_call(tmp_path / "phone", pbx.address(way), says=says) as phone:
        assert phone.wait_until_over(25.0), f"the agent never hung up:\n{pbx.log[-3000:]}"
        heard = phone.heard()
    assert house.last_call()[1:] == [("user", ANY), ("assistant", "Goodbye then.")]
    # The question, then the goodbye; no packets come in between.
    assert spoken(heard).sum() >= 30


@pytest.mark.clips
def test_a_caller_who_speaks_over_the_agent_stops_it(
    house: House, pbx: Asterisk, clips: Path, tmp_path: Path
) -> None:
    clip = recording(clips / "C_conversation" / "jfk16k_m_16000_11.0s.wav")[: 3 * LISTENING_RATE]
    says = np.concatenate([np.zeros(3 * RATE, np.int16), soxr.resample(clip, LISTENING_RATE, RATE)])
    with phone_call(tmp_path / "phone", pbx.address("story"), says=says) as phone:
        told = quiet_after_speech(phone)
    ((_, words), *_) = house.last_call()
    # It began at 3 s; 0.7 s of speech decide, and the line, Asterisk and the phone have their buffers.
    assert 2.0 < len(told) / RATE < 5.0
    assert words.startswith("Once upon a time")
    assert "year before" not in words

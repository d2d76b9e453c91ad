"""What is asked of carriers' interfaces, and where callers can be handed on to."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InvalidRequest
from runtime.wire import plivo, twilio
from runtime.wire.call_control import CallControl, Command, Destination, destination
from runtime.wire.jambonz import JambonzControl, dial_verbs
from runtime.wire.mod_audio_stream import FreeSwitchControl
from runtime.wire.plivo import PlivoControl
from runtime.wire.telephony import CallStarted
from runtime.wire.telnyx import TelnyxControl
from runtime.wire.twilio import TwilioControl
from runtime.wire.vonage import VonageControl

NOW = 1_700_000_000.0
DOCUMENT = "https://voice.example.com/telephony/x/agent_1/transfer?ticket=t"
CALL = CallStarted("s1", "call/1", "a1", {}, 8_000)
NUMBER, SIP, NAME = destination("+1 (555) 01-00"), destination("sip:desk@example.com"), destination("billing")

RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def pem(key: Any) -> str:
    encoded: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded.decode()


CONTROLS: dict[str, CallControl] = {
    "twilio": TwilioControl("https://api/2010-04-01", account="AC1", token="t"),
    "signalwire": TwilioControl("https://space/api/laml/2010-04-01", account="P1", token="t", inline=False),
    "telnyx": TelnyxControl("https://api", key="k"),
    "plivo": PlivoControl("https://api", auth_id="MA1", auth_token="t"),
    "vonage": VonageControl("https://api", application_id="app", private_key=pem(RSA_KEY)),
    "jambonz": JambonzControl("https://api", key="k"),
    "freeswitch": FreeSwitchControl("http://u:p@fs"),
}


@pytest.mark.parametrize(
    ("given_to", "found"),
    [
        ("+1 (555) 01-00", Destination("number", "+15550100")),
        ("0800.123.456", Destination("number", "0800123456")),
        ("*98#", Destination("number", "*98#")),
        (
            "sip:desk@example.com:5061;transport=tls",
            Destination("sip", "sip:desk@example.com:5061;transport=tls"),
        ),
        (" billing-queue ", Destination("name", "billing-queue")),
    ],
)
def test_destinations_are_told_apart(given_to: str, found: Destination) -> None:
    assert destination(given_to) == found


@pytest.mark.parametrize(
    "nobody",
    [
        "",
        "two words",
        "+1555<Hangup/>",
        "sip:a@b c",
        "sip:@example.com",
        "a\nb",
        "../x",
        "x" * 65,
        "1" * 30 + "!",
    ],
)
def test_what_is_no_destination_is_refused(nobody: str) -> None:
    with pytest.raises(InvalidRequest, match="Nobody can be reached"):
        destination(nobody)


@given(st.text(max_size=40))
def test_whatever_a_caller_says_dials_nothing_but_a_destination(said: str) -> None:
    try:
        to = destination(said)
    except InvalidRequest:
        return
    assert not set(to.value) & set("<>\"'& \n\r\t/")
    for document in (twilio.dial_xml(to), plivo.dial_xml(to)):
        if document is not None:
            (dial,) = ElementTree.fromstring(document)
            assert dial.tag == "Dial"
            assert "".join(dial.itertext()) == to.value


@pytest.mark.parametrize("name", CONTROLS)
def test_ids_are_quoted_wherever_they_stand_in_an_address(name: str) -> None:
    control = CONTROLS[name]
    asked = [control.hang_up(CALL, now=NOW), control.transfer(CALL, NUMBER, document=DOCUMENT, now=NOW)]
    commands = [command for command in asked if command is not None]
    assert commands
    for command in commands:
        assert "call%2F1" in command.url or name == "freeswitch"
        assert command.login or command.bearer or "u:p@" in command.url


@pytest.mark.parametrize("name", ["twilio", "signalwire", "telnyx", "plivo", "vonage"])
def test_a_name_is_nothing_that_a_telephone_network_reaches(name: str) -> None:
    assert CONTROLS[name].transfer(CALL, NAME, document=DOCUMENT, now=NOW) is None


def transferred(name: str, to: Destination) -> Command:
    command = CONTROLS[name].transfer(CALL, to, document=DOCUMENT, now=NOW)
    assert command is not None
    return command


def test_a_sip_address_is_dialled_as_each_carrier_has_it() -> None:
    assert transferred("twilio", SIP).form == {"Twiml": twilio.dial_xml(SIP)}
    assert "<Dial><Sip>sip:desk@example.com</Sip></Dial>" in str(twilio.dial_xml(SIP))
    assert "<Dial><User>sip:desk@example.com</User></Dial>" in str(plivo.dial_xml(SIP))
    assert transferred("telnyx", SIP).body == {"to": "sip:desk@example.com"}
    body: Any = transferred("vonage", SIP).body
    assert body["destination"]["ncco"][0]["endpoint"] == [{"type": "sip", "uri": "sip:desk@example.com"}]
    assert transferred("freeswitch", SIP).url.endswith(
        "/txtapi/uuid_transfer?call/1%20bridge%3Asofia/external/desk%40example.com%20inline"
    )
    assert dial_verbs(SIP)[0]["target"] == [{"type": "sip", "sipUri": "sip:desk@example.com"}]


def test_carriers_that_fetch_a_document_are_told_where_it_is() -> None:
    assert transferred("signalwire", NUMBER).form == {"Url": DOCUMENT, "Method": "POST"}
    assert transferred("plivo", NUMBER).body == {"legs": "aleg", "aleg_url": DOCUMENT, "aleg_method": "POST"}
    assert transferred("jambonz", NAME).body == {"call_hook": DOCUMENT}


def test_vonage_takes_our_token() -> None:
    command = CONTROLS["vonage"].hang_up(CALL, now=NOW)
    assert command is not None
    assert command.bearer is not None
    told = jwt.decode(command.bearer, RSA_KEY.public_key(), ["RS256"], options={"verify_exp": False})
    assert (told["application_id"], told["iat"]) == ("app", NOW)
    assert told["exp"] > NOW
    assert len(told["jti"]) == 32


def test_a_call_that_has_no_id_cannot_be_asked_for() -> None:
    nameless = CallStarted("vonage", "", "", {}, 8_000)
    for name in ("vonage", "freeswitch"):
        assert CONTROLS[name].hang_up(nameless, now=NOW) is None
        assert CONTROLS[name].transfer(nameless, NUMBER, document=DOCUMENT, now=NOW) is None


def test_vonages_key_may_come_in_one_line_and_must_be_rsa() -> None:
    VonageControl("https://api", application_id="app", private_key=pem(RSA_KEY).replace("\n", "\\n"))
    for wrong in ("no key", pem(ec.generate_private_key(ec.SECP256R1()))):
        with pytest.raises(ValueError, match=r"PEM|RSA"):
            VonageControl("https://api", application_id="app", private_key=wrong)

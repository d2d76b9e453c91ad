"""Who signed a request: each carrier's way, against what its documents and libraries compute."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from xml.etree import ElementTree

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from runtime.wire import http_signature, plivo, signalwire, telnyx, vonage

# Genesys: the example of its AudioHook documentation.

HOOK_SECRET = "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU="
HOOK_KEY = "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh"
HOOK_TIME = 1641013200
HOOK_PARTS = {
    "@request-target": "/api/v1/voicebiometrics/ws",
    "@authority": "audiohook.example.com",
    "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
    "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
    "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
    "x-api-key": HOOK_KEY,
    "signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
    "signature-input": 'sig1=("@request-target" "@authority" "audiohook-organization-id"'
    ' "audiohook-session-id" "audiohook-correlation-id" "x-api-key")'
    f';keyid="{HOOK_KEY}";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl"'
    ';alg="hmac-sha256";created=1641013200;expires=3282026430',
}


def test_the_documented_example_of_audiohook_is_signed() -> None:
    assert http_signature.is_signed(HOOK_SECRET, HOOK_KEY, HOOK_PARTS, now=HOOK_TIME + 9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"now": HOOK_TIME + 11},
        {"now": HOOK_TIME - 11},
        {"key_id": "another"},
        {"secret": base64.b64encode(b"another").decode()},
    ],
)
def test_audiohook_with_another_key_or_time_is_refused(wrong: dict[str, Any]) -> None:
    how: dict[str, Any] = {"secret": HOOK_SECRET, "key_id": HOOK_KEY, "parts": HOOK_PARTS, "now": HOOK_TIME}
    assert not http_signature.is_signed(**{**how, **wrong})


@pytest.mark.parametrize("name", HOOK_PARTS)
def test_every_part_of_audiohook_is_covered(name: str) -> None:
    for parts in (
        {**HOOK_PARTS, name: HOOK_PARTS[name][:-2] + "x" + HOOK_PARTS[name][-1:]},
        {part: value for part, value in HOOK_PARTS.items() if part != name},
    ):
        assert not http_signature.is_signed(HOOK_SECRET, HOOK_KEY, parts, now=HOOK_TIME)


def test_a_part_that_is_not_covered_makes_no_signature() -> None:
    with_less = HOOK_PARTS["signature-input"].replace(' "@authority"', "")
    assert not http_signature.is_signed(
        HOOK_SECRET, HOOK_KEY, {**HOOK_PARTS, "signature-input": with_less}, now=HOOK_TIME
    )


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_header_breaks_the_check(given_input: str, given_signature: str) -> None:
    parts = {**HOOK_PARTS, "signature-input": given_input, "signature": given_signature}
    assert not http_signature.is_signed(HOOK_SECRET, HOOK_KEY, parts, now=HOOK_TIME)


# Telnyx


def test_telnyx_signs_the_time_and_the_body() -> None:
    private = Ed25519PrivateKey.generate()
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    signed = base64.b64encode(private.sign(b'1000|{"a":1}')).decode()

    def accepted(
        body: bytes = b'{"a":1}', *, signature: str | None = signed, at: str | None = "1000"
    ) -> bool:
        return telnyx.is_signed(public, body, signature=signature, timestamp=at, now=1_200.0)

    assert accepted()
    assert not accepted(b'{"a":2}')
    assert not accepted(signature=base64.b64encode(bytes(64)).decode())
    assert not accepted(signature="ümlaut")
    assert not accepted(signature=None)
    assert not accepted(at="1001")
    assert not accepted(at="x")
    assert not accepted(at=None)
    assert not telnyx.is_signed(public, b'{"a":1}', signature=signed, timestamp="1000", now=1_301.0)


# Plivo: what is signed is written out here, in the order of Plivo's library.

PLIVO_TOKEN = "token"


def plivo_signature(signed: str) -> str:
    import hmac

    digest = hmac.new(PLIVO_TOKEN.encode(), signed.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    ("method", "url", "form", "signed"),
    [
        ("POST", "https://v.example.com/p", {}, "https://v.example.com/p.n1"),
        ("POST", "https://v.example.com/p", {"To": "2", "From": "1"}, "https://v.example.com/p?From1To2.n1"),
        (
            "POST",
            "https://v.example.com/p?b=2&a=1",
            {"To": "2", "From": "1"},
            "https://v.example.com/p?a=1&b=2.From1To2.n1",
        ),
        ("GET", "https://v.example.com/p?b=2", {"a": "1"}, "https://v.example.com/p?a=1&b=2.n1"),
    ],
)
def test_plivo_signs_the_address_the_form_and_a_nonce(
    method: str, url: str, form: dict[str, str], signed: str
) -> None:
    good = plivo_signature(signed)
    assert plivo.is_signed(PLIVO_TOKEN, method, url, form, given=good, nonce="n1")
    assert plivo.is_signed(PLIVO_TOKEN, method, url, form, given=f"other,{good}", nonce="n1")
    assert not plivo.is_signed(PLIVO_TOKEN, method, url, form, given=good, nonce="n2")
    assert not plivo.is_signed("other", method, url, form, given=good, nonce="n1")
    assert not plivo.is_signed(PLIVO_TOKEN, method, url + "/", form, given=good, nonce="n1")
    assert not plivo.is_signed(PLIVO_TOKEN, method, url, {**form, "x": "y"}, given=good, nonce="n1")
    assert not plivo.is_signed(PLIVO_TOKEN, method, url, form, given=None, nonce="n1")
    assert not plivo.is_signed(PLIVO_TOKEN, method, url, form, given="ümlaut", nonce="n1")


# Vonage, against PyJWT

VONAGE_SECRET = "a signature secret of some forty characters, and some more for SHA-512"


def bearer(secret: str = VONAGE_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    return f"Bearer {jwt.encode({'iat': 1_000, **claims}, secret, algorithm)}"


def test_vonage_signs_its_webhooks_with_a_token() -> None:
    body = b'{"to":"1"}'
    digest = hashlib.sha256(body).hexdigest()

    def accepted(authorization: str | None, body: bytes = body, now: float = 1_100.0) -> bool:
        return vonage.is_signed(VONAGE_SECRET, authorization, body, now=now)

    assert accepted(bearer(payload_hash=digest))
    assert accepted(bearer(payload_hash=digest, exp=2_000), now=1_900.0)
    assert accepted(bearer(), b"")
    assert not accepted(bearer())
    assert not accepted(bearer(payload_hash=digest), b'{"to":"2"}')
    assert not accepted(bearer(payload_hash=digest, exp=1_050))
    assert not accepted(bearer(payload_hash=digest), now=1_400.0)
    assert not accepted(bearer(payload_hash=digest), now=900.0)
    assert not accepted(bearer(VONAGE_SECRET[::-1], payload_hash=digest))
    assert not accepted(bearer(algorithm="HS512", payload_hash=digest))
    assert not accepted(None)
    assert not accepted("Bearer a.b.c")
    assert not accepted("Bearer ümlaut.b.c")
    assert not accepted(bearer(payload_hash=digest).replace("Bearer", "Basic"))


# Documents

NASTY = st.text(max_size=20)


@given(url=NASTY, name=NASTY, value=NASTY)
def test_documents_are_xml_whatever_is_put_in(url: str, name: str, value: str) -> None:
    for document in (
        telnyx.texml(f"wss://{url}", {name: value}),
        signalwire.cxml(f"wss://{url}", {name: value}),
        plivo.answer_xml(f"wss://{url}", {name: value}),
    ):
        assert next(ElementTree.fromstring(document).iter("Stream")) is not None


@pytest.mark.parametrize(
    "spelled", ['{"from": "+1555", "agent": "a"}', "{from=+1555;agent=a}", "from=+1555,agent=a"]
)
def test_plivos_headers_are_read_however_they_are_spelled(spelled: str) -> None:
    assert plivo._headers(spelled) == {"from": "+1555", "agent": "a"}


def test_what_we_attach_for_plivo_comes_back_from_its_headers() -> None:
    document = ElementTree.fromstring(plivo.answer_xml("wss://v.example.com/s?t=1&u=2", {"from": "+1 5<5"}))
    stream = document.find("Stream")
    assert stream is not None
    assert stream.text == "wss://v.example.com/s?t=1&u=2"
    assert stream.get("extraHeaders") == "from=+155"
    assert stream.get("contentType") == "audio/x-l16;rate=16000"

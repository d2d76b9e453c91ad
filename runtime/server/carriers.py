"""The telephone carriers that may call: their protocols, their documents, and how they prove who they are."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from runtime.errors import InvalidRequest, NotFound
from runtime.settings import Settings
from runtime.wire import (
    chan_websocket,
    http_signature,
    jambonz,
    plivo,
    signalwire,
    telnyx,
    twilio,
    vonage,
)
from runtime.wire.audiohook import AudioHookStream
from runtime.wire.call_control import Destination
from runtime.wire.exotel import ExotelStream
from runtime.wire.mod_audio_stream import AudioStreamStream
from runtime.wire.telephony import CarrierStream
from sessions.peers.telephone import OUTGOING


@dataclass(frozen=True, slots=True)
class Asked:
    """A request or an upgrade, as far as signatures cover it."""

    connection: HTTPConnection
    settings: Settings
    url: str
    """As the carrier was told it."""
    form: Mapping[str, str]
    """Fields of a POST; empty for a GET and for an upgrade."""
    body: bytes
    now: float
    """Unix seconds."""

    def header(self, name: str) -> str | None:
        value: str | None = self.connection.headers.get(name)
        return value

    @property
    def is_upgrade(self) -> bool:
        return isinstance(self.connection, WebSocket)

    @property
    def method(self) -> str:
        return str(self.connection.scope.get("method", "GET"))


Signed = Callable[[Asked], bool | None]
"""Whether the carrier signed it; None where we hold nothing to check it with."""

Answer = Callable[[str, Mapping[str, str]], Response]
"""The document that leads a call to the stream at an address, with what is attached to it."""


Dial = Callable[[Destination], Response | None]
"""The document that dials a destination; None where this carrier cannot."""


@dataclass(frozen=True, slots=True)
class Carrier:
    name: str
    stream: Callable[[Mapping[str, str]], CarrierStream]
    """A fresh one, by the query of the socket's address."""
    signed: Signed
    setting: str
    """The variable that holds what its signatures are checked with."""
    answer: Answer | None = None
    dial: Dial | None = None
    """The document that dials somebody else, for a carrier that fetches one to hand a caller on."""
    subprotocol: str | None = None
    queries: bool = True
    """Whether the stream's address may carry a query, and so a ticket."""


def carrier(name: str) -> Carrier:
    """
    Raises:
        NotFound: We do not speak with it.
    """
    if name not in CARRIERS:
        raise NotFound(f"There is no carrier {name[:40]!r}.", fix=f"Use one of {', '.join(CARRIERS)}.")
    return CARRIERS[name]


def shows_token(connection: HTTPConnection, token: str) -> bool:
    """Whether a connection carries our own token: as ``?token=``, as bearer, or as the password of Basic."""
    shown = [connection.query_params.get("token", "")]
    kind, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        shown.append(credentials.strip())
    elif kind.lower() == "basic":
        shown.append(_password(credentials))
    return any([hmac.compare_digest(each.encode(), token.encode()) for each in shown])


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _xml(document: str) -> Response:
    return Response(document, media_type="text/xml")


def _xml_or_none(document: str | None) -> Response | None:
    return None if document is None else _xml(document)


def _by_twilio(asked: Asked) -> bool | None:
    token = asked.settings.twilio_auth_token
    if token is None:
        return None
    algorithm = twilio.signature_algorithm(asked.header(twilio.SIGNATURE_SETTINGS_HEADER))
    return twilio.is_signed(
        token, asked.url, asked.form, asked.header(twilio.SIGNATURE_HEADER), algorithm=algorithm
    )


def _by_telnyx(asked: Asked) -> bool | None:
    key = asked.settings.telnyx_public_key
    if key is None:
        return None
    return not asked.is_upgrade and telnyx.is_signed(
        key,
        asked.body,
        signature=asked.header(telnyx.SIGNATURE_HEADER),
        timestamp=asked.header(telnyx.TIMESTAMP_HEADER),
        now=asked.now,
    )


def _by_plivo(asked: Asked) -> bool | None:
    token = asked.settings.plivo_auth_token
    if token is None:
        return None
    return plivo.is_signed(
        token,
        asked.method,
        asked.url,
        asked.form,
        given=asked.header(plivo.SIGNATURE_HEADER),
        nonce=asked.header(plivo.NONCE_HEADER),
    )


def _by_vonage(asked: Asked) -> bool | None:
    secret = asked.settings.vonage_signature_secret
    if secret is None:
        return None
    return vonage.is_signed(secret, asked.header("authorization"), asked.body, now=asked.now)


def _by_signalwire(asked: Asked) -> bool | None:
    key = asked.settings.signalwire_signing_key
    if key is None:
        return None
    return twilio.is_signed(key, asked.url, asked.form, asked.header(signalwire.SIGNATURE_HEADER))


def _by_genesys(asked: Asked) -> bool | None:
    key, secret = asked.settings.genesys_api_key, asked.settings.genesys_client_secret
    if key is None:
        return None
    if not hmac.compare_digest((asked.header("x-api-key") or "").encode(), key.encode()):
        return False
    if secret is None:
        return True
    url = asked.connection.url
    parts = {
        **{name.lower(): value for name, value in asked.connection.headers.items()},
        "@request-target": f"{url.path}?{url.query}" if url.query else url.path,
        "@authority": asked.url.partition("://")[2].partition("/")[0],
    }
    return http_signature.is_signed(secret, key, parts, now=asked.now)


def _by_nobody(asked: Asked) -> bool | None:
    """The carrier signs nothing: our own token is all there is."""
    return False if asked.settings.telephony_token else None


def _audio_stream(query: Mapping[str, str]) -> CarrierStream:
    rate = query.get("rate", "8000")
    if rate not in ("8000", "16000"):
        raise InvalidRequest("mod_audio_stream has 8000 and 16000 Hz", param="rate", fix="use one of them")
    return AudioStreamStream(rate=int(rate), binary=query.get("playback") == "binary")


TOKEN = "VIVAVOCE_TELEPHONY_TOKEN"

CARRIERS: Mapping[str, Carrier] = MappingProxyType(
    {
        carrier.name: carrier
        for carrier in (
            Carrier(
                "twilio",
                lambda _query: twilio.TwilioStream(),
                _by_twilio,
                "VIVAVOCE_TWILIO_AUTH_TOKEN",
                lambda url, attached: _xml(twilio.twiml(url, attached)),
                queries=False,
            ),
            Carrier(
                "telnyx",
                lambda _query: telnyx.TelnyxStream(),
                _by_telnyx,
                "VIVAVOCE_TELNYX_PUBLIC_KEY",
                lambda url, attached: _xml(telnyx.texml(url, attached)),
            ),
            Carrier(
                "plivo",
                lambda _query: plivo.PlivoStream(),
                _by_plivo,
                "VIVAVOCE_PLIVO_AUTH_TOKEN",
                lambda url, attached: _xml(plivo.answer_xml(url, attached)),
                lambda to: _xml_or_none(plivo.dial_xml(to)),
            ),
            Carrier(
                "vonage",
                lambda _query: vonage.VonageStream(),
                _by_vonage,
                "VIVAVOCE_VONAGE_SIGNATURE_SECRET",
                lambda url, attached: JSONResponse(vonage.ncco(url, attached)),
            ),
            Carrier(
                "exotel",
                lambda _query: ExotelStream(),
                _by_nobody,
                TOKEN,
                lambda url, _attached: JSONResponse({"url": url}),
            ),
            Carrier(
                "signalwire",
                lambda _query: signalwire.SignalWireStream(),
                _by_signalwire,
                "VIVAVOCE_SIGNALWIRE_SIGNING_KEY",
                lambda url, attached: _xml(signalwire.cxml(url, attached)),
                lambda to: _xml_or_none(twilio.dial_xml(to)),
            ),
            Carrier("genesys", lambda _query: AudioHookStream(), _by_genesys, "VIVAVOCE_GENESYS_API_KEY"),
            Carrier(
                "asterisk",
                lambda _query: chan_websocket.ChanWebSocketStream(),
                _by_nobody,
                TOKEN,
                subprotocol=chan_websocket.SUBPROTOCOL,
            ),
            Carrier(
                "jambonz",
                lambda _query: jambonz.JambonzStream(),
                _by_nobody,
                TOKEN,
                lambda url, attached: JSONResponse(jambonz.listen_verbs(url, attached)),
                lambda to: JSONResponse(jambonz.dial_verbs(to)),
                subprotocol=jambonz.SUBPROTOCOL,
            ),
            Carrier("freeswitch", _audio_stream, _by_nobody, TOKEN),
        )
    }
)
"""By the name in their addresses. AudioSocket is no WebSocket: see :mod:`runtime.server.audiosocket`."""


def told_by(fields: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Who calls whom, by the fields of a form or a query, or by a JSON body, however they are spelled."""
    told = {name.lower(): value for name, value in fields.items()}
    if body[:1] == b"{":
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            parsed = None
        if isinstance(parsed, dict):
            told |= {str(name).lower(): str(value) for name, value in parsed.items()}
    return {
        "from": told.get("from") or told.get("callfrom") or "",
        "to": told.get("to") or told.get("callto") or "",
        # Vonage's id of the call, which its stream does not tell.
        **({"uuid": told["uuid"]} if told.get("uuid") else {}),
        # Twilio says outbound-api and outbound-dial, others outbound.
        **({"direction": OUTGOING} if told.get("direction", "").startswith(("outbound", OUTGOING)) else {}),
    }

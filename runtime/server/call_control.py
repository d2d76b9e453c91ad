"""Calls are ended and handed on at the carrier: which of them we hold credentials for, and who asks them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

import httpx

from runtime.clock import Clock
from runtime.errors import InvalidRequest
from runtime.settings import Settings
from runtime.wire.call_control import CallControl, Command, Destination, destination
from runtime.wire.jambonz import JambonzControl
from runtime.wire.mod_audio_stream import FreeSwitchControl
from runtime.wire.plivo import PlivoControl
from runtime.wire.telephony import CallStarted
from runtime.wire.telnyx import TelnyxControl
from runtime.wire.twilio import TwilioControl
from runtime.wire.vonage import VonageControl

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds a carrier has to obey."""


class CarrierDesk:
    """
    One carrier's interface, asked for one call. Whatever it answers, the call's stream is closed next.

    Args:
        name: Of the carrier, for the log.
        document: The address of a document of ours that dials a destination.
    """

    def __init__(
        self, name: str, control: CallControl, *, clock: Clock, document: Callable[[Destination], str]
    ) -> None:
        self._name = name
        self._control = control
        self._clock = clock
        self._document = document

    async def hang_up(self, call: CallStarted) -> bool:
        """Whether the carrier says that it has ended the call."""
        return await self._ask(self._control.hang_up(call, now=self._clock.wall()), call)

    async def transfer(self, call: CallStarted, to: str) -> bool:
        """Whether the carrier says that it has handed the caller on."""
        try:
            found = destination(to)
        except InvalidRequest as error:
            log.warning("call %s is not handed on: %s", call.call_id, error.message)
            return False
        command = self._control.transfer(call, found, document=self._document(found), now=self._clock.wall())
        if command is None:
            log.warning("%s does not hand call %s on to %s", self._name, call.call_id, found.value)
        return await self._ask(command, call)

    async def _ask(self, command: Command | None, call: CallStarted) -> bool:
        if command is None:
            return False
        headers = {} if command.bearer is None else {"authorization": f"Bearer {command.bearer}"}
        auth = None if command.login is None else httpx.BasicAuth(*command.login)
        try:
            async with httpx.AsyncClient(timeout=PATIENCE) as client:
                answer = await client.request(
                    command.method,
                    command.url,
                    data=command.form,
                    json=command.body,
                    headers=headers,
                    auth=auth,
                )
                answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            told = error.response.text[:200]
            log.warning("%s refuses for call %s: %s %s", self._name, call.call_id, error, told)
            return False
        except httpx.HTTPError as error:
            log.warning("%s was not reached for call %s: %r", self._name, call.call_id, error)
            return False
        return True


def call_control(carrier: str, settings: Settings) -> CallControl | None:
    """
    A carrier's interface; None where it has none, or we hold no credentials to it.

    Raises:
        ValueError: A credential is not what it should be.
    """
    made = CONTROLS.get(carrier)
    return None if made is None else made(settings)


def _twilio(settings: Settings) -> CallControl | None:
    account, token = settings.twilio_account_sid, settings.twilio_auth_token
    if account is None or token is None:
        return None
    return TwilioControl(f"{settings.twilio_api_url}/2010-04-01", account=account, token=token)


def _signalwire(settings: Settings) -> CallControl | None:
    space, project = settings.signalwire_space_url, settings.signalwire_project_id
    token = settings.signalwire_api_token
    if space is None or project is None or token is None:
        return None
    root = f"{space.rstrip('/')}/api/laml/2010-04-01"
    return TwilioControl(root, account=project, token=token, inline=False)


def _telnyx(settings: Settings) -> CallControl | None:
    key = settings.telnyx_api_key
    return None if key is None else TelnyxControl(settings.telnyx_api_url, key=key)


def _plivo(settings: Settings) -> CallControl | None:
    auth_id, token = settings.plivo_auth_id, settings.plivo_auth_token
    if auth_id is None or token is None:
        return None
    return PlivoControl(settings.plivo_api_url, auth_id=auth_id, auth_token=token)


def _vonage(settings: Settings) -> CallControl | None:
    application, key = settings.vonage_application_id, settings.vonage_private_key
    if application is None or key is None:
        return None
    return VonageControl(settings.vonage_api_url, application_id=application, private_key=key)


def _jambonz(settings: Settings) -> CallControl | None:
    root, key = settings.jambonz_api_url, settings.jambonz_api_key
    return None if root is None or key is None else JambonzControl(root.rstrip("/"), key=key)


def _freeswitch(settings: Settings) -> CallControl | None:
    root = settings.freeswitch_api_url
    return None if root is None else FreeSwitchControl(root.rstrip("/"))


CONTROLS: Mapping[str, Callable[[Settings], CallControl | None]] = MappingProxyType(
    {
        "twilio": _twilio,
        "telnyx": _telnyx,
        "plivo": _plivo,
        "vonage": _vonage,
        "signalwire": _signalwire,
        "jambonz": _jambonz,
        "freeswitch": _freeswitch,
    }
)
"""By the name in the carrier's address."""

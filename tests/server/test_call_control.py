"""A carrier's desk asks for one call, and says whether the carrier obeyed, come what may."""

from __future__ import annotations

import pytest

from runtime.clock import ManualClock
from runtime.server.call_control import CONTROLS, CarrierDesk, call_control
from runtime.server.carriers import CARRIERS
from runtime.settings import Settings
from runtime.wire.telephony import CallStarted
from tests.recording_server import recording_server

CALL = CallStarted("MZ1", "CA1", "AC1", {}, 8_000)


def desk(url: str) -> CarrierDesk:
    settings = Settings(twilio_account_sid="AC1", twilio_auth_token="token", twilio_api_url=url)
    control = call_control("twilio", settings)
    assert control is not None
    return CarrierDesk("twilio", control, clock=ManualClock(0.0), document=lambda to: f"doc:{to.value}")


async def test_what_the_carrier_obeys_is_done() -> None:
    with recording_server() as recorder:
        assert await desk(recorder.url).hang_up(CALL)
        assert await desk(recorder.url).transfer(CALL, "+15550100")
    first, second = recorder.asked
    assert (first.method, first.path) == ("POST", "/2010-04-01/Accounts/AC1/Calls/CA1.json")
    assert first.body == "Status=completed"
    assert first.authorization == "Basic QUMxOnRva2Vu"
    assert "Twiml=" in second.body


async def test_what_the_carrier_refuses_is_told_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    with recording_server(status=401) as recorder:
        assert not await desk(recorder.url).hang_up(CALL)
    assert "twilio refuses for call CA1" in caplog.text
    assert "token" not in caplog.text


async def test_a_carrier_that_is_not_there_is_told_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    assert not await desk("http://127.0.0.1:1").hang_up(CALL)
    assert "was not reached" in caplog.text


@pytest.mark.parametrize("nobody", ["<Hangup/>", "a queue", "billing"])
async def test_a_destination_that_cannot_be_dialled_is_not_asked_for(nobody: str) -> None:
    with recording_server() as recorder:
        assert not await desk(recorder.url).transfer(CALL, nobody)
    assert recorder.asked == []


@pytest.mark.parametrize("name", CONTROLS)
def test_without_credentials_nothing_is_asked_of_a_carrier(name: str) -> None:
    assert name in CARRIERS
    assert call_control(name, Settings()) is None


def test_a_key_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="VIVAVOCE_VONAGE_PRIVATE_KEY"):
        Settings(vonage_application_id="app", vonage_private_key="no key")

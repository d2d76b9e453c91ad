from __future__ import annotations

import httpx
import pytest

from runtime.clock import ManualClock
from runtime.errors import InvalidRequest, NotFound, Unauthorized
from runtime.server.accounts import SANDBOX_SECONDS, AccountService, listens_on_loopback
from runtime.server.auth import Authenticator
from runtime.store.database import Database
from tests.live_server import LiveServer


def test_each_sandbox_key_opens_a_tenant_of_its_own(server: LiveServer) -> None:
    url = f"{server.url}/v1/sandbox/keys"
    one, two = httpx.post(url, json={"label": "a"}).json(), httpx.post(url).json()
    assert one["org_id"] != two["org_id"]
    assert one["api_key"] != two["api_key"]
    assert one["object"] == "sandbox.key"
    assert one["environment"] == "test"


def test_a_sandbox_key_has_the_scopes_it_asked_for(server: LiveServer) -> None:
    with server.client(server.sandbox_key("voice:synthesize", "omni:read")) as client:
        assert client.get("/v1/me").json()["scopes"] == ["omni:read", "voice:synthesize"]


@pytest.mark.parametrize("body", [{"scopes": ["root"]}, {"label": "x" * 65}, {"scopes": "voice:clone"}])
def test_a_sandbox_key_that_cannot_be_is_400(server: LiveServer, body: dict[str, object]) -> None:
    assert httpx.post(f"{server.url}/v1/sandbox/keys", json=body).status_code == 400


def test_only_the_loopback_is_a_sandbox() -> None:
    assert all(listens_on_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"))
    assert not any(listens_on_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "voice.example"))


async def test_a_server_that_gives_no_sandbox_keys_has_no_such_address(database: Database) -> None:
    closed = AccountService(database, ManualClock(), sandbox_open=False)
    with pytest.raises(NotFound):
        await closed.create_sandbox(label="", scopes=None)


async def test_a_key_is_known_until_it_expires(database: Database, clock: ManualClock) -> None:
    accounts, auth = AccountService(database, clock, sandbox_open=True), Authenticator(database, clock)
    made = await accounts.create_sandbox(label="", scopes=None)
    assert (await auth.key(made.key)).tenant_id == made.row.tenant_id
    clock.advance(SANDBOX_SECONDS)
    with pytest.raises(Unauthorized):
        await auth.key(made.key)


async def test_the_store_does_not_know_the_key_itself(database: Database, clock: ManualClock) -> None:
    accounts = AccountService(database, clock, sandbox_open=True)
    made = await accounts.create_tenant(name="Acme")
    [row] = await accounts.keys(made.row.tenant_id)
    kept = " ".join(str(value) for value in vars(row).values())
    assert made.key not in kept
    assert made.key.endswith(row.hint)


async def test_a_rotated_key_stops_and_its_successor_has_the_same_rights(
    database: Database, clock: ManualClock
) -> None:
    accounts, auth = AccountService(database, clock, sandbox_open=True), Authenticator(database, clock)
    old = await accounts.create_tenant(name="Acme", scopes=["voice:clone"])
    new = await accounts.rotate_key(old.row.tenant_id, old.row.id)
    with pytest.raises(Unauthorized):
        await auth.key(old.key)
    assert (await auth.key(new.key)).scopes == {"voice:clone"}
    with pytest.raises(NotFound):
        await accounts.rotate_key(old.row.tenant_id, old.row.id)


async def test_nobody_hands_on_a_scope_he_has_not(database: Database, clock: ManualClock) -> None:
    accounts = AccountService(database, clock, sandbox_open=True)
    made = await accounts.create_tenant(name="Acme")
    with pytest.raises(InvalidRequest, match="voice:clone"):
        await accounts.create_key(
            made.row.tenant_id, label="", scopes=["voice:clone"], granted_by=["omni:read"]
        )


async def test_another_tenants_key_cannot_be_revoked(database: Database, clock: ManualClock) -> None:
    accounts, auth = AccountService(database, clock, sandbox_open=True), Authenticator(database, clock)
    mine = await accounts.create_tenant(name="Acme")
    theirs = await accounts.create_tenant(name="Other")
    with pytest.raises(NotFound):
        await accounts.revoke_key(mine.row.tenant_id, theirs.row.id)
    assert (await auth.key(theirs.key)).key_id == theirs.row.id

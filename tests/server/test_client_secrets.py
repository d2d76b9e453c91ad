from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from runtime.clock import ManualClock
from runtime.errors import Forbidden, RateLimited, Unauthorized
from runtime.server import client_secrets
from runtime.server.accounts import AccountService
from runtime.server.auth import Authenticator, Principal, Scheme
from runtime.server.client_secrets import ClientSecrets
from runtime.store.database import Database


def connection(key: str, **headers: str) -> HTTPConnection:
    named = {"authorization": f"Bearer {key}"} | headers
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return HTTPConnection({"type": "http", "headers": raw, "query_string": b""})


@pytest.fixture
def accounts(database: Database, clock: ManualClock) -> AccountService:
    return AccountService(database, clock, sandbox_open=True)


@pytest.fixture
def authenticator(database: Database, clock: ManualClock) -> Authenticator:
    return Authenticator(database, clock)


@pytest.fixture
def secrets(authenticator: Authenticator, database: Database, clock: ManualClock) -> ClientSecrets:
    return ClientSecrets(authenticator, database, clock)


async def principal(accounts: AccountService, authenticator: Authenticator) -> Principal:
    made = await accounts.create_sandbox(label="test", scopes=None)
    return await authenticator.key(made.key)


async def test_a_secret_stands_for_its_tenant_and_may_only_open_sessions(
    accounts: AccountService, authenticator: Authenticator, secrets: ClientSecrets
) -> None:
    owner = await principal(accounts, authenticator)
    secret = await secrets.issue(owner, session={"type": "realtime"})
    caller = await secrets.caller(connection(secret.value), Scheme.BEARER)
    assert caller.principal.tenant_id == owner.tenant_id
    assert caller.principal.scopes == {"omni:session"}
    assert caller.session == {"type": "realtime"}


async def test_a_real_key_opens_sessions_too(
    accounts: AccountService, authenticator: Authenticator, secrets: ClientSecrets
) -> None:
    made = await accounts.create_sandbox(label="test", scopes=None)
    caller = await secrets.caller(connection(made.key), Scheme.BEARER)
    assert caller.session is None


async def test_a_secret_works_more_than_once_until_it_expires(
    accounts: AccountService, authenticator: Authenticator, secrets: ClientSecrets, clock: ManualClock
) -> None:
    secret = await secrets.issue(await principal(accounts, authenticator), session=None, seconds=60)
    clock.advance(59)
    for _ in range(2):
        await secrets.caller(connection(secret.value), Scheme.BEARER)
    clock.advance(1)
    with pytest.raises(Unauthorized):
        await secrets.caller(connection(secret.value), Scheme.BEARER)


async def test_revoking_the_key_stops_its_secrets(
    accounts: AccountService, authenticator: Authenticator, secrets: ClientSecrets
) -> None:
    owner = await principal(accounts, authenticator)
    secret = await secrets.issue(owner, session=None)
    await accounts.revoke_key(owner.tenant_id, owner.key_id)
    with pytest.raises(Unauthorized):
        await secrets.caller(connection(secret.value), Scheme.BEARER)


async def test_the_origin_must_be_one_of_those_named(
    accounts: AccountService, authenticator: Authenticator, secrets: ClientSecrets
) -> None:
    owner = await principal(accounts, authenticator)
    secret = await secrets.issue(owner, session=None, origins=["https://mine.example"])
    await secrets.caller(connection(secret.value, origin="https://mine.example"), Scheme.BEARER)
    for origin in ({}, {"origin": "https://mine.example.evil"}, {"origin": "null"}):
        with pytest.raises(Forbidden):
            await secrets.caller(connection(secret.value, **origin), Scheme.BEARER)


async def test_a_key_without_the_scope_makes_no_secret(
    accounts: AccountService, authenticator: Authenticator, secrets: ClientSecrets
) -> None:
    made = await accounts.create_sandbox(label="test", scopes=["voice:synthesize"])
    with pytest.raises(Forbidden):
        await secrets.issue(await authenticator.key(made.key), session=None)


async def test_secrets_are_bounded_and_make_room_as_they_expire(
    accounts: AccountService,
    authenticator: Authenticator,
    secrets: ClientSecrets,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_secrets, "MOST", 2)
    owner = await principal(accounts, authenticator)
    for _ in range(2):
        await secrets.issue(owner, session=None, seconds=60)
    with pytest.raises(RateLimited):
        await secrets.issue(owner, session=None)
    clock.advance(61)
    await secrets.issue(owner, session=None)

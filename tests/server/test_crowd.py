"""Twenty clients at once on one SQLite file: nobody is told that the database is locked."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live_server import LiveServer
from tests.server.test_voices import good_clip, settle, upload

__all__ = ["good_clip"]


@pytest.mark.timeout(120)
def test_twenty_enrol_and_speak_at_once(server: LiveServer, good_clip: bytes) -> None:
    keys = [server.sandbox_key() for _ in range(4)]

    def client_of(number: int) -> list[int]:
        statuses = []
        with server.client(keys[number % 4]) as client:
            enrolled = upload(client, good_clip)
            statuses.append(enrolled.status_code)
            for _ in range(2):
                said = client.post("/v1/audio/speech", json={"input": "Hello.", "voice": "tone-low"})
                listed = client.get("/v1/voice/clones")
                made = client.post("/v1/keys", json={"label": "x", "scopes": ["voice:clone"]})
                statuses += [said.status_code, listed.status_code, made.status_code]
            if enrolled.status_code == 201:
                assert settle(client, enrolled.json()["id"], patience=90)["status"] == "ready"
        return statuses

    with ThreadPoolExecutor(20) as pool:
        statuses = Counter(status for told in pool.map(client_of, range(20)) for status in told)
    assert set(statuses) <= {200, 201}, statuses
    for key in keys:
        with server.client(key) as client:
            assert client.get("/v1/audit/verify").json()["valid"]
            ledger = client.get("/v1/credits", params={"limit": 100}).json()
            assert ledger["balance"] == sum(row["amount"] for row in ledger["data"])
    assert "database is locked" not in server.log

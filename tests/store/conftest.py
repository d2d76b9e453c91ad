from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.store.database import Database
from runtime.store.models import TenantRow


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated, empty database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.db"
    else:
        url = request.getfixturevalue("postgres").new_database()
    database = Database(url)
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def tenants(database: Database) -> tuple[str, str]:
    async with database.write() as store:
        for number, name in enumerate(("org_one", "org_two")):
            await store.tenants.add(
                TenantRow(id=name, name=name, number=number, credit_balance=0, created_at=1.0)
            )
    return "org_one", "org_two"

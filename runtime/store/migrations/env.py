"""Alembic's entry: the connection is handed in by :meth:`runtime.store.database.Database.migrate`."""

from __future__ import annotations

from alembic import context

from runtime.store.models import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()

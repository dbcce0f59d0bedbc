"""Runs the migrations on the connection that `gateway.database.upgrade` hands over.

For `alembic` at the command line, as to make a new migration, IRMAHUB_DATABASE_URL names the database.
"""

import os

from alembic import context
from sqlalchemy import Connection

from gateway.database import Database
from gateway.models import Base


def migrate(connection: Connection) -> None:
    """Run the migrations in the connection's transaction."""
    # Batch mode: SQLite cannot alter a table in place, so that Alembic copies it where a migration asks for it.
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=connection.dialect.name == "sqlite")
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    database = Database(os.environ["IRMAHUB_DATABASE_URL"])
    with database.engine.execution_options(irmahub_write=True).connect() as own, own.begin():
        migrate(own)

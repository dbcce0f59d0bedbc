"""The id of the request that started a session, in its record."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session_records", sa.Column("request_id", sa.String(length=36), nullable=True))
    op.create_index(op.f("ix_session_records_request_id"), "session_records", ["request_id"], unique=False)

"""Counters of changes."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from gateway.models import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("counter", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_changes")),
    )
    # A row for each topic, so that raising a counter is always an update, which two writers queue on.
    for topic in ("requestors", "schemes", "issuer_keys", "custody", "jobs"):
        op.execute(
            sa.text("INSERT INTO changes (topic, counter, changed_at) VALUES (:topic, 0, :epoch)").bindparams(
                sa.bindparam("epoch", EPOCH, UtcDateTime()), topic=topic
            )
        )

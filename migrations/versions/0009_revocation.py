"""Revocation: accumulators, events, issuance records and roles."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from gateway.models import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "revocation_accumulators",
        sa.Column("credential_type", sa.String(length=200), nullable=False),
        sa.Column("key_counter", number, autoincrement=False, nullable=False),
        sa.Column("event_index", number, nullable=False),
        sa.Column("signed_at", number, nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("credential_type", "key_counter", name=op.f("pk_revocation_accumulators")),
    )
    op.create_table(
        "revocation_events",
        sa.Column("credential_type", sa.String(length=200), nullable=False),
        sa.Column("key_counter", number, autoincrement=False, nullable=False),
        sa.Column("event_index", number, autoincrement=False, nullable=False),
        sa.Column("prime", sa.LargeBinary(), nullable=False),
        sa.Column("parent_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_type", "key_counter"],
            ["revocation_accumulators.credential_type", "revocation_accumulators.key_counter"],
            name="fk_revocation_events_accumulator",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("credential_type", "key_counter", "event_index", name=op.f("pk_revocation_events")),
    )
    op.create_table(
        "revocation_records",
        sa.Column("id", number, nullable=False),
        sa.Column("credential_type", sa.String(length=200), nullable=False),
        sa.Column("key_counter", number, nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("prime", sa.LargeBinary(), nullable=False),
        sa.Column("issued_ns", number, nullable=False),
        sa.Column("valid_until_ns", number, nullable=False),
        sa.Column("revoked_ns", number, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocation_records")),
        sa.UniqueConstraint("credential_type", "key_counter", "prime", name="uq_revocation_records_prime"),
    )
    op.create_index("ix_revocation_records_key", "revocation_records", ["credential_type", "key_hash"], unique=False)
    op.create_index(op.f("ix_revocation_records_valid_until_ns"), "revocation_records", ["valid_until_ns"], unique=False)
    op.create_table(
        "revocation_syncs",
        sa.Column("credential_type", sa.String(length=200), nullable=False),
        sa.Column("synced_at", number, nullable=False),
        sa.Column("claimed_until", number, nullable=False),
        sa.PrimaryKeyConstraint("credential_type", name=op.f("pk_revocation_syncs")),
    )
    op.create_table(
        "revocation_roles",
        sa.Column("credential_type", sa.String(length=200), nullable=False),
        sa.Column("authority", sa.Boolean(), nullable=False),
        sa.Column("server", sa.Boolean(), nullable=False),
        sa.Column("revocation_server_url", sa.Text(), nullable=False),
        sa.Column("tolerance", sa.Integer(), nullable=False),
        sa.Column("sse", sa.Boolean(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("credential_type", name=op.f("pk_revocation_roles")),
    )
    op.execute(
        sa.text("INSERT INTO changes (topic, counter, changed_at) VALUES ('revocation', 0, :epoch)").bindparams(
            sa.bindparam("epoch", EPOCH, UtcDateTime())
        )
    )

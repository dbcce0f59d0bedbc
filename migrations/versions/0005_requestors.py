"""Requestors, their keys and permissions."""

import sqlalchemy as sa
from alembic import op

from gateway.models import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "global_permissions",
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("pattern", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("kind", "pattern", name=op.f("pk_global_permissions")),
    )
    op.create_table(
        "requestors",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("organisation_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=True),
        sa.Column("contact", sa.String(length=254), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("suspended_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_requestors_organisation_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requestors")),
        sa.UniqueConstraint("name", name=op.f("uq_requestors_name")),
    )
    op.create_index(op.f("ix_requestors_organisation_id"), "requestors", ["organisation_id"], unique=False)
    op.create_index(op.f("ix_requestors_state"), "requestors", ["state"], unique=False)
    op.create_table(
        "requestor_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("requestor_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("envelope_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=True),
        sa.Column("public_key", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(length=100), nullable=False),
        sa.Column("weak", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelopes.id"], name=op.f("fk_requestor_keys_envelope_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["requestor_id"], ["requestors.id"], name=op.f("fk_requestor_keys_requestor_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requestor_keys")),
        sa.UniqueConstraint("envelope_id", name=op.f("uq_requestor_keys_envelope_id")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_requestor_keys_token_hash")),
    )
    op.create_index(op.f("ix_requestor_keys_expires_at"), "requestor_keys", ["expires_at"], unique=False)
    op.create_index(op.f("ix_requestor_keys_requestor_id"), "requestor_keys", ["requestor_id"], unique=False)
    op.create_table(
        "requestor_permissions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("requestor_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("pattern", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["requestor_id"], ["requestors.id"], name=op.f("fk_requestor_permissions_requestor_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requestor_permissions")),
        sa.UniqueConstraint("requestor_id", "kind", "pattern", name=op.f("uq_requestor_permissions_requestor_id_kind_pattern")),
    )

"""Envelopes and the register of issuer keys."""

import sqlalchemy as sa
from alembic import op

from gateway.models import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "envelopes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=100), nullable=False),
        sa.Column("public", sa.Text(), nullable=True),
        sa.Column("kek_id", sa.String(length=32), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("rewrapped_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_envelopes")),
        sa.UniqueConstraint("kind", "subject", "counter", name=op.f("uq_envelopes_kind_subject_counter")),
    )
    op.create_index(op.f("ix_envelopes_kek_id"), "envelopes", ["kek_id"], unique=False)
    op.create_table(
        "issuer_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("issuer_id", sa.String(length=200), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("modulus_bits", sa.Integer(), nullable=False),
        sa.Column("bases", sa.Integer(), nullable=False),
        sa.Column("revocable", sa.Boolean(), nullable=False),
        sa.Column("fingerprint", sa.String(length=100), nullable=False),
        sa.Column("public_xml", sa.Text(), nullable=False),
        sa.Column("envelope_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("seen_live_at", UtcDateTime(), nullable=True),
        sa.Column("activated_at", UtcDateTime(), nullable=True),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelopes.id"], name=op.f("fk_issuer_keys_envelope_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer_keys")),
        sa.UniqueConstraint("envelope_id", name=op.f("uq_issuer_keys_envelope_id")),
        sa.UniqueConstraint("issuer_id", "counter", name=op.f("uq_issuer_keys_issuer_id_counter")),
    )
    op.create_index(op.f("ix_issuer_keys_expires_at"), "issuer_keys", ["expires_at"], unique=False)
    op.create_index(op.f("ix_issuer_keys_state"), "issuer_keys", ["state"], unique=False)

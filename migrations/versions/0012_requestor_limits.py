"""Algorithms and key sets of requestors, their limits, constraints and usage."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requestors", sa.Column("limits", sa.JSON(), nullable=True))
    op.add_column("requestors", sa.Column("constraints", sa.JSON(), nullable=True))
    op.add_column("requestor_keys", sa.Column("jwks_url", sa.Text(), nullable=True))
    op.add_column("requestor_keys", sa.Column("algorithm", sa.String(32), nullable=True))
    op.add_column("requestor_keys", sa.Column("kid", sa.String(length=100), nullable=True))
    # Until now a secret was used with HS256 alone, and a public key was an RSA key for RS256.
    op.execute("UPDATE requestor_keys SET algorithm = 'HS256' WHERE method = 'hmac'")
    op.execute("UPDATE requestor_keys SET algorithm = 'RS256' WHERE method = 'publickey'")
    op.create_table(
        "requestor_usage",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requestor_name", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("started", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("limited", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "requestor_name", "action", name=op.f("pk_requestor_usage")),
    )

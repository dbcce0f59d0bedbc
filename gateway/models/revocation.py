"""Revocation: accumulators with their chains of events, what was issued, and the roles of this installation."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, BigId, RowId


class RevocationAccumulator(Base):
    """The newest accumulator of a credential type under one key. Whoever appends to the chain holds the lock on this row.

    Attributes:
        event_index: the index of the last event.
        signed_at: when the issuer vouched for it, Unix seconds.
        signed: the accumulator as the issuer signed it.
    """

    __tablename__ = "revocation_accumulators"

    credential_type: Mapped[str] = mapped_column(String(200), primary_key=True)
    key_counter: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    event_index: Mapped[int] = mapped_column(BigId)
    signed_at: Mapped[int] = mapped_column(BigId)
    signed: Mapped[bytes]


class RevocationEvent(Base):
    """One revocation, a link of the chain. The primary key keeps the chain from having two links in one place.

    Attributes:
        event_index: its place.
        prime: the revocation attribute of the credential, its shortest bytes.
        parent_hash: the hash of the event before it.
    """

    __tablename__ = "revocation_events"
    __table_args__ = (
        ForeignKeyConstraint(
            ["credential_type", "key_counter"],
            ["revocation_accumulators.credential_type", "revocation_accumulators.key_counter"],
            name="fk_revocation_events_accumulator",
            ondelete="CASCADE",
        ),
    )

    credential_type: Mapped[str] = mapped_column(String(200), primary_key=True)
    key_counter: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    event_index: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    prime: Mapped[bytes]
    parent_hash: Mapped[bytes]


class RevocationRecord(Base):
    """A credential that was issued and can be revoked. It holds no attribute, and of the revocation key only a hash.

    Attributes:
        key_hash: of the revocation key, see `gateway.revocation.tables.key_hash`.
        prime: the credential's revocation attribute, its shortest bytes.
        issued_ns, valid_until_ns: Unix nanoseconds.
        revoked_ns: when it was revoked, Unix nanoseconds; 0 while it is not.
    """

    __tablename__ = "revocation_records"
    __table_args__ = (
        UniqueConstraint("credential_type", "key_counter", "prime", name="uq_revocation_records_prime"),
        Index("ix_revocation_records_key", "credential_type", "key_hash"),
    )

    id: Mapped[RowId]
    credential_type: Mapped[str] = mapped_column(String(200))
    key_counter: Mapped[int] = mapped_column(BigId)
    key_hash: Mapped[str] = mapped_column(String(64))
    prime: Mapped[bytes]
    issued_ns: Mapped[int] = mapped_column(BigId)
    valid_until_ns: Mapped[int] = mapped_column(BigId, index=True)
    revoked_ns: Mapped[int] = mapped_column(BigId)


class RevocationSync(Base):
    """When the accumulators of a credential type were last had from their issuer, and which process is fetching them.

    Attributes:
        synced_at: Unix seconds; 0 for never.
        claimed_until: until when the process that fetches has the work to itself, Unix seconds.
    """

    __tablename__ = "revocation_syncs"

    credential_type: Mapped[str] = mapped_column(String(200), primary_key=True)
    synced_at: Mapped[int] = mapped_column(BigId)
    claimed_until: Mapped[int] = mapped_column(BigId)


class RevocationRole(Base):
    """What this installation is for the revocation of a credential type; the fields as in `gateway.revocation.settings.TypeSettings`."""

    __tablename__ = "revocation_roles"

    credential_type: Mapped[str] = mapped_column(String(200), primary_key=True)
    authority: Mapped[bool]
    server: Mapped[bool]
    revocation_server_url: Mapped[str]
    tolerance: Mapped[int]
    sse: Mapped[bool]
    changed_at: Mapped[datetime]

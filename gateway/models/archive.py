"""The archive of sessions: who asked what when and how it ended, with a marker for every value."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, RowId


class SessionRecord(Base):
    """One session.

    Attributes:
        token_hash: SHA-256 of the requestor token, hex: finds the row for who holds the token, and gives nobody the token.
        token_prefix: the first characters of the requestor token, to tell rows apart by eye.
        action: `disclosing`, `signing` or `issuing`.
        request: the session request with a marker for every value.
        status, proof_status, error: as at the last event, in the reference's words.
        request_id: of the request that started the session, or the chain that it belongs to.
        revision: the session's at the last event, so that events written late change nothing back.
    """

    __tablename__ = "session_records"
    __table_args__ = (Index("ix_session_records_requestor_name_started_at", "requestor_name", "started_at"),)

    id: Mapped[RowId]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    token_prefix: Mapped[str] = mapped_column(String(8))
    requestor_name: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(32))
    request: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(32), index=True)
    proof_status: Mapped[str | None] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(36), index=True)
    revision: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime] = mapped_column(index=True)
    connected_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    events: Mapped[list["SessionEvent"]] = relationship(
        back_populates="record", cascade="all, delete-orphan", passive_deletes=True, order_by="SessionEvent.id"
    )


class SessionEvent(Base):
    """One event of a session. `detail` holds no attribute value."""

    __tablename__ = "session_events"

    id: Mapped[RowId]
    record_id: Mapped[int] = mapped_column(ForeignKey("session_records.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]]

    record: Mapped[SessionRecord] = relationship(back_populates="events")

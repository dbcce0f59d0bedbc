"""Deliveries of results to requestors' servers."""

from datetime import datetime
from enum import Enum

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, RowId, Word


class DeliveryState(Enum):
    """How far a delivery is. All but the first are its end."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"


class Delivery(Base):
    """One result that a requestor's server is to get. The result itself stays in the session store.

    Attributes:
        token_hash: of the session, as the archive has it.
        sealed_token: the requestor token under a key of custody, so that the session can be read again; None once its result expired.
        origin: protocol, host and port of the address; path and query may be secrets, and are read from the session.
        attempts: how often it was sent.
        last_status: what was answered, None where nothing was.
        last_error: why it was not delivered, without any value.
        lease_token: of the worker that sends it; who does not hold it writes nothing.
        expires_at: when the session's result expires.
    """

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_state_next_attempt_at", "state", "next_attempt_at"),)

    id: Mapped[RowId]
    token_hash: Mapped[str] = mapped_column(String(64), index=True)
    sealed_token: Mapped[bytes | None]
    requestor_name: Mapped[str] = mapped_column(String(100), index=True)
    origin: Mapped[str] = mapped_column(String(300))
    state: Mapped[DeliveryState] = mapped_column(Word(DeliveryState))
    attempts: Mapped[int] = mapped_column(default=0)
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(index=True)
    next_attempt_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    lease_token: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None]

"""Counters that tell processes that something changed."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, BigId


class Change(Base):
    """How often a topic has changed: raised in the transaction of the change, read by every process twice a second."""

    __tablename__ = "changes"

    topic: Mapped[str] = mapped_column(String(64), primary_key=True)
    counter: Mapped[int] = mapped_column(BigId)
    changed_at: Mapped[datetime]

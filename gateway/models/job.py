"""Background work as rows."""

from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, BigId, RowId, Word


class JobState(Enum):
    """Where a job is. A queued or waiting job holds no lease."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(Base):
    """One run of a flow.

    Attributes:
        kind: the flow.
        object: what it works on, as the audit names it (`scheme:irma-demo`).
        serial: of the jobs with the same value only one runs at a time.
        arguments: what the flow needs; never a secret.
        step: the last completed step.
        attempt: how often it was claimed.
        takeovers: how often its worker was lost in the present step.
        lease_token: random, new with each claim; who does not hold it writes nothing.
        wait_until: a waiting job is claimable from then on.
        wait_for: the event that makes a waiting job claimable at once.
        progress: 0.0 to 1.0 of the present step.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_state_wait_until", "state", "wait_until"),
        Index(
            "uq_jobs_serial_running",
            "serial",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )

    id: Mapped[RowId]
    kind: Mapped[str] = mapped_column(String(64))
    object: Mapped[str] = mapped_column(String(300), index=True)
    serial: Mapped[str | None] = mapped_column(String(300))
    arguments: Mapped[dict[str, Any]]
    state: Mapped[JobState] = mapped_column(Word(JobState))
    step: Mapped[str | None] = mapped_column(String(64))
    progress: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str | None]
    error: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    takeovers: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(200))
    lease_token: Mapped[str | None] = mapped_column(String(64))
    lease_expires_at: Mapped[datetime | None]
    wait_until: Mapped[datetime | None]
    wait_for: Mapped[str | None] = mapped_column(String(300), index=True)
    cancel_asked_at: Mapped[datetime | None]
    actor_kind: Mapped[str] = mapped_column(String(32))
    actor_name: Mapped[str] = mapped_column(String(200))
    user_id: Mapped[int | None] = mapped_column(BigId)
    created_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]

    steps: Mapped[list["JobStep"]] = relationship(
        back_populates="job", cascade="all, delete-orphan", passive_deletes=True, order_by="JobStep.position"
    )


class JobStep(Base):
    """A completed step of a job, with what later steps need to know of it (never a secret)."""

    __tablename__ = "job_steps"
    __table_args__ = (UniqueConstraint("job_id", "name"),)

    id: Mapped[RowId]
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(64))
    output: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]

    job: Mapped[Job] = relationship(back_populates="steps")

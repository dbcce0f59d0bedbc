"""Schemes that are kept here, their publications and approvals. The content of a scheme stands in git, never here."""

from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, BigId, RowId, Word


class Channel(Enum):
    """Whom a scheme serves; it sets how many approvals a publication needs."""

    DEMO = "demo"
    STAGING = "staging"
    PRODUCTION = "production"


class SchemeKind(Enum):
    """The two kinds of schemes."""

    ISSUER = "issuer"
    REQUESTOR = "requestor"


class PublicationState(Enum):
    """Where a publication is."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    PUBLISHING = "publishing"
    LIVE = "live"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"


class Verdict(Enum):
    """What an approver said."""

    APPROVED = "approved"
    REJECTED = "rejected"


class Scheme(Base):
    """A scheme under care.

    Attributes:
        id: the identifier, `irma-demo`.
        source: the directory or git address that it came from and that publications are pushed to.
        public_url: where clients fetch it.
        settings: what a feature keeps per scheme (branch, update interval …); never a secret.
    """

    __tablename__ = "schemes"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    kind: Mapped[SchemeKind] = mapped_column(Word(SchemeKind))
    channel: Mapped[Channel] = mapped_column(Word(Channel))
    source: Mapped[str]
    public_url: Mapped[str] = mapped_column(default="")
    required_approvals: Mapped[int]
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Publication(Base):
    """One version of a scheme on its way out, or out.

    Attributes:
        channel: the scheme's, at the time.
        tree_hash: git's id of the approved tree, before signing; approvals are bound to it.
        base_commit: the published commit that the tree was made from; None for the first.
        commit: the published, signed commit.
        scheme_timestamp: the content of `timestamp`, in Unix seconds.
        job_id: the job whose steps publish it.
    """

    __tablename__ = "publications"
    __table_args__ = (Index("ix_publications_scheme_id_created_at", "scheme_id", "created_at"),)

    id: Mapped[RowId]
    scheme_id: Mapped[str] = mapped_column(ForeignKey("schemes.id", ondelete="RESTRICT"))
    channel: Mapped[Channel] = mapped_column(Word(Channel))
    state: Mapped[PublicationState] = mapped_column(Word(PublicationState), index=True)
    tree_hash: Mapped[str] = mapped_column(String(64))
    base_commit: Mapped[str | None] = mapped_column(String(64))
    commit: Mapped[str | None] = mapped_column(String(64))
    scheme_timestamp: Mapped[int | None] = mapped_column(BigId)
    required_approvals: Mapped[int]
    summary: Mapped[str] = mapped_column(default="")
    error: Mapped[str | None]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    author_kind: Mapped[str] = mapped_column(String(32))
    author_name: Mapped[str] = mapped_column(String(200))
    author_user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    live_at: Mapped[datetime | None]

    scheme: Mapped[Scheme] = relationship()
    approvals: Mapped[list["Approval"]] = relationship(
        back_populates="publication", cascade="all, delete-orphan", passive_deletes=True, order_by="Approval.id"
    )


class Approval(Base):
    """A verdict of one person on one tree; it counts only while the publication has that tree."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("publication_id", "user_id", "tree_hash"),)

    id: Mapped[RowId]
    publication_id: Mapped[int] = mapped_column(ForeignKey("publications.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="RESTRICT"), index=True)
    tree_hash: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[Verdict] = mapped_column(Word(Verdict))
    reason: Mapped[str | None]
    created_at: Mapped[datetime]

    publication: Mapped[Publication] = relationship(back_populates="approvals")

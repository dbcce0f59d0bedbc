"""Requestors, their keys and their permissions."""

from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, RowId, Word


class RequestorState(Enum):
    """Whether a requestor may start sessions: only an active one may."""

    DRAFT = "draft"
    ACTIVE = "active"
    SUSPENDED = "suspended"


class AuthMethod(Enum):
    """How a key authenticates, in the words of `auth_method` of irma server."""

    TOKEN = "token"  # noqa: S105 - the name of a method
    HMAC = "hmac"
    PUBLICKEY = "publickey"


class JwtAlgorithm(Enum):
    """The one algorithm that a key of JWTs is used with, by its name of RFC 7518 and RFC 8037."""

    HS256 = "HS256"
    RS256 = "RS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


class PermissionKind(Enum):
    """What a permission is for: the lists of irma server without `_perms`."""

    DISCLOSE = "disclose"
    SIGN = "sign"
    ISSUE = "issue"
    REVOKE = "revoke"
    HOST = "host"


class Requestor(Base):
    """A party that may start sessions.

    Attributes:
        name: as in JWTs (`kid` or `iss`) and in the reference's configuration; exact, case counts.
        limits: a `gateway.requestors.limits.Limits` as JSON; None for none.
        constraints: a `gateway.requestors.constraints.Constraints` as JSON; None for none.
        version: rises with every change; a change made on an older version is refused.
    """

    __tablename__ = "requestors"

    id: Mapped[RowId]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id", ondelete="RESTRICT"), index=True)
    contact: Mapped[str] = mapped_column(String(254), default="")
    state: Mapped[RequestorState] = mapped_column(Word(RequestorState), index=True)
    suspended_reason: Mapped[str | None]
    limits: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    constraints: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    keys: Mapped[list["RequestorKey"]] = relationship(
        back_populates="requestor", cascade="all, delete-orphan", passive_deletes=True, order_by="RequestorKey.id"
    )
    permissions: Mapped[list["RequestorPermission"]] = relationship(
        back_populates="requestor", cascade="all, delete-orphan", passive_deletes=True, order_by="RequestorPermission.pattern"
    )


class RequestorKey(Base):
    """One key of a requestor. Exactly one of `token_hash`, `envelope_id`, `public_key` and `jwks_url` is set, by `method`.

    Attributes:
        token_hash: HMAC-SHA-256 of the token under the pepper of custody.
        envelope_id: the HMAC secret in custody.
        public_key: PEM, SubjectPublicKeyInfo.
        jwks_url: where the requestor publishes its public keys (RFC 7517); they are fetched when a JWT names one.
        algorithm: what JWTs under it are signed with; None for a token, and for the keys of `jwks_url`, which each have their own.
        kid: the name of the key in the header of JWTs, once among the valid keys of its requestor; None for none.
        fingerprint: what may be shown of the key.
        weak: it works, but below what we would make (a short token or secret, RSA below 2048 bits).
    """

    __tablename__ = "requestor_keys"

    id: Mapped[RowId]
    requestor_id: Mapped[int] = mapped_column(ForeignKey("requestors.id", ondelete="CASCADE"), index=True)
    label: Mapped[str] = mapped_column(String(100), default="")
    method: Mapped[AuthMethod] = mapped_column(Word(AuthMethod))
    token_hash: Mapped[bytes | None] = mapped_column(unique=True)
    envelope_id: Mapped[int | None] = mapped_column(ForeignKey("envelopes.id", ondelete="RESTRICT"), unique=True)
    public_key: Mapped[str | None]
    jwks_url: Mapped[str | None]
    algorithm: Mapped[JwtAlgorithm | None] = mapped_column(Word(JwtAlgorithm))
    kid: Mapped[str | None] = mapped_column(String(100))
    fingerprint: Mapped[str] = mapped_column(String(100))
    weak: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    not_before: Mapped[datetime | None]
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    requestor: Mapped[Requestor] = relationship(back_populates="keys")


class RequestorPermission(Base):
    """One pattern that a requestor holds."""

    __tablename__ = "requestor_permissions"
    __table_args__ = (UniqueConstraint("requestor_id", "kind", "pattern"),)

    id: Mapped[RowId]
    requestor_id: Mapped[int] = mapped_column(ForeignKey("requestors.id", ondelete="CASCADE"))
    kind: Mapped[PermissionKind] = mapped_column(Word(PermissionKind))
    pattern: Mapped[str] = mapped_column(String(300))

    requestor: Mapped[Requestor] = relationship(back_populates="permissions")


class GlobalPermission(Base):
    """One pattern that every requestor holds. There are none of the kind host: irma server ignores them."""

    __tablename__ = "global_permissions"

    kind: Mapped[PermissionKind] = mapped_column(Word(PermissionKind), primary_key=True)
    pattern: Mapped[str] = mapped_column(String(300), primary_key=True)


class RequestorUsage(Base):
    """How often a requestor asked for sessions of one type on one day.

    Attributes:
        day: of the calendar in UTC.
        requestor_name: kept when the requestor is removed.
        action: `disclosing`, `signing` or `issuing`.
        started: sessions that were started.
        refused: requests that permissions, constraints, source address or hours refused.
        limited: requests that the rate, the daily quota or the number of concurrent sessions refused.
    """

    __tablename__ = "requestor_usage"

    day: Mapped[date] = mapped_column(primary_key=True)
    requestor_name: Mapped[str] = mapped_column(String(100), primary_key=True)
    action: Mapped[str] = mapped_column(String(32), primary_key=True)
    started: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    limited: Mapped[int] = mapped_column(default=0)

"""People, their log-ins and roles, tokens for programs, and organisations."""

from datetime import datetime
from enum import Enum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..actor import Role
from .base import Base, RowId, Word


class UserState(Enum):
    """Whether a user may sign in."""

    ACTIVE = "active"
    DISABLED = "disabled"


class Organisation(Base):
    """An organisation that owns requestors. Its members are the users with a role grant of the scope `organisation:ID`."""

    __tablename__ = "organisations"

    id: Mapped[RowId]
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime]


class User(Base):
    """A person who signs in.

    Attributes:
        name: what is typed at sign-in, lower case.
        password_hash: argon2id in its own text form; None where the user signs in by another way.
        language: `en` or `nl`; None follows the browser.
        theme: `light` or `dark`; None follows the system.
    """

    __tablename__ = "users"

    id: Mapped[RowId]
    name: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254))
    password_hash: Mapped[str | None]
    state: Mapped[UserState] = mapped_column(Word(UserState), default=UserState.ACTIVE)
    language: Mapped[str | None] = mapped_column(String(8))
    theme: Mapped[str | None] = mapped_column(String(8))
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]

    grants: Mapped[list["RoleGrant"]] = relationship(back_populates="user", cascade="all, delete-orphan", passive_deletes=True)


class RoleGrant(Base):
    """A role of a user within a scope (`*`, `scheme:ID`, `issuer:ID`, `organisation:ID`)."""

    __tablename__ = "role_grants"
    __table_args__ = (UniqueConstraint("user_id", "role", "scope"),)

    id: Mapped[RowId]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    role: Mapped[Role] = mapped_column(Word(Role))
    scope: Mapped[str] = mapped_column(String(200), default="*")
    granted_at: Mapped[datetime]

    user: Mapped[User] = relationship(back_populates="grants")


class Login(Base):
    """One sign-in in one browser. The cookie holds a random id of 256 bits; the row holds its SHA-256."""

    __tablename__ = "logins"

    id: Mapped[RowId]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(400))
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()


class ApiToken(Base):
    """A bearer token of a user for `/api/v1`.

    Attributes:
        token_hash: HMAC-SHA-256 of the token under the pepper of custody.
        actions: the actions (`gateway.authorization.Action` values) that the token may take, at most those of its user.
    """

    __tablename__ = "api_tokens"

    id: Mapped[RowId]
    name: Mapped[str] = mapped_column(String(100))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    actions: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship()

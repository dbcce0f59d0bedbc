"""Accounts: users with argon2 passwords, log-ins as rows, roles, and API tokens.

A log-in's cookie holds a random id of 256 bits, its row the SHA-256 of it. An API token is 256 random bits, kept as HMAC-SHA-256 under
the pepper of custody. Failed attempts are counted in the audit, so that every process sees the same count.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from console.accounts.models import (
    LANGUAGES,
    THEMES,
    ApiTokenInfo,
    CreatedApiToken,
    LoggedIn,
    LogInInfo,
    NewApiToken,
    NewUser,
    UserInfo,
)
from console.errors import LastAdministratorError, LogInError, LogInThrottledError
from gateway.actor import Actor, ActorKind, Grant, Role
from gateway.audit.service import Audit
from gateway.authorization import EVERYTHING, Action, PermissionDeniedError, authorize, may_anywhere
from gateway.database import Database
from gateway.inputs import ConflictError, Errors, Message, NotFoundError
from gateway.models import ApiToken, AuditEntry, Login, RoleGrant, User, UserState
from gateway.requestors.directory import hash_token
from idemix.arith.randomness import RandomSource
from idemix.clock import Clock

#: Failed attempts are looked at for so long.
_WINDOW: Final = timedelta(minutes=15)
#: From so many failures in the window on, the next attempt has to wait: 2, 4, 8 … seconds, never longer than a minute, so that nobody
#: can lock a colleague out.
_FREE_FAILURES: Final = 4
_LONGEST_WAIT_SECONDS: Final = 60
#: So many failures from one address, whatever the names, close it for the rest of the window.
_FAILURES_PER_ADDRESS: Final = 50
#: A log-in's `last_seen_at` is written at most so often.
_SEEN_INTERVAL: Final = timedelta(minutes=1)

_USER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}\Z")
_SCOPE: Final = re.compile(r"(\*|scheme:[A-Za-z0-9_-]+|issuer:[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+|organisation:[0-9]+)\Z")
_LOG_IN_FAILED: Final = "login.failed"


class Accounts:
    """People and programs that use the console.

    Args:
        database: where they are kept.
        audit: where every write is noted.
        pepper: gives the pepper that API tokens are hashed under.
        clock: tells the time.
        randomness: makes cookies and tokens.
        log_in_lifetime: after which a log-in ends.
    """

    def __init__(
        self,
        database: Database,
        audit: Audit,
        pepper: Callable[[], bytes],
        clock: Clock,
        randomness: RandomSource,
        log_in_lifetime: timedelta = timedelta(hours=12),
    ) -> None:
        self._database = database
        self._audit = audit
        self._pepper = pepper
        self._clock = clock
        self._randomness = randomness
        self._log_in_lifetime = log_in_lifetime
        self._hasher = PasswordHasher()
        # A name that does not exist costs the same time as one that does.
        self._nobody = self._hasher.hash("the password of nobody")

    # --- users ---

    def has_users(self) -> bool:
        """Whether anybody can sign in; the sign-in page tells of the command that makes the first administrator otherwise."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(User)) != 0

    def create_first_administrator(self, actor: Actor, new: NewUser) -> UserInfo:
        """Make an administrator where there is none yet.

        Raises:
            ConflictError: there is one.
            InvalidInputError: a field breaks a rule.
            PermissionDeniedError: only a command may do this.
        """
        if actor.kind not in (ActorKind.COMMAND, ActorKind.SYSTEM):
            raise PermissionDeniedError(actor, Action.USER_EDIT, (EVERYTHING,), "the first administrator is made by a command")
        administrator = NewUser(new.name, new.display_name, new.password, new.email, (Grant(Role.ADMIN),), new.language)

        def none_yet(session: Session) -> None:
            if _administrators(session):
                raise ConflictError("there is an administrator already")

        return self._create(actor, administrator, "first administrator", none_yet)

    def create_user(self, actor: Actor, new: NewUser, reason: str = "") -> UserInfo:
        """Make a user.

        Raises:
            InvalidInputError: a field breaks a rule, or the name is taken.
        """
        authorize(actor, Action.USER_EDIT)
        return self._create(actor, new, reason)

    def list_users(self, actor: Actor) -> tuple[UserInfo, ...]:
        """All users, by name."""
        authorize(actor, Action.USER_VIEW)
        with self._database.read() as session:
            return tuple(_user_info(user) for user in session.scalars(select(User).options(selectinload(User.grants)).order_by(User.name)))

    def get_user(self, actor: Actor, user_id: int) -> UserInfo:
        """A user; everybody may see the own."""
        if actor.user_id != user_id:
            authorize(actor, Action.USER_VIEW)
        with self._database.read() as session:
            return _user_info(_user(session, user_id))

    def find_user(self, actor: Actor, name: str) -> UserInfo:
        """A user by name."""
        authorize(actor, Action.USER_VIEW)
        with self._database.read() as session:
            user = session.scalar(select(User).where(User.name == name.lower()))
            if user is None:
                raise NotFoundError("user", name)
            return _user_info(user)

    def set_grants(self, actor: Actor, user_id: int, grants: Sequence[Grant], reason: str = "") -> UserInfo:
        """Replace a user's roles.

        Raises:
            InvalidInputError: a scope is none.
            LastAdministratorError: nobody would be administrator.
        """
        authorize(actor, Action.USER_EDIT)
        wanted = tuple(dict.fromkeys(grants))
        errors = Errors()
        _check_grants(errors, wanted)
        errors.raise_if_any()

        def work(session: Session) -> UserInfo:
            administrators = _administrators(session)
            user = _user(session, user_id)
            before = _shown_grants(user)
            if administrators == {user_id} and Grant(Role.ADMIN) not in wanted:
                raise LastAdministratorError
            kept = {Grant(row.role, row.scope): row for row in user.grants}
            for grant, row in kept.items():
                if grant not in wanted:
                    user.grants.remove(row)
            for grant in wanted:
                if grant not in kept:
                    user.grants.append(RoleGrant(role=grant.role, scope=grant.scope, granted_at=self._clock()))
            session.flush()
            self._note(session, actor, "user.grants", user, {"grants": before}, {"grants": _shown_grants(user)}, reason)
            return _user_info(user)

        return self._database.write(work)

    def set_active(self, actor: Actor, user_id: int, active: bool, reason: str = "") -> UserInfo:
        """Open or close an account; closing ends its log-ins, and its tokens no longer work.

        Raises:
            LastAdministratorError: nobody would be administrator.
        """
        authorize(actor, Action.USER_EDIT)

        def work(session: Session) -> UserInfo:
            administrators = _administrators(session)
            user = _user(session, user_id)
            if administrators == {user_id} and not active:
                raise LastAdministratorError
            before = user.state.value
            user.state = UserState.ACTIVE if active else UserState.DISABLED
            if not active:
                self._end_log_ins(session, user_id)
            self._note(session, actor, "user.state", user, {"state": before}, {"state": user.state.value}, reason)
            return _user_info(user)

        return self._database.write(work)

    def change_password(self, actor: Actor, user_id: int, current: str, new: str) -> None:
        """Change a password; every log-in of the user ends.

        Args:
            actor: the user, who gives the current password, or somebody who may edit users.
            user_id: whose.
            current: the present password; not looked at where somebody else changes it.
            new: the next one.

        Raises:
            InvalidInputError: the current one is wrong (field `current`), or the new one breaks a rule (field `password`).
        """
        own = _is_self(actor, user_id)
        if not own:
            authorize(actor, Action.USER_EDIT)
        with self._database.read() as session:
            user = _user(session, user_id)
            name, stored = user.name, user.password_hash
        errors = Errors()
        _check_password(errors, new, name)
        if own and not self._matches(stored, current):
            errors.add("current", Message("is not your password"))
        errors.raise_if_any()
        hashed = self._hasher.hash(new)

        def work(session: Session) -> None:
            user = _user(session, user_id)
            user.password_hash = hashed
            self._end_log_ins(session, user_id)
            self._note(session, actor, "user.password", user, None, None, "")

        self._database.write(work)

    def set_preferences(self, actor: Actor, user_id: int, *, language: str, theme: str) -> UserInfo:
        """Keep a person's language and theme; empty follows browser and system."""
        if not _is_self(actor, user_id):
            authorize(actor, Action.USER_EDIT)
        errors = Errors()
        errors.check(language in ("", *LANGUAGES), "language", Message("must be one of en, nl or empty"))
        errors.check(theme in ("", *THEMES), "theme", Message("must be light, dark or empty"))
        errors.raise_if_any()

        def work(session: Session) -> UserInfo:
            user = _user(session, user_id)
            before = {"language": user.language, "theme": user.theme}
            user.language, user.theme = language or None, theme or None
            self._note(session, actor, "user.preferences", user, before, {"language": user.language, "theme": user.theme}, "")
            return _user_info(user)

        return self._database.write(work)

    # --- log-ins ---

    def log_in(self, name: str, password: str, *, address: str | None, user_agent: str = "", request_id: str | None = None) -> LoggedIn:
        """Sign a person in.

        Args:
            name, password: as typed.
            address: the network address it came from.
            user_agent: what the browser calls itself.
            request_id: the id of the request.

        Returns:
            The log-in, with the random id for the cookie.

        Raises:
            LogInThrottledError: too many failed attempts for this name or from this address.
            LogInError: they do not fit, or the account is closed; which of both is not told.
        """
        now = self._clock()
        with self._database.read() as session:
            user = session.scalar(select(User).where(User.name == name.strip().lower()[:64]))
            user_id = None if user is None else user.id
            stored = None if user is None or user.state is not UserState.ACTIVE else user.password_hash
            self._throttle(session, user, address, now)
        if not self._matches(stored, password):
            self._note_failure(user_id, address, request_id)
            raise LogInError("name and password do not fit")
        cookie = self._secret()
        rehashed = self._hasher.hash(password) if stored is not None and self._hasher.check_needs_rehash(stored) else None

        def work(session: Session) -> LoggedIn:
            found = _user(session, user_id or 0)
            if rehashed is not None:
                found.password_hash = rehashed
            found.last_login_at = now
            row = Login(
                token_hash=hashlib.sha256(cookie.encode()).digest(),
                user=found,
                created_at=now,
                last_seen_at=now,
                expires_at=now + self._log_in_lifetime,
                address=address,
                user_agent=user_agent[:400],
            )
            session.add(row)
            session.flush()
            actor = _actor(found, address, request_id)
            self._note(session, actor, "login.made", found, None, {"login": row.id}, "")
            return LoggedIn(_user_info(found), _log_in_info(row), actor, cookie)

        return self._database.write(work)

    def resume(self, cookie: str, *, address: str | None, request_id: str | None = None) -> LoggedIn | None:
        """The log-in that a cookie names, or None: there is none, it ended, or the account is closed."""
        now = self._clock()
        with self._database.read() as session:
            row = self._log_in(session, cookie, now)
            if row is None:
                return None
            found = LoggedIn(_user_info(row.user), _log_in_info(row), _actor(row.user, address, request_id))
            seen = now - row.last_seen_at < _SEEN_INTERVAL

        def work(session: Session) -> None:
            again = session.get(Login, found.log_in.id)
            if again is not None:
                again.last_seen_at = now

        if not seen:
            self._database.write(work)
        return found

    def log_out(self, cookie: str) -> None:
        """End the log-in that a cookie names; a cookie without one is no error."""
        now = self._clock()

        def work(session: Session) -> None:
            row = self._log_in(session, cookie, now)
            if row is not None:
                row.revoked_at = now
                self._note(session, _actor(row.user, row.address, None), "login.ended", row.user, {"login": row.id}, None, "")

        self._database.write(work)

    def list_log_ins(self, actor: Actor, user_id: int) -> tuple[LogInInfo, ...]:
        """Where a user is signed in now, newest first; everybody may see the own."""
        if not _is_self(actor, user_id):
            authorize(actor, Action.USER_VIEW)
        with self._database.read() as session:
            rows = session.scalars(
                select(Login)
                .where(Login.user_id == user_id, Login.revoked_at.is_(None), Login.expires_at > self._clock())
                .order_by(Login.id.desc())
            )
            return tuple(_log_in_info(row) for row in rows)

    def revoke_log_in(self, actor: Actor, log_in_id: int) -> None:
        """End a log-in; everybody may end the own."""

        def work(session: Session) -> None:
            row = session.get(Login, log_in_id)
            if row is None or not (_is_self(actor, row.user_id) or may_anywhere(actor, Action.USER_EDIT)):
                raise NotFoundError("log-in", log_in_id)
            if not _is_self(actor, row.user_id):
                authorize(actor, Action.USER_EDIT)
            if row.revoked_at is None:
                row.revoked_at = self._clock()
                self._note(session, actor, "login.revoked", row.user, {"login": row.id}, None, "")

        self._database.write(work)

    # --- API tokens ---

    def create_api_token(self, actor: Actor, new: NewApiToken, user_id: int | None = None) -> CreatedApiToken:
        """Make a token; its secret is in the answer and nowhere else.

        Args:
            actor: a person, for the own tokens, or somebody who may edit users. A token makes no token.
            new: what it is for and may do.
            user_id: for whom it acts; None for the actor.

        Raises:
            InvalidInputError: a field breaks a rule, or an action is more than the user's roles allow.
        """
        owner_id = user_id if user_id is not None else actor.user_id
        if owner_id is None or actor.kind is ActorKind.TOKEN:
            raise PermissionDeniedError(actor, Action.USER_EDIT, (EVERYTHING,), "a token belongs to a person, and only people make them")
        if owner_id != actor.user_id:
            authorize(actor, Action.USER_EDIT)
        secret = f"irmahub_{self._secret()}"
        token_hash = self._hash(secret)
        now = self._clock()

        def work(session: Session) -> CreatedApiToken:
            owner = _user(session, owner_id)
            errors = Errors()
            errors.check(0 < len(new.name.strip()) <= 100, "name", Message("must have 1 to 100 characters"))
            errors.check(1 <= new.lifetime_days <= 365, "lifetime_days", Message("must be a number of days from 1 to 365"))
            errors.check(bool(new.actions), "actions", Message("must name at least one action"))
            known = {action.value for action in Action}
            for action in new.actions:
                if action not in known:
                    errors.add("actions", Message("%(action)s is no action", action=action))
                elif not may_anywhere(_actor(owner, None, None), Action(action)):
                    errors.add("actions", Message("%(action)s is more than the roles of %(user)s allow", action=action, user=owner.name))
            taken = select(ApiToken.id).where(
                ApiToken.user_id == owner.id,
                ApiToken.name == new.name.strip(),
                ApiToken.revoked_at.is_(None),
                ApiToken.expires_at > now,
            )
            errors.check(session.scalar(taken) is None, "name", Message("is the name of another valid token"))
            errors.raise_if_any()
            row = ApiToken(
                name=new.name.strip(),
                user=owner,
                token_hash=token_hash,
                actions=sorted(set(new.actions)),
                created_at=now,
                expires_at=now + timedelta(days=new.lifetime_days),
            )
            session.add(row)
            session.flush()
            self._note(session, actor, "token.create", owner, None, {"token": row.name, "actions": row.actions}, "")
            return CreatedApiToken(_token_info(row), secret)

        return self._database.write(work)

    def list_api_tokens(self, actor: Actor, user_id: int | None = None) -> tuple[ApiTokenInfo, ...]:
        """A user's tokens, newest first; without a user those of everybody. Everybody may see the own."""
        if user_id is None or not _is_self(actor, user_id):
            authorize(actor, Action.USER_VIEW)
        query = select(ApiToken).options(joinedload(ApiToken.user)).order_by(ApiToken.id.desc())
        with self._database.read() as session:
            rows = session.scalars(query if user_id is None else query.where(ApiToken.user_id == user_id))
            return tuple(_token_info(row) for row in rows)

    def revoke_api_token(self, actor: Actor, token_id: int, reason: str = "") -> None:
        """End a token; everybody may end the own."""

        def work(session: Session) -> None:
            row = session.get(ApiToken, token_id)
            if row is None or not (_is_self(actor, row.user_id) or may_anywhere(actor, Action.USER_EDIT)):
                raise NotFoundError("token", token_id)
            if not _is_self(actor, row.user_id):
                authorize(actor, Action.USER_EDIT)
            if row.revoked_at is None:
                row.revoked_at = self._clock()
                self._note(session, actor, "token.revoke", row.user, {"token": row.name}, None, reason)

        self._database.write(work)

    def authenticate_token(self, secret: str, *, address: str | None, request_id: str | None = None) -> Actor:
        """Who a bearer token acts for: its user's roles, and no more than the token's actions.

        Raises:
            LogInError: it is unknown, revoked or expired, or its user's account is closed.
        """
        now = self._clock()
        token_hash = self._hash(secret)
        with self._database.read() as session:
            row = session.scalar(select(ApiToken).options(joinedload(ApiToken.user)).where(ApiToken.token_hash == token_hash))
            if row is None or row.revoked_at is not None or row.expires_at <= now or row.user.state is not UserState.ACTIVE:
                raise LogInError("the token is unknown, revoked or expired")
            person = _actor(row.user, address, request_id)
            actor = Actor(
                ActorKind.TOKEN, f"{row.user.name}/{row.name}", person.grants, row.user_id, address, request_id, frozenset(row.actions)
            )
            token_id = row.id
            seen = row.last_used_at is not None and now - row.last_used_at < _SEEN_INTERVAL

        def work(session: Session) -> None:
            again = session.get(ApiToken, token_id)
            if again is not None:
                again.last_used_at = now

        if not seen:
            self._database.write(work)
        return actor

    # --- inside ---

    def _create(self, actor: Actor, new: NewUser, reason: str, precondition: Callable[[Session], None] | None = None) -> UserInfo:
        name = new.name.strip().lower()
        errors = Errors()
        errors.check(_USER_NAME.match(name) is not None, "name", Message("must have 1 to 64 letters, digits or . _ @ -"))
        errors.check(0 < len(new.display_name.strip()) <= 100, "display_name", Message("must have 1 to 100 characters"))
        errors.check(not new.email or re.match(r"[^@\s]+@[^@\s]+\Z", new.email) is not None, "email", Message("must be a mail address"))
        errors.check(len(new.email) <= 254, "email", Message("must have at most 254 characters"))
        errors.check(new.language in ("", *LANGUAGES), "language", Message("must be one of en, nl or empty"))
        _check_password(errors, new.password, name)
        _check_grants(errors, new.grants)
        errors.raise_if_any()
        hashed = self._hasher.hash(new.password)
        now = self._clock()

        def work(session: Session) -> UserInfo:
            if precondition is not None:
                precondition(session)
            taken = Errors()
            taken.check(session.scalar(select(User.id).where(User.name == name)) is None, "name", Message("is taken"))
            taken.raise_if_any()
            user = User(
                name=name,
                display_name=new.display_name.strip(),
                email=new.email or None,
                password_hash=hashed,
                state=UserState.ACTIVE,
                language=new.language or None,
                created_at=now,
                grants=[RoleGrant(role=grant.role, scope=grant.scope, granted_at=now) for grant in dict.fromkeys(new.grants)],
            )
            session.add(user)
            session.flush()
            after = {"name": name, "display_name": user.display_name, "email": user.email, "grants": _shown_grants(user)}
            self._note(session, actor, "user.create", user, None, after, reason)
            return _user_info(user)

        return self._database.write(work)

    def _throttle(self, session: Session, user: User | None, address: str | None, now: datetime) -> None:
        """Demand that another attempt may be made now."""
        failed = select(func.count(), func.max(AuditEntry.at)).where(AuditEntry.action == _LOG_IN_FAILED, AuditEntry.at > now - _WINDOW)
        if user is not None:
            since = failed.where(AuditEntry.object == f"user:{user.name}")
            if user.last_login_at is not None:
                since = since.where(AuditEntry.at > user.last_login_at)
            count, last = session.execute(since).one()
            if count > _FREE_FAILURES:
                wait = min(2 ** min(count - _FREE_FAILURES, 10), _LONGEST_WAIT_SECONDS)
                left = wait - (now - last).total_seconds()
                if left > 0:
                    raise LogInThrottledError(int(left) + 1)
        if address is not None:
            count, _ = session.execute(failed.where(AuditEntry.address == address)).one()
            if count >= _FAILURES_PER_ADDRESS:
                raise LogInThrottledError(int(_WINDOW.total_seconds()))

    def _note_failure(self, user_id: int | None, address: str | None, request_id: str | None) -> None:
        """Write a failed attempt. A name that nobody has is not kept: people type passwords there."""

        def work(session: Session) -> None:
            user = None if user_id is None else session.get(User, user_id)
            name = "unknown" if user is None else user.name
            actor = Actor(ActorKind.USER, name, (), user_id, address, request_id)
            self._audit.record(session, actor, _LOG_IN_FAILED, f"user:{name}")

        self._database.write(work)

    def _matches(self, stored: str | None, password: str) -> bool:
        """Compare a password with a stored hash; without one it costs the same and never fits."""
        try:
            self._hasher.verify(stored or self._nobody, password[:200])
        except (VerifyMismatchError, InvalidHashError):
            return False
        return stored is not None

    def _log_in(self, session: Session, cookie: str, now: datetime) -> Login | None:
        digest = hashlib.sha256(cookie.encode(errors="replace")).digest()
        row = session.scalar(select(Login).options(joinedload(Login.user).selectinload(User.grants)).where(Login.token_hash == digest))
        if row is None or row.revoked_at is not None or row.expires_at <= now or row.user.state is not UserState.ACTIVE:
            return None
        return row

    def _end_log_ins(self, session: Session, user_id: int) -> None:
        for row in session.scalars(select(Login).where(Login.user_id == user_id, Login.revoked_at.is_(None))):
            row.revoked_at = self._clock()

    def _secret(self) -> str:
        """256 random bits in letters that need no escaping."""
        return base64.urlsafe_b64encode(int(self._randomness.bits(256)).to_bytes(32)).rstrip(b"=").decode()

    def _hash(self, secret: str) -> bytes:
        return hash_token(secret, self._pepper())

    def _note(
        self,
        session: Session,
        actor: Actor,
        action: str,
        user: User,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
        reason: str,
    ) -> None:
        self._audit.record(session, actor, action, f"user:{user.name}", before=before, after=after, reason=reason)


def _is_self(actor: Actor, user_id: int) -> bool:
    """Whether a person acts on the own account. A token is not its person: what it may do was named when it was made."""
    return actor.kind is ActorKind.USER and actor.user_id == user_id


def _user(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise NotFoundError("user", user_id)
    return user


def _administrators(session: Session) -> set[int]:
    """The ids of the active users with the role admin for everything, locked until the transaction ends."""
    rows = session.scalars(select(User).where(User.state == UserState.ACTIVE).order_by(User.id).with_for_update())
    return {user.id for user in rows if any(row.role is Role.ADMIN and row.scope == EVERYTHING for row in user.grants)}


def _check_password(errors: Errors, password: str, name: str) -> None:
    errors.check(12 <= len(password) <= 200, "password", Message("must have 12 to 200 characters"))
    errors.check(password.lower() != name, "password", Message("must not be the name"))


def _check_grants(errors: Errors, grants: Sequence[Grant]) -> None:
    for grant in grants:
        errors.check(
            _SCOPE.match(grant.scope) is not None,
            "grants",
            Message("%(scope)s is no scope: it must be *, scheme:ID, issuer:ID or organisation:NUMBER", scope=grant.scope),
        )


def _actor(user: User, address: str | None, request_id: str | None) -> Actor:
    grants = tuple(Grant(row.role, row.scope) for row in sorted(user.grants, key=lambda row: (row.role.value, row.scope)))
    return Actor(ActorKind.USER, user.name, grants, user.id, address, request_id)


def _shown_grants(user: User) -> list[str]:
    return sorted(f"{row.role.value} {row.scope}" for row in user.grants)


def _user_info(user: User) -> UserInfo:
    return UserInfo(
        user.id,
        user.name,
        user.display_name,
        user.email or "",
        _actor(user, None, None).grants,
        user.language or "",
        user.theme or "",
        user.state is UserState.ACTIVE,
        user.created_at,
        user.last_login_at,
    )


def _log_in_info(row: Login) -> LogInInfo:
    return LogInInfo(row.id, row.user_id, row.created_at, row.last_seen_at, row.expires_at, row.address, row.user_agent or "")


def _token_info(row: ApiToken) -> ApiTokenInfo:
    return ApiTokenInfo(
        row.id, row.name, row.user_id, row.user.name, tuple(row.actions), row.created_at, row.expires_at, row.last_used_at, row.revoked_at
    )

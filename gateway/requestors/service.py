"""Requestors: registering them, their keys and permissions, and the snapshot that the gateway answers from."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from idemix.clock import Clock, system_clock
from idemix.scheme.configuration import Configuration

from ..actor import Actor
from ..audit.service import Audit
from ..authorization import Action, authorize, may_anywhere, organisation_scope, organisations_within
from ..changes import Changes, Topic, announce
from ..custody.errors import CustodyError
from ..custody.service import Custody
from ..database import Database
from ..inputs import ConflictError, Errors, InvalidInputError, Message, NotFoundError, demand_reason, demand_valid
from ..models import (
    AuthMethod,
    EnvelopeKind,
    GlobalPermission,
    Organisation,
    PermissionKind,
    Requestor,
    RequestorKey,
    RequestorPermission,
    RequestorState,
    RequestorUsage,
)
from ..permissions import BadPatternError, Permissions, compile_host_pattern, validate_permissions
from .constraints import NO_CONSTRAINTS, Constraints
from .directory import DirectoryKey, DirectoryRequestor, RequestorDirectory
from .key_material import KeyMaterial, published_keys, read_or_make, read_public_key
from .limits import NO_LIMITS, Limits
from .models import CreatedKey, DayUsage, KeyInfo, NewKey, NewRequestor, RequestorDetails, RequestorInfo, check_pattern

_log = logging.getLogger(__name__)

LONGEST_LABEL: Final = 100
LONGEST_KID: Final = 100


class Requestors:
    """The requestors of an installation.

    Args:
        database, audit: where they and their audit entries are written.
        custody: seals HMAC secrets and has the pepper of token hashes.
        configuration: gives the loaded schemes, which the identifiers of new permissions must exist in; None where no schemes are
            at hand, and then only the form of a permission is checked.
        clock: tells the time.
    """

    def __init__(
        self,
        database: Database,
        audit: Audit,
        custody: Custody,
        *,
        configuration: Callable[[], Configuration] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._database = database
        self._audit = audit
        self._custody = custody
        self._configuration = configuration
        self._clock = clock
        self._snapshot: RequestorDirectory | None = None
        self._loaded: dict[str, tuple[int, DirectoryRequestor]] = {}
        self._lock = threading.Lock()

    # Reading.

    def get(self, actor: Actor, name: str) -> RequestorInfo:
        """Look at a requestor.

        Raises:
            PermissionDeniedError: the actor may not see it.
            NotFoundError: there is no such requestor.
        """
        with self._database.read() as session:
            info = _info(_row(session, name))
        authorize(actor, Action.REQUESTOR_VIEW, info.scope)
        return info

    def list(
        self,
        actor: Actor,
        *,
        search: str = "",
        state: RequestorState | None = None,
        after: str = "",
        limit: int = 50,
    ) -> tuple[RequestorInfo, ...]:
        """List the requestors that the actor may see, by name.

        Args:
            actor: who looks.
            search: a part of name or contact; case does not count.
            state: only those in this state.
            after: for the next page, the last name of this one.
            limit: of the page, at most 1000.

        Raises:
            PermissionDeniedError: the actor may see none, wherever.
        """
        query = self._visible(actor).where(Requestor.name > after).order_by(Requestor.name).limit(min(limit, 1000))
        if search:
            part = f"%{_escaped(search.lower())}%"
            found = func.lower(Requestor.name).like(part, escape="\\") | func.lower(Requestor.contact).like(part, escape="\\")
            query = query.where(found)
        if state is not None:
            query = query.where(Requestor.state == state)
        with self._database.read() as session:
            return tuple(_info(row) for row in session.scalars(query))

    def count(self, actor: Actor) -> int:
        """How many requestors the actor may see.

        Raises:
            PermissionDeniedError: the actor may see none, wherever.
        """
        query = select(func.count()).select_from(self._visible(actor).with_only_columns(Requestor.id).order_by(None).subquery())
        with self._database.read() as session:
            return session.scalar(query) or 0

    def global_permissions(self, actor: Actor) -> Permissions:
        """The permissions that every requestor has.

        Raises:
            PermissionDeniedError: the actor may see no requestor, wherever. Who may see one may see these, since that one has them.
        """
        if not may_anywhere(actor, Action.REQUESTOR_VIEW):
            authorize(actor, Action.REQUESTOR_VIEW)
        with self._database.read() as session:
            return _global_permissions(session)

    # Writing.

    def create(self, actor: Actor, new: NewRequestor, *, reason: str | None = None) -> RequestorInfo:
        """Register a requestor, as a draft: it can start no session before it is activated.

        Raises:
            PermissionDeniedError: the actor may not, in that organisation.
            InvalidInputError: a field breaks a rule, or the name is taken.
        """
        authorize(actor, Action.REQUESTOR_EDIT, organisation_scope(new.details.organisation_id))
        demand_valid(new)

        def work(session: Session) -> RequestorInfo:
            _check_organisation(session, new.details.organisation_id)
            now = self._clock()
            row = Requestor(
                name=new.name,
                contact=new.details.contact,
                organisation_id=new.details.organisation_id,
                state=RequestorState.DRAFT,
                created_at=now,
                updated_at=now,
                version=1,
            )
            session.add(row)
            session.flush()
            self._record(session, actor, Action.REQUESTOR_EDIT, row, None, _fields(row), reason)
            return _info(row)

        try:
            return self._database.write(work)
        except IntegrityError as error:
            raise InvalidInputError({"name": Message("is the name of another requestor")}) from error

    def update(
        self, actor: Actor, name: str, details: RequestorDetails, *, version: int | None = None, reason: str | None = None
    ) -> RequestorInfo:
        """Change the details of a requestor.

        Args:
            actor: who changes.
            name: which requestor.
            details: all of them, as they shall be.
            version: the one that the actor saw; None to change whatever there is.
            reason: for the audit.

        Raises:
            PermissionDeniedError: the actor may not, in the organisation it has or the one it shall have.
            InvalidInputError: a field breaks a rule.
            NotFoundError: there is no such requestor.
            ConflictError: it was changed since.
        """
        authorize(actor, Action.REQUESTOR_EDIT, organisation_scope(details.organisation_id))
        demand_valid(details)

        def change(session: Session, row: Requestor) -> None:
            _check_organisation(session, details.organisation_id)
            row.contact, row.organisation_id = details.contact, details.organisation_id

        return self._change(actor, Action.REQUESTOR_EDIT, name, change, version=version, reason=reason)

    def activate(self, actor: Actor, name: str, *, reason: str | None = None) -> RequestorInfo:
        """Let a requestor start sessions, within a second, in every process.

        Raises:
            PermissionDeniedError, NotFoundError: as for `update`.
        """

        def change(_session: Session, row: Requestor) -> None:
            row.state, row.suspended_reason = RequestorState.ACTIVE, None

        return self._change(actor, Action.REQUESTOR_SUSPEND, name, change, reason=reason)

    def suspend(self, actor: Actor, name: str, *, reason: str) -> RequestorInfo:
        """Refuse a requestor new sessions, within a second, in every process.

        Raises:
            PermissionDeniedError, NotFoundError: as for `update`.
            InvalidInputError: there is no reason.
        """
        demand_reason(reason)

        def change(_session: Session, row: Requestor) -> None:
            row.state, row.suspended_reason = RequestorState.SUSPENDED, reason

        return self._change(actor, Action.REQUESTOR_SUSPEND, name, change, reason=reason)

    def delete(self, actor: Actor, name: str, *, reason: str) -> None:
        """Remove a requestor with its keys and permissions; audit and archive keep its name.

        Raises:
            PermissionDeniedError, NotFoundError: as for `update`.
            InvalidInputError: there is no reason.
            ConflictError: it is active; suspend it first.
        """
        demand_reason(reason)

        def work(session: Session) -> None:
            row = _row(session, name, lock=True)
            authorize(actor, Action.REQUESTOR_EDIT, organisation_scope(row.organisation_id))
            if row.state is RequestorState.ACTIVE:
                raise ConflictError(f"requestor {name} is active; suspend it first")
            before = _fields(row)
            envelopes = [key.envelope_id for key in row.keys if key.envelope_id is not None]
            session.delete(row)
            session.flush()
            for envelope_id in envelopes:
                self._custody.envelopes.discard(session, envelope_id)
            self._audit.record(session, actor, Action.REQUESTOR_EDIT, f"requestor:{name}", before=before, reason=reason)
            announce(session, Topic.REQUESTORS, self._clock)

        self._database.write(work)

    def add_key(self, actor: Actor, name: str, new: NewKey, *, reason: str | None = None) -> CreatedKey:
        """Add a key; the others stay valid, so that a requestor changes keys without an interruption.

        Returns:
            The key, with the token or secret where it was made here; it cannot be shown again.

        Raises:
            PermissionDeniedError, NotFoundError: as for `update`.
            InvalidInputError: a field breaks a rule, or the key belongs to a requestor already.
        """
        errors = Errors()
        errors.check(len(new.label) <= LONGEST_LABEL, "label", Message("must have at most %(limit)d characters", limit=LONGEST_LABEL))
        errors.check(new.label.isprintable(), "label", Message("must not have control characters"))
        now = self._clock()
        errors.check(new.expires_at is None or new.expires_at > now, "expires_at", Message("must lie in the future"))
        in_order = new.not_before is None or new.expires_at is None or new.not_before < new.expires_at
        errors.check(in_order, "expires_at", Message("must be later than the beginning"))
        kid = Message("must have at most %(limit)d printable characters", limit=LONGEST_KID)
        errors.check(len(new.kid) <= LONGEST_KID and new.kid.isprintable(), "kid", kid)
        errors.check(not new.kid or new.method is not AuthMethod.TOKEN, "kid", Message("has no meaning for a token"))
        if new.jwks_url:
            errors.check(new.method is AuthMethod.PUBLICKEY, "jwks_url", Message("holds public keys alone"))
            errors.check(not new.material, "jwks_url", Message("comes instead of a key, not beside one"))
            errors.check(not new.kid, "kid", Message("is given by the published keys themselves"))
        errors.raise_if_any()
        pepper = self._custody.pepper()
        material = published_keys(new.jwks_url) if new.jwks_url else read_or_make(new.method, new.material, pepper=pepper)
        added: list[KeyInfo] = []

        def change(session: Session, row: Requestor) -> None:
            added[:] = [self._add_key(session, row, new, material, now)]

        try:
            self._change(actor, Action.REQUESTOR_KEYS, name, change, reason=reason)
        except IntegrityError as error:
            raise InvalidInputError({"material": Message("is the token of a requestor already")}) from error
        return CreatedKey(added[0], material.made, material.warnings)

    def _add_key(self, session: Session, row: Requestor, new: NewKey, material: KeyMaterial, now: datetime) -> KeyInfo:
        if any(key.fingerprint == material.fingerprint and key.revoked_at is None for key in row.keys):
            raise InvalidInputError({"jwks_url" if material.jwks_url else "material": Message("is a key of this requestor already")})
        kid = new.kid or material.kid
        if kid is not None and (len(kid) > LONGEST_KID or not kid.isprintable()):
            raise InvalidInputError({"kid": Message("must have at most %(limit)d printable characters", limit=LONGEST_KID)})
        if kid is not None and any(key.kid == kid and key.revoked_at is None for key in row.keys):
            raise InvalidInputError({"kid": Message("is the name of another key of this requestor")})
        envelope_id = None
        if material.secret is not None:
            envelope_id = self._custody.envelopes.seal(
                session, EnvelopeKind.HMAC_SECRET, f"requestor:{row.id}", material.secret, fingerprint=material.fingerprint
            )
        key = RequestorKey(
            label=new.label,
            method=new.method,
            token_hash=material.token_hash,
            envelope_id=envelope_id,
            public_key=material.public_key,
            jwks_url=material.jwks_url,
            algorithm=material.algorithm,
            kid=kid,
            fingerprint=material.fingerprint,
            weak=bool(material.warnings),
            created_at=now,
            not_before=new.not_before,
            expires_at=new.expires_at,
        )
        row.keys.append(key)
        session.flush()
        return _key_info(key)

    def revoke_key(self, actor: Actor, name: str, key_id: int, *, reason: str | None = None) -> RequestorInfo:
        """Make a key invalid for good, within a second, in every process; its secret is destroyed.

        Raises:
            PermissionDeniedError: the actor may not.
            NotFoundError: there is no such requestor, or it has no such key.
        """

        def change(session: Session, row: Requestor) -> None:
            key = next((key for key in row.keys if key.id == key_id), None)
            if key is None:
                raise NotFoundError("key", key_id)
            if key.revoked_at is None:
                key.revoked_at = self._clock()
                envelope_id, key.envelope_id = key.envelope_id, None
                session.flush()
                if envelope_id is not None:
                    self._custody.envelopes.discard(session, envelope_id)

        return self._change(actor, Action.REQUESTOR_KEYS, name, change, reason=reason)

    def set_permissions(
        self, actor: Actor, name: str, permissions: Permissions, *, version: int | None = None, reason: str | None = None
    ) -> RequestorInfo:
        """Replace the permissions of a requestor.

        Raises:
            PermissionDeniedError, NotFoundError, ConflictError: as for `update`.
            InvalidInputError: at the field of a kind, a pattern that it did not have yet and that breaks a rule.
        """
        self._check_form(permissions)

        def change(session: Session, row: Requestor) -> None:
            present = _permissions(row.permissions)
            self._check_existence(name, _without(permissions, present))
            wanted = {(kind, pattern) for kind in PermissionKind for pattern in _of(permissions, kind)}
            for held in tuple(row.permissions):
                if (held.kind, held.pattern) in wanted:
                    wanted.discard((held.kind, held.pattern))
                else:
                    row.permissions.remove(held)
            row.permissions.extend(
                RequestorPermission(kind=kind, pattern=pattern) for kind, pattern in sorted(wanted, key=lambda one: (one[0].value, one[1]))
            )
            session.flush()
            session.refresh(row, ["permissions"])

        return self._change(actor, Action.REQUESTOR_PERMISSIONS, name, change, version=version, reason=reason)

    def check_permissions(self, name: str, permissions: Permissions) -> None:
        """Look at permissions before they are given.

        Args:
            name: of the requestor, for the messages.
            permissions: all of them are looked at, whether or not it has them.

        Raises:
            InvalidInputError: at the field of a kind, a pattern that breaks a rule.
        """
        self._check_form(permissions)
        self._check_existence(name, permissions)

    def set_global_permissions(self, actor: Actor, permissions: Permissions, *, reason: str | None = None) -> Permissions:
        """Replace the permissions that every requestor has.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: at the field of a kind.
        """
        authorize(actor, Action.REQUESTOR_PERMISSIONS)
        if permissions.host:
            raise InvalidInputError({PermissionKind.HOST.value: Message("has no effect for all requestors; give it to one")})
        self._check_form(permissions)

        def work(session: Session) -> Permissions:
            present = _global_permissions(session)
            self._check_existence("", _without(permissions, present))
            session.execute(delete(GlobalPermission))
            for kind in PermissionKind:
                session.add_all(GlobalPermission(kind=kind, pattern=pattern) for pattern in sorted(set(_of(permissions, kind))))
            session.flush()
            after = _global_permissions(session)
            self._audit.record(
                session,
                actor,
                Action.REQUESTOR_PERMISSIONS,
                "requestors",
                before=_permission_fields(present),
                after=_permission_fields(after),
                reason=reason,
            )
            announce(session, Topic.REQUESTORS, self._clock)
            return after

        return self._database.write(work)

    def set_limits(
        self, actor: Actor, name: str, limits: Limits, *, version: int | None = None, reason: str | None = None
    ) -> RequestorInfo:
        """Replace the limits of a requestor; they hold within a second, in every process.

        Raises:
            PermissionDeniedError, NotFoundError, ConflictError: as for `update`.
            InvalidInputError: a field breaks a rule.
        """
        demand_valid(limits)

        def change(_session: Session, row: Requestor) -> None:
            row.limits = limits.to_json()

        return self._change(actor, Action.REQUESTOR_PERMISSIONS, name, change, version=version, reason=reason)

    def set_constraints(
        self, actor: Actor, name: str, constraints: Constraints, *, version: int | None = None, reason: str | None = None
    ) -> RequestorInfo:
        """Replace the constraints of a requestor; they hold within a second, in every process.

        Raises:
            PermissionDeniedError, NotFoundError, ConflictError: as for `update`.
            InvalidInputError: a field breaks a rule.
        """
        demand_valid(constraints)

        def change(_session: Session, row: Requestor) -> None:
            row.constraints = constraints.to_json()

        return self._change(actor, Action.REQUESTOR_PERMISSIONS, name, change, version=version, reason=reason)

    def usage(self, actor: Actor, name: str, since: date, until: date) -> tuple[DayUsage, ...]:
        """How often a requestor asked for sessions, by day and type; days without any are left out.

        Args:
            actor: who looks.
            name: which requestor.
            since, until: days in UTC, both included.

        Raises:
            PermissionDeniedError, NotFoundError: as for `get`.
        """
        self.get(actor, name)
        query = select(RequestorUsage).where(RequestorUsage.requestor_name == name, RequestorUsage.day.between(since, until))
        with self._database.read() as session:
            return tuple(
                DayUsage(row.day, row.requestor_name, row.action, row.started, row.refused, row.limited)
                for row in session.scalars(query.order_by(RequestorUsage.day, RequestorUsage.action))
            )

    def add_usage(self, counts: Mapping[tuple[date, str, str], tuple[int, int, int]]) -> None:
        """Add to the usage, in one batch.

        Args:
            counts: by day, requestor and type of session: how many were started, refused and limited.
        """
        if not counts:
            return
        insert = sqlite_insert if self._database.is_sqlite else postgresql_insert
        # In one order everywhere, so that two processes never wait for each other.
        rows = [
            {"day": day, "requestor_name": name, "action": action, "started": started, "refused": refused, "limited": limited}
            for (day, name, action), (started, refused, limited) in sorted(counts.items())
        ]
        statement = insert(RequestorUsage)
        added = {column: getattr(RequestorUsage, column) + statement.excluded[column] for column in ("started", "refused", "limited")}
        upsert = statement.on_conflict_do_update(index_elements=["day", "requestor_name", "action"], set_=added)
        self._database.write(lambda session: session.execute(upsert, rows))

    def keys_used(self, used: Mapping[int, datetime]) -> None:
        """Note when keys were last used, in one batch; keys of the configuration, which have no row, are left out."""

        def work(session: Session) -> None:
            for row in session.scalars(
                select(RequestorKey).where(RequestorKey.id.in_(list(used))).order_by(RequestorKey.id).with_for_update()
            ):
                if row.last_used_at is None or row.last_used_at < used[row.id]:
                    row.last_used_at = used[row.id]

        if any(used):
            self._database.write(work)

    # The snapshot.

    def watch(self, changes: Changes) -> None:
        """Have the snapshot follow every change, in the thread of `changes`."""
        changes.on(Topic.REQUESTORS, self.refresh)

    def snapshot(self) -> RequestorDirectory:
        """All active requestors, without a query; loaded at the first call, and anew by `refresh`."""
        if self._snapshot is None:
            self.refresh()
        snapshot = self._snapshot
        if snapshot is None:
            raise AssertionError("a refresh makes a snapshot")
        return snapshot

    def refresh(self) -> None:
        """Load what changed. A requestor whose version is the loaded one is kept as it is."""
        with self._lock:
            with self._database.read() as session:
                versions = {
                    row.name: row.version
                    for row in session.execute(select(Requestor.name, Requestor.version).where(Requestor.state == RequestorState.ACTIVE))
                }
                suspended = {
                    row.name: row.suspended_reason or ""
                    for row in session.execute(
                        select(Requestor.name, Requestor.suspended_reason).where(Requestor.state == RequestorState.SUSPENDED)
                    )
                }
                loaded = {name: held for name, held in self._loaded.items() if versions.get(name) == held[0]}
                missing = sorted(versions.keys() - loaded.keys())
                for start in range(0, len(missing), 500):
                    query = select(Requestor).where(Requestor.name.in_(missing[start : start + 500])).options(*_WITH_ALL)
                    for row in session.scalars(query):
                        loaded[row.name] = (row.version, self._directory_requestor(session, row))
                global_permissions = _global_permissions(session)
            self._loaded = loaded
            self._snapshot = RequestorDirectory.of(
                (requestor for _, requestor in loaded.values()),
                pepper=self._custody.pepper(),
                global_permissions=global_permissions,
                suspended=suspended,
            )

    def _directory_requestor(self, session: Session, row: Requestor) -> DirectoryRequestor:
        keys = []
        for key in row.keys:
            if key.revoked_at is None:
                try:
                    keys.append(self._directory_key(session, key))
                except (CustodyError, ValueError) as error:
                    # This key is of no use; the other keys and requestors are.
                    _log.error("key %d of requestor %s cannot be used: %s", key.id, row.name, error)
        limits, constraints = Limits.from_json(row.limits), Constraints.from_json(row.constraints)
        return DirectoryRequestor(row.name, _permissions(row.permissions), tuple(keys), limits, constraints)

    def _directory_key(self, session: Session, key: RequestorKey) -> DirectoryKey:
        secret, public_key = None, None
        if key.envelope_id is not None:
            envelopes = self._custody.envelopes
            secret = envelopes.open(envelopes.get(session, key.envelope_id, EnvelopeKind.HMAC_SECRET))
        if key.public_key is not None:
            public_key = read_public_key(key.public_key)
        return DirectoryKey(
            key.id, key.method, key.token_hash, secret, public_key, key.jwks_url, key.kid, key.not_before, key.expires_at, key.revoked_at
        )

    # Common parts.

    def _visible(self, actor: Actor) -> Any:
        """Select what the actor may see: everything, or the requestors of its organisations."""
        query = select(Requestor).options(*_WITH_ALL)
        organisations = organisations_within(actor, Action.REQUESTOR_VIEW)
        return query if organisations is None else query.where(Requestor.organisation_id.in_(organisations))

    def _change(
        self,
        actor: Actor,
        action: Action,
        name: str,
        change: Callable[[Session, Requestor], None],
        *,
        version: int | None = None,
        reason: str | None = None,
    ) -> RequestorInfo:
        """Change a requestor under its lock, with the audit entry and the announcement that belong to it."""

        def work(session: Session) -> RequestorInfo:
            row = _row(session, name, lock=True)
            authorize(actor, action, organisation_scope(row.organisation_id))
            if version is not None and row.version != version:
                raise ConflictError(f"requestor {name} was changed meanwhile; look at it again")
            before = _fields(row)
            change(session, row)
            after = _fields(row)
            if after != before:
                row.version += 1
                row.updated_at = self._clock()
                session.flush()
                self._record(session, actor, action, row, before, after, reason)
            return _info(row)

        return self._database.write(work)

    def _record(
        self,
        session: Session,
        actor: Actor,
        action: Action,
        row: Requestor,
        before: dict[str, Any] | None,
        after: dict[str, Any],
        reason: str | None,
    ) -> None:
        self._audit.record(session, actor, action, f"requestor:{row.name}", before=before, after=after, reason=reason)
        announce(session, Topic.REQUESTORS, self._clock)

    def _check_form(self, permissions: Permissions) -> None:
        errors = Errors()
        for kind in PermissionKind:
            for pattern in _of(permissions, kind):
                check_pattern(errors, kind, pattern)
        for pattern in permissions.host:
            try:
                compile_host_pattern(pattern)
            except BadPatternError:
                errors.add(PermissionKind.HOST.value, Message("“%(pattern)s” is no pattern of a host", pattern=pattern))
        errors.raise_if_any()

    def _check_existence(self, name: str, added: Permissions) -> None:
        if self._configuration is None:
            return
        configuration = self._configuration()
        owner = f"Requestor {name}" if name else "Global"
        errors = Errors()
        for kind in (PermissionKind.DISCLOSE, PermissionKind.SIGN, PermissionKind.ISSUE, PermissionKind.REVOKE):
            only = replace(Permissions(), **{kind.value: _of(added, kind)})
            for problem in validate_permissions(owner, only, configuration, None):
                errors.add(kind.value, problem)
        errors.raise_if_any()


_WITH_ALL: Final = (selectinload(Requestor.keys), selectinload(Requestor.permissions))


def _row(session: Session, name: str, *, lock: bool = False) -> Requestor:
    query = select(Requestor).where(Requestor.name == name)
    row = session.scalar(query.with_for_update() if lock else query.options(*_WITH_ALL))
    if row is None:
        raise NotFoundError("requestor", name)
    return row


def _check_organisation(session: Session, organisation_id: int | None) -> None:
    if organisation_id is not None and session.get(Organisation, organisation_id) is None:
        raise InvalidInputError({"organisation": Message("is not known")})


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _of(permissions: Permissions, kind: PermissionKind) -> tuple[str, ...]:
    patterns: tuple[str, ...] = getattr(permissions, kind.value)
    return patterns


def _without(permissions: Permissions, present: Permissions) -> Permissions:
    return Permissions(
        **{kind.value: tuple(pattern for pattern in _of(permissions, kind) if pattern not in _of(present, kind)) for kind in PermissionKind}
    )


def _permissions(rows: Any) -> Permissions:
    return Permissions(**{kind.value: tuple(sorted(row.pattern for row in rows if row.kind is kind)) for kind in PermissionKind})


def _global_permissions(session: Session) -> Permissions:
    return _permissions(session.scalars(select(GlobalPermission)).all())


def _permission_fields(permissions: Permissions) -> dict[str, Any]:
    return {f"{kind.value}_perms": list(_of(permissions, kind)) for kind in PermissionKind}


def _fields(row: Requestor) -> dict[str, Any]:
    """What the audit compares; keys appear with their fingerprints."""
    fields: dict[str, Any] = {
        "contact": row.contact,
        "organisation_id": row.organisation_id,
        "state": row.state,
        "suspended_reason": row.suspended_reason,
    }
    fields |= _permission_fields(_permissions(row.permissions))
    # Only what differs from no limit and no constraint, so that the audit names what was set.
    for name, value, nothing in (
        ("limits", Limits.from_json(row.limits), NO_LIMITS),
        ("constraints", Constraints.from_json(row.constraints), NO_CONSTRAINTS),
    ):
        told, default = value.to_json(), nothing.to_json()
        # An empty list of addresses allows none, which is not nothing.
        fields |= {
            f"{name}.{setting}": "none" if told[setting] == () else told[setting] for setting in told if told[setting] != default[setting]
        }
    for key in row.keys:
        fields[f"key {key.id}"] = {
            "method": key.method.value,
            "label": key.label,
            "fingerprint": key.fingerprint,
            "algorithm": None if key.algorithm is None else key.algorithm.value,
            "kid": key.kid,
            "jwks_url": key.jwks_url,
            "not_before": key.not_before,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }
    return fields


def _key_info(key: RequestorKey) -> KeyInfo:
    return KeyInfo(
        id=key.id,
        method=key.method,
        label=key.label,
        fingerprint=key.fingerprint,
        weak=key.weak,
        public_key=key.public_key,
        jwks_url=key.jwks_url,
        algorithm=key.algorithm,
        kid=key.kid,
        created_at=key.created_at,
        not_before=key.not_before,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )


def _info(row: Requestor) -> RequestorInfo:
    return RequestorInfo(
        id=row.id,
        name=row.name,
        organisation_id=row.organisation_id,
        contact=row.contact,
        state=row.state,
        suspended_reason=row.suspended_reason,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        keys=tuple(_key_info(key) for key in row.keys),
        permissions=_permissions(row.permissions),
        limits=Limits.from_json(row.limits),
        constraints=Constraints.from_json(row.constraints),
    )

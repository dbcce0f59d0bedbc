"""The register of issuer keys: their making, their way through publication to use, and their private parts in envelopes."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idemix.arith.randomness import SYSTEM_RANDOM, RandomSource
from idemix.clock import Clock
from idemix.errors import MalformedError
from idemix.keys.generate import generate_key_pair
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.scheme.identifiers import IssuerId

from ..actor import Actor
from ..audit.service import Audit
from ..authorization import EVERYTHING, Action, authorize, issuer_scope
from ..changes import Topic, announce
from ..database import Database
from ..inputs import ConflictError, Errors, InvalidInputError, Message, NotFoundError, demand_reason
from ..models import EnvelopeKind, IssuerKey, IssuerKeyState
from .envelopes import Envelopes, StoredEnvelope
from .errors import UnknownKeyError
from .models import IssuerKeyInfo

#: State of an issuer key -> the states it may go to. Only an active key signs; retired is the end.
ISSUER_KEY_TRANSITIONS: Final = {
    IssuerKeyState.GENERATED: frozenset({IssuerKeyState.PUBLISHED}),
    IssuerKeyState.PUBLISHED: frozenset({IssuerKeyState.SEEN_LIVE, IssuerKeyState.RETIRED}),
    IssuerKeyState.SEEN_LIVE: frozenset({IssuerKeyState.ACTIVE, IssuerKeyState.RETIRED}),
    IssuerKeyState.ACTIVE: frozenset({IssuerKeyState.RETIRED}),
    IssuerKeyState.RETIRED: frozenset[IssuerKeyState](),
}

_STATE_TIMES: Final = {
    IssuerKeyState.PUBLISHED: "published_at",
    IssuerKeyState.SEEN_LIVE: "seen_live_at",
    IssuerKeyState.ACTIVE: "activated_at",
    IssuerKeyState.RETIRED: "retired_at",
}

#: A key that signs no more still revokes what it signed.
_REVOKING: Final = frozenset({IssuerKeyState.ACTIVE, IssuerKeyState.RETIRED})


class IssuerKeyRegister:
    """All issuer keys of an installation.

    Args:
        database, audit: where keys and audit entries are written.
        envelopes: hold the private keys.
        clock: tells the time.
    """

    def __init__(self, database: Database, envelopes: Envelopes, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._envelopes = envelopes
        self._audit = audit
        self._clock = clock

    def generate(
        self,
        actor: Actor,
        issuer_id: str,
        *,
        counter: int,
        modulus_bits: int,
        bases: int,
        expires_at: datetime,
        random: RandomSource = SYSTEM_RANDOM,
        progress: Callable[[float], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        reason: str | None = None,
    ) -> IssuerKeyInfo:
        """Make a key pair and take it into custody; it does not sign before it is published, seen live and activated.

        Args:
            actor: who asks.
            issuer_id: `scheme.issuer`.
            counter: the key's number; a free one.
            modulus_bits: 1024, 2048 or 4096.
            bases: one more than the longest credential has exponents: attributes + 2.
            expires_at: in whole seconds.
            random: the source of the primes and exponents.
            progress, is_cancelled: as `idemix.keys.generate.generate_key_pair` takes them.
            reason: for the audit.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: a field breaks a rule, or the counter is taken.
        """
        authorize(actor, Action.ISSUER_KEY_GENERATE, issuer_scope(issuer_id))
        errors = Errors()
        _check_issuer_id(errors, issuer_id)
        errors.check(counter >= 0, "counter", Message("must be 0 or higher"))
        errors.check(modulus_bits in (1024, 2048, 4096), "modulus_bits", Message("must be 1024, 2048 or 4096"))
        errors.check(3 <= bases <= 256, "bases", Message("must be from 3 to 256"))
        errors.check(expires_at > self._clock(), "expires_at", Message("must lie in the future"))
        errors.raise_if_any()
        with self._database.read() as session:
            if _row(session, issuer_id, counter) is not None:
                raise _counter_taken(issuer_id, counter)
        pair = generate_key_pair(
            modulus_bits,
            counter=counter,
            expires_at=int(expires_at.timestamp()),
            bases=bases,
            random=random,
            progress=progress,
            is_cancelled=is_cancelled,
        )
        return self._store(
            actor,
            issuer_id,
            pair.public,
            pair.public.to_xml(),
            pair.private.to_xml(),
            IssuerKeyState.GENERATED,
            Action.ISSUER_KEY_GENERATE,
            reason,
        )

    def import_files(
        self,
        actor: Actor,
        issuer_id: str,
        private_xml: bytes,
        public_xml: bytes,
        *,
        state: IssuerKeyState = IssuerKeyState.GENERATED,
        demo: bool = False,
        reason: str | None = None,
    ) -> IssuerKeyInfo:
        """Take the files `PrivateKeys/N.xml` and `PublicKeys/N.xml` into custody.

        Args:
            actor: who brings them.
            issuer_id: `scheme.issuer`.
            private_xml, public_xml: the files.
            state: how far the key is; one that the published scheme already has is at least `PUBLISHED`.
            demo: whether it belongs to a demo scheme; the primality of p and q is then not checked.
            reason: for the audit.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: a file cannot be read, the two do not belong together, or the counter is taken.
        """
        authorize(actor, Action.ISSUER_KEY_IMPORT, issuer_scope(issuer_id))
        errors = Errors()
        _check_issuer_id(errors, issuer_id)
        try:
            public = PublicKey.from_xml(public_xml)
        except MalformedError as error:
            errors.add("public_key", Message("cannot be read: %(error)s", error=error))
            public = None
        try:
            private = PrivateKey.from_xml(private_xml, demo=demo)
        except MalformedError as error:
            errors.add("private_key", Message("cannot be read: %(error)s", error=error))
            private = None
        if public is not None and private is not None:
            errors.check(private.N == public.N, "private_key", Message("does not belong to the public key"))
            errors.check(private.counter == public.counter, "private_key", Message("must have the counter of the public key"))
            if not demo:
                errors.check(
                    (private.ecdsa is not None) == public.supports_revocation,
                    "private_key",
                    Message("must support revocation where the public key does, and only there"),
                )
        errors.raise_if_any()
        if public is None:
            raise AssertionError("a key that could not be read was reported")
        return self._store(actor, issuer_id, public, public_xml, private_xml, state, Action.ISSUER_KEY_IMPORT, reason)

    def register(
        self, actor: Actor, issuer_id: str, public_xml: bytes, *, state: IssuerKeyState, reason: str | None = None
    ) -> IssuerKeyInfo:
        """Note a public key whose private key is kept elsewhere.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: the file cannot be read, or the counter is taken.
        """
        authorize(actor, Action.ISSUER_KEY_IMPORT, issuer_scope(issuer_id))
        errors = Errors()
        _check_issuer_id(errors, issuer_id)
        errors.raise_if_any()
        try:
            public = PublicKey.from_xml(public_xml)
        except MalformedError as error:
            raise InvalidInputError({"public_key": Message("cannot be read: %(error)s", error=error)}) from error
        return self._store(actor, issuer_id, public, public_xml, None, state, Action.ISSUER_KEY_IMPORT, reason)

    def _store(
        self,
        actor: Actor,
        issuer_id: str,
        public: PublicKey,
        public_xml: bytes,
        private_xml: bytes | None,
        state: IssuerKeyState,
        action: Action,
        reason: str | None,
    ) -> IssuerKeyInfo:
        def work(session: Session) -> IssuerKeyInfo:
            now = self._clock()
            envelope_id = None
            if private_xml is not None:
                envelope_id = self._envelopes.seal(
                    session, EnvelopeKind.ISSUER_KEY, issuer_id, private_xml, fingerprint=public.fingerprint(), counter=public.counter
                )
            row = IssuerKey(
                issuer_id=issuer_id,
                counter=public.counter,
                modulus_bits=public.N.bit_length(),
                bases=len(public.R),
                revocable=public.supports_revocation,
                fingerprint=public.fingerprint(),
                public_xml=public_xml.decode(),
                envelope_id=envelope_id,
                state=state,
                created_at=now,
                expires_at=_moment(public.expires_at),
            )
            if state in _STATE_TIMES:
                setattr(row, _STATE_TIMES[state], now)
            session.add(row)
            session.flush()
            after = {"state": state, "bits": row.modulus_bits, "bases": row.bases, "expires_at": row.expires_at}
            after |= {"fingerprint": row.fingerprint, "in_custody": envelope_id is not None}
            self._audit.record(session, actor, action, _name(issuer_id, public.counter), after=after, reason=reason)
            announce(session, Topic.ISSUER_KEYS, self._clock)
            return _info(row)

        try:
            return self._database.write(work)
        except IntegrityError as error:
            raise _counter_taken(issuer_id, public.counter) from error

    def export(self, actor: Actor, issuer_id: str, counter: int, *, reason: str) -> bytes:
        """Give out the file `PrivateKeys/N.xml`. The export is audited before the key leaves.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: there is no reason.
            UnknownKeyError: custody does not have the key.
        """
        authorize(actor, Action.ISSUER_KEY_EXPORT, issuer_scope(issuer_id))
        demand_reason(reason)
        with self._database.read() as session:
            stored = self._envelopes.find(session, EnvelopeKind.ISSUER_KEY, issuer_id, counter)
        if stored is None:
            raise UnknownKeyError(f"custody has no private key {issuer_id}-{counter}")
        private_xml = self._envelopes.open(stored)
        self._database.write(
            lambda session: self._audit.record(
                session,
                actor,
                Action.ISSUER_KEY_EXPORT,
                _name(issuer_id, counter),
                after={"exported": stored.fingerprint},
                reason=reason,
            )
        )
        return private_xml

    def private_key(self, issuer_id: str, counter: int, *, retired: bool = False) -> PrivateKey:
        """Open the private key for the engine, which signs credentials with it; for `gateway.schemes` alone.

        Args:
            issuer_id, counter: which key.
            retired: whether a retired one will do, with which credentials are still revoked.

        Raises:
            UnknownKeyError: custody does not have the key, or it is not active.
        """
        states = _REVOKING if retired else {IssuerKeyState.ACTIVE}
        with self._database.read() as session:
            row = _row(session, issuer_id, counter)
            if row is None or row.envelope is None or row.state not in states:
                raise UnknownKeyError(f"custody has no active private key {issuer_id}-{counter}")
            stored = StoredEnvelope.of(row.envelope)
        # Its primes were checked on the way in, and the envelope vouches that it is the same key.
        return PrivateKey.from_xml(self._envelopes.open(stored), demo=True)

    def active(self) -> dict[str, dict[int, str]]:
        """The keys that may sign: issuer to counter to fingerprint of the public key."""
        query = select(IssuerKey).where(IssuerKey.state == IssuerKeyState.ACTIVE, IssuerKey.envelope_id.is_not(None))
        found: dict[str, dict[int, str]] = {}
        with self._database.read() as session:
            for row in session.scalars(query):
                found.setdefault(row.issuer_id, {})[row.counter] = row.fingerprint
        return found

    def revoking(self, issuer_id: str) -> dict[int, str]:
        """The keys of an issuer with which credentials can be revoked: counter to fingerprint of the public key."""
        query = select(IssuerKey).where(
            IssuerKey.issuer_id == issuer_id,
            IssuerKey.state.in_(_REVOKING),
            IssuerKey.activated_at.is_not(None),
            IssuerKey.revocable,
            IssuerKey.envelope_id.is_not(None),
        )
        with self._database.read() as session:
            return {row.counter: row.fingerprint for row in session.scalars(query)}

    def list(self, actor: Actor, issuer_id: str | None = None) -> tuple[IssuerKeyInfo, ...]:
        """List the register, by issuer and counter.

        Raises:
            PermissionDeniedError: the actor may not see it.
        """
        authorize(actor, Action.ISSUER_KEY_VIEW, EVERYTHING if issuer_id is None else issuer_scope(issuer_id))
        query = select(IssuerKey).order_by(IssuerKey.issuer_id, IssuerKey.counter)
        if issuer_id is not None:
            query = query.where(IssuerKey.issuer_id == issuer_id)
        with self._database.read() as session:
            return tuple(_info(row) for row in session.scalars(query))

    def get(self, actor: Actor, issuer_id: str, counter: int) -> IssuerKeyInfo:
        """Look at one key.

        Raises:
            PermissionDeniedError: the actor may not see it.
            NotFoundError: it is not in the register.
        """
        authorize(actor, Action.ISSUER_KEY_VIEW, issuer_scope(issuer_id))
        with self._database.read() as session:
            return _info(_require(session, issuer_id, counter))

    def public_key(self, issuer_id: str, counter: int) -> bytes:
        """The file `PublicKeys/N.xml` of a key in the register.

        Raises:
            NotFoundError: it is not in the register.
        """
        with self._database.read() as session:
            return _require(session, issuer_id, counter).public_xml.encode()

    def move(self, actor: Actor, issuer_id: str, counter: int, state: IssuerKeyState, *, reason: str | None = None) -> IssuerKeyInfo:
        """Take a key one step further in its life. To the state that it has already it does nothing, so that a flow may repeat it.

        Raises:
            PermissionDeniedError: the actor may not.
            NotFoundError: the key is not in the register.
            ConflictError: `ISSUER_KEY_TRANSITIONS` has no such step.
        """
        authorize(actor, Action.ISSUER_KEY_ROTATE, issuer_scope(issuer_id))

        def work(session: Session) -> IssuerKeyInfo:
            row = _require(session, issuer_id, counter, lock=True)
            former = row.state
            if former is state:
                return _info(row)
            if state not in ISSUER_KEY_TRANSITIONS[former]:
                raise ConflictError(f"key {issuer_id}-{counter} is {former.value}; it cannot become {state.value}")
            row.state = state
            setattr(row, _STATE_TIMES[state], self._clock())
            self._audit.record(
                session,
                actor,
                Action.ISSUER_KEY_ROTATE,
                _name(issuer_id, counter),
                before={"state": former},
                after={"state": state},
                reason=reason,
            )
            announce(session, Topic.ISSUER_KEYS, self._clock)
            return _info(row)

        return self._database.write(work)

    def delete(self, actor: Actor, issuer_id: str, counter: int, *, reason: str) -> None:
        """Destroy a key that was never published, as where its generation was a mistake.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: there is no reason.
            NotFoundError: the key is not in the register.
            ConflictError: it was published; credentials may depend on it.
        """
        authorize(actor, Action.ISSUER_KEY_DELETE, issuer_scope(issuer_id))
        demand_reason(reason)

        def work(session: Session) -> None:
            row = _require(session, issuer_id, counter, lock=True)
            if row.state is not IssuerKeyState.GENERATED:
                raise ConflictError(f"key {issuer_id}-{counter} is {row.state.value}; only a key that was never published can be deleted")
            before, envelope = {"fingerprint": row.fingerprint, "state": row.state}, row.envelope
            session.delete(row)
            session.flush()
            if envelope is not None:
                session.delete(envelope)
            self._audit.record(session, actor, Action.ISSUER_KEY_DELETE, _name(issuer_id, counter), before=before, reason=reason)
            announce(session, Topic.ISSUER_KEYS, self._clock)

        self._database.write(work)

    def used(self, used: Mapping[tuple[str, int], datetime]) -> None:
        """Note when keys last signed, in one batch."""

        def work(session: Session) -> None:
            for (issuer_id, counter), moment in sorted(used.items()):
                row = _row(session, issuer_id, counter, lock=True)
                if row is not None and (row.last_used_at is None or row.last_used_at < moment):
                    row.last_used_at = moment

        if used:
            self._database.write(work)


def _moment(unix_seconds: int) -> datetime:
    """The moment of an expiry date; what lies beyond the calendar is its last or first second."""
    try:
        return datetime.fromtimestamp(unix_seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) if unix_seconds > 0 else datetime(1, 1, 1, tzinfo=UTC)


def _check_issuer_id(errors: Errors, issuer_id: str) -> None:
    try:
        IssuerId.parse(issuer_id, "issuer")
    except MalformedError:
        errors.add("issuer", Message("must be scheme.issuer"))


def _counter_taken(issuer_id: str, counter: int) -> InvalidInputError:
    return InvalidInputError(
        {"counter": Message("%(issuer)s has a key %(counter)d already; a number is never used again", issuer=issuer_id, counter=counter)}
    )


def _name(issuer_id: str, counter: int) -> str:
    return f"issuer_key:{issuer_id}-{counter}"


def _row(session: Session, issuer_id: str, counter: int, *, lock: bool = False) -> IssuerKey | None:
    query = select(IssuerKey).where(IssuerKey.issuer_id == issuer_id, IssuerKey.counter == counter)
    return session.scalar(query.with_for_update() if lock else query)


def _require(session: Session, issuer_id: str, counter: int, *, lock: bool = False) -> IssuerKey:
    row = _row(session, issuer_id, counter, lock=lock)
    if row is None:
        raise NotFoundError("issuer key", f"{issuer_id}-{counter}")
    return row


def _info(row: IssuerKey) -> IssuerKeyInfo:
    return IssuerKeyInfo(
        id=row.id,
        issuer_id=row.issuer_id,
        counter=row.counter,
        modulus_bits=row.modulus_bits,
        bases=row.bases,
        revocable=row.revocable,
        fingerprint=row.fingerprint,
        state=row.state,
        in_custody=row.envelope_id is not None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        published_at=row.published_at,
        seen_live_at=row.seen_live_at,
        activated_at=row.activated_at,
        retired_at=row.retired_at,
        last_used_at=row.last_used_at,
    )

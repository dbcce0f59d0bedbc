"""The rules of revocation: what the engine asks, what other servers are answered, what operators do, and what goes on by itself.

Source: irmago `irma/revocation.go` (RevocationStorage).
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import structlog
from sqlalchemy.orm import Session

from idemix.clock import Clock, system_clock
from idemix.errors import IdemixError, MalformedRequestError, UnknownIdentifierError, UnknownPublicKeyError
from idemix.integers import integer_from_bytes
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.revocation import EventList, IssuanceRecord, SignedAccumulator, Update
from idemix.revocation.update import DEFAULT_UPDATE_COUNT, MIN_BLOCK
from idemix.scheme.configuration import Configuration
from idemix.scheme.descriptions import CredentialType
from idemix.scheme.identifiers import CredentialTypeId
from idemix.session.errors import RevocationStateError
from idemix.verification import RevocationSetting

from ..actor import Actor
from ..addresses import PUBLIC_ONLY, AddressPolicy
from ..audit.service import Audit
from ..authorization import EVERYTHING, Action, authorize, issuer_scope, may
from ..background import fault
from ..changes import Topic, announce
from ..errors import InvalidRequestError, NotRevocationAuthorityError, PermissionRefusedError, UnknownRevocationKeyError
from ..inputs import Errors, Message, NotFoundError
from ..schemes import CustodyKeys, IssuerKeyRing, LoadedSchemes
from .servers import HttpConnection, RevocationServers, ServersUnavailableError
from .settings import NO_SETTINGS, TypeSettings
from .tables import Head, KeyCounts, RevocationTables, RevokedCredential, key_hash

log = structlog.get_logger(__name__)

#: How old the authority lets its accumulators become before it signs them again, in seconds.
RENEWAL_SECONDS: Final = 60
#: How often records of expired credentials are deleted.
DELETION_INTERVAL: Final = timedelta(minutes=300)
#: How often it is looked whether what is known of other issuers has become old.
SYNC_INTERVAL: Final = timedelta(seconds=10)
#: How long a process that fetches has the work to itself, in seconds.
CLAIM_SECONDS: Final = 30
#: How long a listener waits before it connects again, in seconds.
RECONNECT_SECONDS: Final = 10.0
#: Most of what one list gives.
MOST_LISTED: Final = 500

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_COUNT: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """The revocation of a credential type under one key.

    Attributes:
        key_counter: the issuer's key.
        events: how many credentials were revoked since the beginning.
        signed_at: when the issuer vouched for the accumulator.
        can_revoke: whether the private key is at hand.
        records, revoked: credentials that have not expired, and how many of them are revoked; of those issued here or reported here.
    """

    key_counter: int
    events: int
    signed_at: datetime
    can_revoke: bool
    records: int
    revoked: int


@dataclass(frozen=True, slots=True)
class TypeStatus:
    """The revocation of a credential type.

    Attributes:
        credential_type: its identifier.
        settings: what this server is for it.
        configured: the settings stand in the configuration, and are changed there.
        synced_at: when the accumulators were last had from another server; None for never, and for an authority.
        keys: of each key that has an accumulator.
    """

    credential_type: str
    settings: TypeSettings
    configured: bool
    synced_at: datetime | None
    keys: tuple[KeyStatus, ...]


@dataclass(slots=True)
class Issuance:
    """The records that one attempt to issue has made.

    Attributes:
        records: those kept here, and not those posted to another server.
        is_delivered: whether the credentials may have reached the app.
    """

    records: list[IssuanceRecord] = field(default_factory=list)
    is_delivered: bool = False


_issuance: ContextVar[Issuance | None] = ContextVar("irmahub_issuance", default=None)


class Revocation:
    """The revocation of all credential types; to the engine, its `RevocationStates`.

    Args:
        tables: accumulators, events and records.
        schemes: gives the schemes and issuer keys of the moment.
        configured: the roles that the configuration gives.
        audit: where what people do is written; None for tables that end with the process, which nobody revokes in.
        servers: reaches other servers; by default over HTTP.
        policy: which hosts that schemes name may be called.
        clock: tells the time.
    """

    def __init__(
        self,
        tables: RevocationTables,
        schemes: Callable[[], LoadedSchemes],
        configured: Mapping[CredentialTypeId, TypeSettings] | None = None,
        *,
        audit: Audit | None = None,
        servers: RevocationServers | None = None,
        policy: AddressPolicy = PUBLIC_ONLY,
        clock: Clock = system_clock,
    ) -> None:
        self.tables = tables
        self._schemes = schemes
        self._configured = dict(configured or {})
        self._audit = audit
        self._connection = HttpConnection(policy, self._own_hosts)
        self._servers = servers or RevocationServers(self._connection)
        self._clock = clock
        self._synced: dict[CredentialTypeId, int] = {}
        self._sync_lock = threading.Lock()
        self._listeners: dict[CredentialTypeId, threading.Thread] = {}
        self._stopping = threading.Event()
        self._deleted_at: datetime | None = None
        self._looked_at: datetime | None = None
        self._settings: dict[CredentialTypeId, TypeSettings] = {}
        self.reload()

    def reload(self) -> None:
        """Read the roles again."""
        given = {} if self.tables.is_temporary else self.tables.roles()
        self._settings = {**given, **self._configured}

    def _own_hosts(self) -> set[str]:
        """The hosts that the settings name."""
        return {urlsplit(one.revocation_server_url).hostname or "" for one in self._settings.values()}

    def settings(self, type_id: CredentialTypeId) -> TypeSettings:
        """What this server is for a credential type."""
        return self._settings.get(type_id, NO_SETTINGS)

    @property
    def _now(self) -> int:
        return int(self._clock().timestamp())

    @property
    def _now_ns(self) -> int:
        return (self._clock() - _EPOCH) // timedelta(microseconds=1) * 1000

    # What the engine asks

    def setting(self, credential_type: CredentialTypeId) -> RevocationSetting:
        """See `RevocationStates`. An authority's accumulators tell by themselves how fresh they are."""
        settings = self.settings(credential_type)
        synced_at = 0 if settings.authority else self._synced.get(credential_type, 0)
        return RevocationSetting(settings.max_age_seconds, synced_at)

    def can_issue(self, credential_type: CredentialTypeId) -> bool:
        """See `RevocationStates`."""
        return self.settings(credential_type).can_issue

    def updates(self, credential_type: CredentialTypeId, *, count: int, max_age_seconds: int) -> Mapping[int, Update]:
        """See `RevocationStates`."""
        if self.settings(credential_type).authority:
            self._begin_chains(credential_type)
        else:
            self._refresh(credential_type, max_age_seconds)
        return {counter: update for counter, (_, update) in self.tables.latest(credential_type, count).items()}

    def accumulator(self, credential_type: CredentialTypeId, key_counter: int) -> SignedAccumulator:
        """See `RevocationStates`."""
        settings = self.settings(credential_type)
        if not settings.authority:
            self._refresh(credential_type, settings.max_age_seconds // 2)
        head = self.tables.heads(credential_type).get(key_counter)
        if head is None and settings.authority:
            self._begin_chains(credential_type)
            head = self.tables.heads(credential_type).get(key_counter)
        if head is None:
            raise RevocationStateError(f"no revocation state of {credential_type} is known under key {key_counter}")
        return head.signed

    def record(self, record: IssuanceRecord) -> None:
        """See `RevocationStates`."""
        type_id = CredentialTypeId(record.credential_type)
        settings = self.settings(type_id)
        if settings.authority:
            self.tables.add_records([record])
            issuance = _issuance.get()
            if issuance is not None:
                issuance.records.append(record)
            return
        if not settings.revocation_server_url:
            raise RevocationStateError(f"nobody keeps the issuance of {type_id}")
        _, private_key = self._key_pair(type_id, record.key_counter)
        try:
            self._servers.post_record(settings.revocation_server_url, type_id, record.key_counter, record.sign(private_key))
        except ServersUnavailableError as error:
            raise RevocationStateError(f"the issuance of {type_id} cannot be recorded: {error}") from error

    @contextmanager
    def issuing(self) -> Iterator[Issuance]:
        """Withdraw the records that are made inside, unless the credentials may have reached the app.

        A record is kept before its credential leaves, so that no credential is without one. Where then another answer
        came first, or the session failed, nobody has the credential and the record goes. (One that was posted to another
        server stays there; it names a credential that nobody holds.)
        """
        issuance = Issuance()
        token = _issuance.set(issuance)
        try:
            yield issuance
        finally:
            _issuance.reset(token)
            if issuance.records and not issuance.is_delivered:
                self.tables.withdraw_records(issuance.records)

    # What other servers and apps ask

    def latest(self, type_id: CredentialTypeId, count: int, key_counter: int | None = None) -> tuple[dict[int, Update], int]:
        """The newest accumulators for others, each with its last events; 0 for all events.

        Returns:
            The updates by key counter, and for how many seconds they are the newest for sure.

        Raises:
            InvalidRequestError: this is no server of the type.
            MalformedRequestError: the count is no number of 63 bits, or the key has no accumulator.
        """
        self.require_serving(type_id)
        if count > _MAX_COUNT:
            raise MalformedRequestError("count", "invalid limit", departure="revocation-request")
        found = self.tables.latest(type_id, count, key_counter)
        if key_counter is not None and key_counter not in found:
            raise MalformedRequestError(
                "key counter", f"no revocation state of {type_id} under key {key_counter}", departure="revocation-request"
            )
        fresh = min((head.time + RENEWAL_SECONDS - self._now for head, _ in found.values()), default=0)
        return {counter: update for counter, (_, update) in found.items()}, max(fresh, 0)

    def events(self, type_id: CredentialTypeId, key_counter: int, start: int, stop: int) -> EventList:
        """The events from `start` up to `stop` for others, as far as there are.

        Raises:
            InvalidRequestError: this is no server of the type.
            MalformedRequestError: the interval is none that is served, or there are no such events.
        """
        self.require_serving(type_id)
        if start >= stop or start % MIN_BLOCK or stop % MIN_BLOCK or stop > _MAX_COUNT:
            raise MalformedRequestError("events", "illegal update interval", departure="revocation-request")
        found = self.tables.events(type_id, key_counter, start, stop)
        if found is None or found.index != start:
            raise MalformedRequestError(
                "events", f"none of {type_id} from {start} to {stop} under key {key_counter}", departure="revocation-request"
            )
        return found

    def accept_record(self, type_id: CredentialTypeId, key_counter: int, data: bytes) -> None:
        """Take the signed record of an issuer.

        Raises:
            InvalidRequestError: this is not the authority, the key is unknown, or the record is about another type.
            PermissionRefusedError: the issuer did not sign this.
        """
        if not self.settings(type_id).authority:
            raise InvalidRequestError("not supported by this server")
        try:
            public_key = self._schemes().configuration.public_key(type_id.issuer, key_counter)
        except UnknownIdentifierError as error:
            raise InvalidRequestError(f"unknown public key: {type_id.issuer}-{key_counter}") from error
        try:
            record = IssuanceRecord.open(data, public_key)
        except IdemixError as error:
            raise PermissionRefusedError(str(error), departure=error.departure) from error
        if record.credential_type != str(type_id):
            raise InvalidRequestError("issuance record of wrong credential type")
        self.tables.add_records([record])

    def require_serving(self, type_id: CredentialTypeId) -> None:
        """Demand that this server gives updates of a type.

        Raises:
            InvalidRequestError: it does not.
        """
        if not self.settings(type_id).serves:
            raise InvalidRequestError("not supported by this server")

    # What people do

    def status(self, actor: Actor, type_id: CredentialTypeId | None = None) -> tuple[TypeStatus, ...]:
        """The roles of this server and the state of the chains: of one credential type, or of all that the actor may see.

        Raises:
            PermissionDeniedError: the actor may not see it.
            NotFoundError: nothing is known of the type.
        """
        self.reload()
        known = {*self._settings, *map(CredentialTypeId, self.tables.types())}
        if type_id is None:
            wanted = {one for one in known if may(actor, Action.REVOCATION_VIEW, issuer_scope(one.issuer))}
            if not wanted:
                authorize(actor, Action.REVOCATION_VIEW, EVERYTHING if not known else [issuer_scope(one.issuer) for one in sorted(known)])
        else:
            authorize(actor, Action.REVOCATION_VIEW, issuer_scope(type_id.issuer))
            if type_id not in known:
                raise NotFoundError("revocation of the credential type", type_id)
            wanted = {type_id}
        return tuple(self._status(one) for one in sorted(wanted, key=str))

    def _status(self, type_id: CredentialTypeId) -> TypeStatus:
        settings, counts = self.settings(type_id), self.tables.counts(type_id)
        private = self._revocation_keys(type_id)
        synced_at = 0 if settings.authority else self.tables.synced_at(type_id)
        keys = []
        for counter, head in self.tables.heads(type_id).items():
            of_key = counts.get(counter, KeyCounts())
            signed_at = datetime.fromtimestamp(head.time, UTC)
            keys.append(KeyStatus(counter, head.index, signed_at, counter in private, of_key.records, of_key.revoked))
        moment = datetime.fromtimestamp(synced_at, UTC) if synced_at else None
        return TypeStatus(str(type_id), settings, type_id in self._configured, moment, tuple(keys))

    def revoked(
        self, actor: Actor, type_id: CredentialTypeId, *, key_counter: int | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[RevokedCredential, ...]:
        """The credentials of a type that were revoked and have not expired; nothing tells whose they are.

        Args:
            actor: who asks.
            type_id: the credential type.
            key_counter: of one key only.
            before: the number of the last record of the page before.
            limit: how many, at most 500.

        Raises:
            PermissionDeniedError: the actor may not see them.
        """
        authorize(actor, Action.REVOCATION_VIEW, issuer_scope(type_id.issuer))
        return self.tables.revoked(type_id, key_counter=key_counter, before=before, limit=min(limit, MOST_LISTED))

    def configure(self, actor: Actor, type_id: CredentialTypeId, settings: TypeSettings, *, reason: str | None = None) -> TypeStatus:
        """Give this server a role for a credential type. An authority gets a first accumulator for each key that can have one.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: the settings contradict each other, the schemes or the configuration; all faults are named.
        """
        authorize(actor, Action.REVOCATION_EDIT, issuer_scope(type_id.issuer))
        errors = Errors()
        errors.check(type_id not in self._configured, "", Message("the configuration gives the settings of this credential type"))
        for name, rule in settings.problems():
            errors.add(name, rule)
        credential_type = self._schemes().configuration.credential_types.get(type_id)
        if credential_type is None:
            errors.add("credential_type", Message("no scheme has the credential type %(type)s", type=type_id))
        elif not credential_type.supports_revocation:
            errors.add("credential_type", Message("the scheme names no revocation server for %(type)s", type=type_id))
        elif settings.authority and not self._revocation_keys(type_id):
            errors.add("authority", Message("no private key of %(issuer)s supports revocation", issuer=type_id.issuer))
        errors.raise_if_any()
        self._set_role(actor, type_id, settings, reason)
        if settings.authority:
            self._begin_chains(type_id)
        return self._status(type_id)

    def unset(self, actor: Actor, type_id: CredentialTypeId, *, reason: str | None = None) -> None:
        """Take the role of this server for a credential type away. Chain and records stay.

        Raises:
            PermissionDeniedError: the actor may not.
            NotFoundError: it has no role that could be taken away here.
        """
        authorize(actor, Action.REVOCATION_EDIT, issuer_scope(type_id.issuer))
        if type_id not in self.tables.roles():
            raise NotFoundError("revocation of the credential type", type_id)
        self._set_role(actor, type_id, None, reason)

    def _set_role(self, actor: Actor, type_id: CredentialTypeId, settings: TypeSettings | None, reason: str | None) -> None:
        audit = self._require_audit()

        def work(session: Session) -> None:
            before = self.tables.set_role(session, type_id, settings, self._clock())
            audit.record(
                session,
                actor,
                Action.REVOCATION_EDIT,
                f"credential_type:{type_id}",
                before=None if before is None else asdict(before),
                after=None if settings is None else asdict(settings),
                reason=reason,
            )
            announce(session, Topic.REVOCATION, self._clock)

        self.tables.write(work)
        self.reload()

    def revoke(self, actor: Actor, type_id: CredentialTypeId, revocation_key: str, *, issued_ns: int = 0, reason: str | None = None) -> int:
        """Revoke what was issued under a revocation key, all of it in one transaction.

        Args:
            actor: who revokes.
            type_id: the credential type.
            revocation_key: as it was given when they were issued.
            issued_ns: of those issued at this moment only, Unix nanoseconds; 0 for all.
            reason: for the audit.

        Returns:
            How many credentials were revoked.

        Raises:
            PermissionDeniedError: the actor may not.
            NotRevocationAuthorityError: this server cannot revoke credentials of the type.
            UnknownRevocationKeyError: there is none that is not revoked already.
        """
        authorize(actor, Action.CREDENTIAL_REVOKE, issuer_scope(type_id.issuer))
        if not self.settings(type_id).authority:
            raise NotRevocationAuthorityError(f"cannot revoke {type_id}")
        audit, pairs = self._require_audit(), self._revocation_keys(type_id)

        def work(session: Session) -> dict[int, int]:
            heads = self.tables.lock(session, type_id)
            rows = self.tables.unrevoked(session, type_id, revocation_key, issued_ns)
            if not rows:
                raise UnknownRevocationKeyError("nothing that is not revoked already was issued under this revocation key")
            counts: dict[int, int] = {}
            for counter in sorted({row.key_counter for row in rows}):
                head, pair = heads.get(counter), pairs.get(counter)
                if head is None or pair is None:
                    raise NotRevocationAuthorityError(f"cannot revoke {type_id} under key {counter}")
                of_key = [row for row in rows if row.key_counter == counter]
                self._append(session, type_id, head, *pair, [row.prime for row in of_key])
                counts[counter] = len(of_key)
            for row in rows:
                row.revoked_ns = self._now_ns
            fingerprint = key_hash(type_id, revocation_key)[:16]
            after = {"revoked": sum(counts.values()), "key": fingerprint}
            audit.record(session, actor, Action.CREDENTIAL_REVOKE, f"credential_type:{type_id}", after=after, reason=reason)
            announce(session, Topic.REVOCATION, self._clock)
            return counts

        counts = self.tables.write(work)
        log.info("revocation.revoked", credential_type=str(type_id), credentials=sum(counts.values()))
        return sum(counts.values())

    def _append(
        self, session: Session, type_id: CredentialTypeId, head: Head, public: PublicKey, private: PrivateKey, primes: list[bytes]
    ) -> None:
        """Sign the next accumulator, after these primes or after nothing but time, and put it behind the chain."""
        accumulator = head.signed.verify(public)
        update = Update.revoking(private, accumulator, map(integer_from_bytes, primes), now=max(self._now, accumulator.time))
        self.tables.append(session, type_id, head, update.signed_accumulator, update.verify(public), update.events)

    # What goes on by itself

    def begin_chains(self) -> None:
        """Make the first accumulator for each key that has none, of all types that this server is the authority of."""
        for type_id, settings in tuple(self._settings.items()):
            if settings.authority:
                self._begin_chains(type_id)

    def work(self) -> None:
        """Do what is due: begin chains, renew accumulators, fetch those of others, delete what has expired. Called every second."""
        for type_id, settings in tuple(self._settings.items()):
            self._guarded(type_id, self._renew if settings.authority else self._listen_if_wanted)
        now = self._clock()
        if self._looked_at is None or now - self._looked_at >= SYNC_INTERVAL:
            self._looked_at = now
            for type_id, settings in tuple(self._settings.items()):
                if not settings.authority:
                    self._guarded(type_id, self._sync_if_due)
        if self._settings and (self._deleted_at is None or now - self._deleted_at >= DELETION_INTERVAL):
            self._deleted_at = now
            gone = self.tables.delete_expired(self._now_ns)
            if gone:
                log.info("revocation.records_deleted", records=gone)

    def close(self) -> None:
        """Stop listening to other servers, and end what was opened here."""
        self._stopping.set()
        self._connection.close()
        self.tables.close()

    def _guarded(self, type_id: CredentialTypeId, task: Callable[[CredentialTypeId], None]) -> None:
        try:
            task(type_id)
        except IdemixError as error:
            log.warning("revocation.failed", credential_type=str(type_id), reason=str(error))
        except Exception as error:
            # What fails for one credential type keeps no other from its turn.
            log.error("revocation.failed", credential_type=str(type_id), **fault(error))

    def _begin_chains(self, type_id: CredentialTypeId) -> None:
        """Make the first accumulator for each key that has none; another process may make it at the same time, and then does."""
        heads = self.tables.heads(type_id)
        for counter, (public, private) in self._revocation_keys(type_id).items():
            if counter in heads:
                continue
            update = Update.initial(private, now=self._now)
            self.tables.write(partial(self._begin_chain, type_id, public, update))

    def _begin_chain(self, type_id: CredentialTypeId, public: PublicKey, update: Update, session: Session) -> None:
        if public.counter not in self.tables.lock(session, type_id):
            self.tables.append(session, type_id, None, update.signed_accumulator, update.verify(public), update.events)

    def _renew(self, type_id: CredentialTypeId) -> None:
        """Sign anew what is older than a minute. Whoever gets the lock second finds it done."""
        pairs = self._revocation_keys(type_id)
        heads = self.tables.heads(type_id)
        if pairs.keys() - heads.keys():
            self._begin_chains(type_id)
        if not any(self._is_due(head) and counter in pairs for counter, head in heads.items()):
            return

        def work(session: Session) -> None:
            for counter, head in self.tables.lock(session, type_id).items():
                if counter in pairs and self._is_due(head):
                    self._append(session, type_id, head, *pairs[counter], [])

        self.tables.write(work)

    def _is_due(self, head: Head) -> bool:
        return self._now - head.time >= RENEWAL_SECONDS

    def _sync_if_due(self, type_id: CredentialTypeId) -> None:
        """Fetch the accumulators of a type that has become old, in one process only."""
        now, settings = self._now, self.settings(type_id)
        synced_at = self._synced[type_id] = self.tables.synced_at(type_id)
        if now - synced_at > settings.max_age_seconds // 2 and self.tables.claim_sync(type_id, now, now + CLAIM_SECONDS):
            self.sync(type_id)

    def _refresh(self, type_id: CredentialTypeId, max_age_seconds: int) -> None:
        """Fetch the accumulators if they were had longer ago; where that fails, those that are known will do.

        Raises:
            RevocationStateError: none are known.
        """
        with self._sync_lock:
            synced_at = self._synced[type_id] = self.tables.synced_at(type_id)
            if self._now - synced_at <= max_age_seconds:
                return
            try:
                self.sync(type_id)
            except IdemixError as error:
                if not self.tables.heads(type_id):
                    raise RevocationStateError(f"no revocation state of {type_id} can be had: {error}") from error
                log.warning("revocation.stale", credential_type=str(type_id), synced_at=synced_at, reason=str(error))

    def sync(self, type_id: CredentialTypeId) -> None:
        """Fetch the newest accumulators of a type from its servers, and the events that are missing here.

        A server keeps the whole chain, a verifier the part since it first asked.

        Raises:
            ServersUnavailableError: no server gives them.
            UnknownIdentifierError: no scheme has the type.
            VerificationError, MalformedError: what a server gives does not hold.
        """
        credential_type = self._credential_type(type_id)
        settings = self.settings(type_id)
        urls = (settings.revocation_server_url,) if settings.revocation_server_url else credential_type.revocation_servers
        asked_at = self._now
        heads = self.tables.heads(type_id)
        for counter, update in self._servers.latest(urls, type_id, update_count(credential_type)).items():
            try:
                public_key = self._schemes().configuration.public_key(type_id.issuer, counter)
            except UnknownPublicKeyError:
                # The issuer uses a key that is not known here yet; its credentials are not either.
                log.warning("revocation.unknown_key", credential_type=str(type_id), key_counter=counter)
                continue
            first = heads[counter].index + 1 if counter in heads else 0
            if counter in heads or settings.serves:
                update = self._servers.with_earlier(urls, type_id, public_key, update, first)
            self.add_update(type_id, public_key, update)
        self.tables.note_sync(type_id, asked_at)
        self._synced[type_id] = max(asked_at, self._synced.get(type_id, 0))

    def add_update(self, type_id: CredentialTypeId, public_key: PublicKey, update: Update) -> bool:
        """Put what is new in an update behind the chain.

        Returns:
            Whether anything was new.

        Raises:
            RevocationStateError: it does not follow on what is known.
            InvalidUpdateError, VerificationError, MalformedError: it does not hold.

        Source: irmago `irma/revocation.go` (AddUpdate).
        """
        accumulator = update.verify(public_key)

        def work(session: Session) -> bool:
            head = self.tables.lock(session, type_id).get(public_key.counter)
            if head is None:
                if update.events is None:
                    raise RevocationStateError("accumulator refers to unknown revocation event index")
                self.tables.append(session, type_id, None, update.signed_accumulator, accumulator, update.events)
                return True
            known = head.signed.verify(public_key)
            if (accumulator.index, accumulator.time) <= (known.index, known.time):
                return False
            new: EventList | None = None
            if accumulator.index > known.index:
                if update.events is None or update.events.index > known.index + 1:
                    raise RevocationStateError(f"revocation events from {known.index + 1} on are missing")
                new = EventList.of(event for event in update.events if event.index > known.index)
            follows = accumulator == replace(known, time=accumulator.time) if new is None else new.parent_hash == known.event_hash
            if not follows:
                raise RevocationStateError("revocation update does not align with stored hash chain")
            self.tables.append(session, type_id, head, update.signed_accumulator, accumulator, new)
            return True

        return self.tables.write(work)

    def _listen_if_wanted(self, type_id: CredentialTypeId) -> None:
        """Have a thread that listens to the server of a type, where the settings say so."""
        listener = self._listeners.get(type_id)
        if self.settings(type_id).sse and (listener is None or not listener.is_alive()):
            thread = threading.Thread(target=self._listen, args=(type_id,), name=f"revocation-{type_id}", daemon=True)
            self._listeners[type_id] = thread
            thread.start()

    def _listen(self, type_id: CredentialTypeId) -> None:
        while not self._stopping.is_set() and self.settings(type_id).sse:
            self._guarded(type_id, self._follow)
            self._stopping.wait(RECONNECT_SECONDS)

    def _follow(self, type_id: CredentialTypeId) -> None:
        """Take what a server pushes, until the connection ends; what does not follow on what is known has the gap fetched."""
        settings = self.settings(type_id)
        url = settings.revocation_server_url or next(iter(self._credential_type(type_id).revocation_servers))
        for data in self._servers.listen(url, type_id):
            if self._stopping.is_set():
                return
            if not data.startswith("{"):
                continue
            try:
                update = Update.from_json(json.loads(data), "update")
                public_key = self._schemes().configuration.public_key(type_id.issuer, update.signed_accumulator.key_counter)
                self.add_update(type_id, public_key, update)
            except (ValueError, IdemixError) as error:
                log.info("revocation.pushed_update_not_used", credential_type=str(type_id), reason=str(error))
                self.sync(type_id)

    # Keys and types

    def _credential_type(self, type_id: CredentialTypeId) -> CredentialType:
        found = self._schemes().configuration.credential_types.get(type_id)
        if found is None:
            raise UnknownIdentifierError(str(type_id), "unknown credential type")
        return found

    def _revocation_keys(self, type_id: CredentialTypeId) -> dict[int, tuple[PublicKey, PrivateKey]]:
        return self._schemes().issuer_keys.revocation_keys(type_id.issuer)

    def _key_pair(self, type_id: CredentialTypeId, counter: int) -> tuple[PublicKey, PrivateKey]:
        try:
            return self._schemes().issuer_keys.signing_key(type_id.issuer, counter)
        except UnknownIdentifierError as error:
            raise RevocationStateError(f"no private key {type_id.issuer}-{counter}") from error

    def _require_audit(self) -> Audit:
        if self._audit is None:
            raise NotRevocationAuthorityError("this server keeps no records")
        return self._audit


def update_count(credential_type: CredentialType) -> int:
    """How many events are given along with an accumulator."""
    return credential_type.revocation_update_count or DEFAULT_UPDATE_COUNT


def schemes_with_custody(configuration: Callable[[], Configuration], custody: CustodyKeys) -> Callable[[], LoadedSchemes]:
    """The schemes in force with the keys in custody, for commands and the console, which run no sessions."""

    def current() -> LoadedSchemes:
        found = configuration()
        return LoadedSchemes(found, IssuerKeyRing(found, {}, custody))

    return current

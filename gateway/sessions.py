"""Sessions from end to end: engine, store, events, calls to requestors and archive, without HTTP.

A message to a session is handled by the engine on the session as it was loaded, and the outcome is written only if nobody
changed the session meanwhile. Whoever comes second loads it again and finds, for a repeated message, the first one's answer
in the session. Nothing outside the session happens before that write succeeded, but that the requestor is asked for the next
session of a chain, whose answer is part of the outcome, and that the issuance of credentials that can be revoked is recorded.

Since the write tells whether the session was still the same, a message may also be handled on what this process wrote last, and
the session need not be loaded; see docs/adr/0012-workers-share-redis.md.
"""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar

import structlog

from idemix.cl.primes import PrimePool
from idemix.clock import Clock
from idemix.errors import IdemixError, SessionError, UnknownIdentifierError
from idemix.request import IssuanceRequest, RequestorRequest, parse_session_request
from idemix.session.engine import EngineSettings, SessionEngine
from idemix.session.errors import NextSessionError
from idemix.session.keys import IssuerKeys
from idemix.session.randomness import Randomness
from idemix.session.replies import NextSessionNeeded, ServerResponse, SessionPackage
from idemix.session.session import Session

from .admission import Judgement, judge_access, judge_request
from .background import fault
from .callbacks import RequestorCallError, RequestorCalls
from .config import GatewayConfig
from .errors import PermissionRefusedError, RequestReplayedError, TooManyRequestsError, remote_error
from .limiter import Exceeded, Limiter, Ticket
from .permissions import NO_PERMISSIONS, Decision, PermissionJudge
from .request_id import current_request_id
from .requestors.constraints import Check
from .requestors.directory import RequestorDirectory
from .requestors.issuer_keys import BoundIssuerKeys
from .requestors.limits import NO_LIMITS, Limits
from .revocation.service import Issuance, Revocation
from .schemes import LoadedSchemes, SchemeSource
from .stores.base import SessionStore, StoreConflictError, StoreError, TooManySessionsError, UnknownSessionError, status_change
from .usage import Outcome, Usage

log = structlog.get_logger(__name__)

#: How often a change is tried again when others change the session at the same time.
ATTEMPTS: Final = 5
#: How many sessions that are timed out are ended at once.
SWEEP_LIMIT: Final = 500
#: Seconds after which another try is worth it where too many sessions run; when one of them ends is not known.
RETRY_SECONDS: Final = 5

NOT_ACTIVE: Final = "the requestor is not active any more"

#: Kept, because `json.dumps` makes an encoder for each call that has options.
_JSON: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)

T = TypeVar("T")
DirectorySource = Callable[[], RequestorDirectory]


class SessionArchive(Protocol):
    """Keeps a record of sessions, without values."""

    def request_refused(self, requestor_name: str, request: RequestorRequest, decision: Decision | Check) -> None:
        """Note a request that a missing permission, a limit or a constraint refused."""
        ...

    def session_started(self, session: Session) -> None:
        """Note a new session."""
        ...

    def session_changed(self, session: Session) -> None:
        """Note that a session has another status."""
        ...


class NoArchive:
    """Keeps nothing."""

    def request_refused(self, requestor_name: str, request: RequestorRequest, decision: Decision | Check) -> None:
        """Keep nothing."""

    def session_started(self, session: Session) -> None:
        """Keep nothing."""

    def session_changed(self, session: Session) -> None:
        """Keep nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the app gets.

    Attributes:
        status: HTTP status.
        body: JSON.
        error: the refusal that it tells of, if it is one.
    """

    status: int
    body: bytes
    error: Exception | None = None


@dataclass(frozen=True, slots=True, repr=False)
class AppMessage:
    """A message of the app to a session, which it may repeat.

    Attributes:
        path: as the app wrote it.
        body: the request's body.
        authorization: the app's secret.
        step: has the engine handle it; gives the changed session and a reply with `to_json`.
    """

    path: str
    body: bytes
    authorization: str
    step: Callable[[SessionEngine, Session], tuple[Session, Any]]


def encode_json(value: Any) -> bytes:
    """JSON as it is sent: without blanks, in UTF-8."""
    return _JSON.encode(value).encode()


class Sessions:
    """Starts sessions and takes messages to them.

    Args:
        config: life times, URL and static sessions.
        schemes: gives the schemes and issuer keys of the moment.
        directory: gives the requestors of the moment.
        store: keeps the sessions.
        calls: calls requestors.
        archive: keeps records.
        clock, randomness: give every time, token, code and nonce.
        primes: gives the primes of signatures.
        limiter: counts what requestors start.
        usage: keeps the counts of each day, or None where there is no database.
        revocation: the state of revocation; by default none is known.
    """

    def __init__(
        self,
        config: GatewayConfig,
        schemes: SchemeSource,
        directory: DirectorySource,
        store: SessionStore,
        calls: RequestorCalls,
        archive: SessionArchive,
        clock: Clock,
        randomness: Randomness,
        primes: PrimePool,
        limiter: Limiter,
        usage: Usage | None = None,
        revocation: Revocation | None = None,
    ) -> None:
        self._config = config
        self._schemes = schemes
        self._directory = directory
        self._store = store
        self._calls = calls
        self._archive = archive
        self._clock = clock
        self._randomness = randomness
        self._primes = primes
        self._limiter = limiter
        self._usage = usage
        self._revocation = revocation
        self._settings = EngineSettings(
            url=config.server_url,
            production=config.production,
            max_session_lifetime=timedelta(minutes=config.max_session_lifetime),
            session_result_lifetime=timedelta(minutes=config.session_result_lifetime),
            augment_client_return_url=config.augment_client_return_url,
        )
        self._engine: tuple[LoadedSchemes, SessionEngine] | None = None

    @property
    def engine(self) -> SessionEngine:
        """The engine on the schemes of the moment."""
        loaded, engine = self._schemes.current, self._engine
        if engine is None or engine[0] is not loaded:
            self._engine = engine = (loaded, self._make_engine(loaded, loaded.issuer_keys))
        return engine[1]

    def _make_engine(self, loaded: LoadedSchemes, issuer_keys: IssuerKeys) -> SessionEngine:
        return SessionEngine(
            loaded.configuration,
            issuer_keys,
            self._settings,
            self._clock,
            self._randomness,
            describe_refusal,
            self._primes,
            timestamp_keys=self._config.timestamp_keys,
            revocation=self._revocation,
        )

    def _engine_of(self, requestor: str) -> SessionEngine:
        """The engine that starts sessions of a requestor: with the issuer keys that it may use."""
        known = self._directory().requestors.get(requestor)
        if known is None or not known.constraints.issuer_keys:
            return self.engine
        loaded = self._schemes.current
        return self._make_engine(loaded, BoundIssuerKeys(loaded.issuer_keys, known.constraints))

    # Starting

    def judge(self, requestor: str) -> PermissionJudge:
        """The judge of what a requestor may ask; one that the directory does not know has the global permissions."""
        directory = self._directory()
        known = directory.requestors.get(requestor)
        permissions = NO_PERMISSIONS if known is None else known.permissions
        return PermissionJudge(permissions, directory.global_permissions, self._config.default_host)

    def judge_request(self, requestor: str, request: RequestorRequest, *, address: str | None) -> Judgement:
        """Judge a session request as `gateway.admission.judge_request` does, with the requestors of the moment."""
        directory = self._directory()
        known = directory.requestors.get(requestor)
        shared, host = directory.global_permissions, self._config.default_host
        return judge_request(known, shared, host, request, now=self._clock(), address=address)

    def require_access(self, requestor: str, *, address: str | None) -> None:
        """Require that a requestor may ask anything, from this address and now; for requests that are not about a session.

        Raises:
            PermissionRefusedError: it may not.
        """
        for check in judge_access(self._limits(requestor), now=self._clock(), address=address):
            if check.permitted is False:
                raise PermissionRefusedError(check.reason)

    def note_refusal(self, request: RequestorRequest, requestor: str, decision: Decision | Check) -> None:
        """Keep that a request was refused for want of a permission, or by a limit or constraint."""
        self._archive.request_refused(requestor, request, decision)
        self._count(requestor, request, Outcome.REFUSED)

    def start(self, request: RequestorRequest, requestor: str, *, told_apart_by: bytes | None = None) -> SessionPackage:
        """Start a session that was permitted, if the requestor's limits leave room for it.

        Args:
            request: what the session is about.
            requestor: who asks.
            told_apart_by: what tells this request from others, where it must not come twice.

        Raises:
            MalformedRequestError, UnknownIdentifierError: the request cannot be served.
            TooManyRequestsError: a limit is used up.
            RequestReplayedError: the request came before.
            PermissionRefusedError: the requestor was suspended meanwhile.
            StoreError: the session cannot be stored, or the limits not be counted.
        """
        engine, request_id = self._engine_of(requestor), current_request_id()
        try:
            session, package = engine.start(request, requestor=requestor, request_id=request_id)
        except UnknownIdentifierError as error:
            # It may have been published since the schemes were last fetched.
            if not self._schemes.look_for(error.identifier):
                raise
            engine = self._engine_of(requestor)
            session, package = engine.start(request, requestor=requestor, request_id=request_id)
        limits = self._limits(requestor)
        ticket = Ticket.of(requestor, limits, self._clock(), told_apart_by) if limits.are_counted else None
        if ticket is not None:
            self._take(ticket, request)
        try:
            self._add(engine, session, at_most=limits.concurrent_sessions)
        except (TooManySessionsError, StoreError) as error:
            self._give_back(ticket)
            if isinstance(error, StoreError):
                raise
            self._count(requestor, request, Outcome.LIMITED)
            message = f"concurrent_sessions: {limits.concurrent_sessions} sessions of the requestor run already, as many as may"
            raise TooManyRequestsError(message, RETRY_SECONDS) from error
        if requestor and requestor not in self._directory().requestors:
            # Suspended since it was authenticated, and perhaps after its sessions were cancelled.
            self.cancel(lambda: self.load_by_client_token(session.client_token))
            raise PermissionRefusedError(NOT_ACTIVE)
        self._count(requestor, request, Outcome.STARTED)
        return package

    def _limits(self, requestor: str) -> Limits:
        known = self._directory().requestors.get(requestor)
        return NO_LIMITS if known is None else known.limits

    def _take(self, ticket: Ticket, request: RequestorRequest) -> None:
        refusal = self._limiter.take(ticket)
        if refusal is None:
            return
        if refusal.limit is Exceeded.REPLAYED:
            self._count(ticket.requestor, request, Outcome.REFUSED)
            raise RequestReplayedError("the request started a session before: its jti, or its body where it has none, is accepted once")
        self._count(ticket.requestor, request, Outcome.LIMITED)
        what = "sessions a day" if refusal.limit is Exceeded.DAY else "sessions a minute"
        raise TooManyRequestsError(f"{refusal.limit.value}: the requestor started as many {what} as it may", refusal.retry_after)

    def _give_back(self, ticket: Ticket | None) -> None:
        if ticket is not None:
            try:
                self._limiter.give_back(ticket)
            except StoreError as error:
                # What the session would have used stays used; that is the safe side.
                log.warning("limits.not_given_back", requestor=ticket.requestor, error=type(error.__cause__ or error).__name__)

    def _count(self, requestor: str, request: RequestorRequest, outcome: Outcome) -> None:
        if self._usage is not None:
            self._usage.note(requestor, request.request.action.value, outcome)

    def cancel(self, load: Callable[[], Session]) -> bool:
        """End a session; one that has ended stays as it is.

        Returns:
            Whether it ran.

        Raises:
            UnknownSessionError, StoreError: as of `change`.
        """

        def step(engine: SessionEngine, session: Session) -> tuple[Session, bool]:
            cancelled = engine.cancel(session)
            return cancelled, cancelled is not session

        return self.change(load, step)

    def _add(self, engine: SessionEngine, session: Session, at_most: int | None = None) -> None:
        deadline = engine.deadline(session)
        if deadline is None:
            raise ValueError("a new session cannot have ended")
        self._store.add(session, deadline=deadline, expires_at=engine.forgotten_at(session), at_most=at_most)
        self._archive.session_started(session)
        log.info("session.started", requestor=session.requestor, type=session.action.value, started_by=session.request_id)

    # Loading

    def load_by_client_token(self, token: str) -> Session:
        """Load a session for the app or the frontend; a time-out is stored and told to the requestor.

        Raises:
            UnknownSessionError: there is none.
            StoreError: the store cannot be reached.
        """
        return self._checked(lambda: self._store.get_by_client_token(token))

    def load_by_requestor_token(self, token: str) -> Session:
        """Load a session for its requestor; as `load_by_client_token`."""
        return self._checked(lambda: self._store.get_by_requestor_token(token))

    def recent(self, token: str) -> Session | None:
        """A session as this process wrote it last, for `exchange`, without asking the store; None where it has to be loaded.

        It has to be where handling a message reaches beyond the session before the outcome is written: where the next session of a
        chain is asked for, and where the issuance of a credential is recorded.
        """
        session = self._store.recent(token)
        if session is None or _reaches_beyond(session.request) or self.engine.check_timeout(session) is not session:
            return None
        return session

    def _checked(self, load: Callable[[], Session]) -> Session:
        for _ in range(ATTEMPTS):
            session = load()
            checked = self.engine.check_timeout(session)
            if checked is session:
                return session
            try:
                self._write(session, checked)
            except StoreConflictError:
                continue
            return checked
        raise StoreError("the session is changed too often")

    # Changing

    def change(self, load: Callable[[], Session], step: Callable[[SessionEngine, Session], tuple[Session, T]]) -> T:
        """Load a session, have the engine handle a message, and write the outcome.

        Args:
            load: loads the session, afresh at each attempt.
            step: gives the changed session and the reply, or raises a refusal.

        Raises:
            SessionError: the refusal; a session that it carries is stored first.
            StoreError: the outcome could not be stored; the session is as it was.
        """
        for _ in range(ATTEMPTS):
            session = load()
            refusal: SessionError | None = None
            try:
                changed, reply = step(self.engine, session)
            except SessionError as error:
                refusal, changed = error, error.session or session
            try:
                if changed is not session:
                    self._write(session, changed)
            except StoreConflictError:
                continue
            if refusal is not None:
                raise refusal
            return reply
        raise StoreError("the session is changed too often")

    def exchange(self, message: AppMessage, load: Callable[[], Session], recent: Session | None = None) -> Answer:
        """Handle a message of the app; a repeated one gets the answer of the first.

        Args:
            message: the message.
            load: loads the session, afresh at each attempt.
            recent: what `recent` gave, which is tried first. What comes of it counts only once it is stored, which proves that nobody
                changed the session since.

        Raises:
            StoreError: the outcome could not be stored; the session is as it was.
        """
        answer = None if recent is None else self._attempt(message, recent, must_be_stored=True)
        if answer is not None:
            return answer
        for _ in range(ATTEMPTS):
            answer = self._attempt(message, load())
            if answer is not None:
                return answer
        raise StoreError("the session is changed too often")

    def _attempt(self, message: AppMessage, session: Session, *, must_be_stored: bool = False) -> Answer | None:
        """One attempt of `exchange`.

        Returns:
            None where somebody else changed the session meanwhile, or where the answer must be stored and nothing was to store.
        """
        known = self.engine.recall(session, message.path, message.body, authorization=message.authorization)
        if known is not None:
            return None if must_be_stored else Answer(known.http_status, known.response)
        with self._issuing() as issuance:
            changed, answer = self._handled(message, session, issuance)
        return None if must_be_stored and changed is session else answer

    def _issuing(self) -> AbstractContextManager[Issuance]:
        """Records of issuance that are made inside stay only if the credentials may have reached the app."""
        return nullcontext(Issuance()) if self._revocation is None else self._revocation.issuing()

    def _handled(self, message: AppMessage, session: Session, issuance: Issuance) -> tuple[Session, Answer | None]:
        """Have the engine handle a message, and store the outcome.

        Returns:
            The changed session, or the same; and the answer, None where somebody else changed the session meanwhile.
        """
        engine = self.engine
        following: Session | None = None
        try:
            changed, reply = message.step(engine, session)
            if isinstance(reply, NextSessionNeeded):
                changed, reply, following = self._continue_chain(changed, reply)
            answer = Answer(200, encode_json(reply.to_json()))
        except SessionError as refusal:
            if engine.is_repeated(session, message.path, message.body):
                refusal.departure = "repeated-request"
            entry, text = remote_error(refusal)
            answer = Answer(entry.status, encode_json(entry.to_json(text)), refusal)
            changed = refusal.session or session
        changed = engine.remember(
            changed, message.path, message.body, authorization=message.authorization, response=answer.body, http_status=answer.status
        )
        try:
            if following is not None:
                # Before the answer that leads to it; one that nobody will hear of is cancelled.
                self._add(engine, following)
            # Where the store fails now, the write may have been done all the same, and the app may get the answer by asking again.
            issuance.is_delivered = answer.error is None
            if changed is not session:
                self._write(session, changed)
        except StoreConflictError:
            issuance.is_delivered = False
            if following is not None:
                self._write(following, engine.cancel(following))
            return session, None
        return changed, answer

    def _continue_chain(self, session: Session, needed: NextSessionNeeded) -> tuple[Session, ServerResponse, Session | None]:
        """Ask for the next session, check that its requestor may have it, and start it.

        Raises:
            NextSessionError: any of that failed; it carries the session, still connected.
        """
        try:
            body = self._calls.ask_next_session(session)
            request = None if body is None else parse_session_request(body)
            if request is not None:
                self._require_permitted_next(session, request)
        except (RequestorCallError, IdemixError) as error:
            raise NextSessionError(str(error), session=session) from error
        # A chain counts as the session that began it, and its next session takes the place of the one that ends.
        changed, continued = self._engine_of(session.requestor).start_next(session, needed, request)
        return changed, continued.response, continued.next_session

    def _require_permitted_next(self, session: Session, request: RequestorRequest) -> None:
        if session.requestor and session.requestor not in self._directory().requestors:
            raise NextSessionError("next session not authorized: the requestor is not active", session=session)
        judgement = self.judge_request(session.requestor, request, address=None)
        if judgement.refused_by is not None:
            self.note_refusal(request, session.requestor, judgement.refused_by)
            raise NextSessionError(f"next session not authorized: {judgement.reason}", session=session)

    def _write(self, session: Session, changed: Session) -> None:
        """Store a change; then tell of it, where the status is another."""
        engine = self.engine
        change = None if changed.status is session.status else status_change(changed)
        self._store.update(
            changed, session.revision, deadline=engine.deadline(changed), expires_at=engine.forgotten_at(changed), change=change
        )
        if change is None:
            return
        self._archive.session_changed(changed)
        proof_status = None if changed.proof_status is None else changed.proof_status.value
        log.info(
            "session.changed",
            requestor=changed.requestor,
            status=changed.status.value,
            proof_status=proof_status,
            started_by=changed.request_id,
        )
        if changed.status.is_finished and changed.request.callback_url:
            self._calls.send_result(changed, engine.forgotten_at(changed))

    # Time-outs

    def sweep(self) -> None:
        """End the sessions whose life time is over, so that listeners and callbacks learn of it without a request."""
        for token in self._store.overdue(self._clock(), SWEEP_LIMIT):
            try:
                self.load_by_client_token(token)
            except UnknownSessionError:
                continue
            except StoreError:
                raise
            except Exception as error:
                # A session that cannot be handled keeps no other from its end.
                log.error("session.sweep_failed", **fault(error))


def _reaches_beyond(request: RequestorRequest) -> bool:
    """Whether the answer to a request has effects elsewhere than in its session."""
    inner = request.request
    is_recorded = isinstance(inner, IssuanceRequest) and any(credential.revocation_key for credential in inner.credentials)
    return is_recorded or request.next_session_url is not None


def describe_refusal(refusal: SessionError) -> dict[str, Any]:
    """The remote error that a failed session shows in its result."""
    entry, message = remote_error(refusal)
    return entry.to_json(message)

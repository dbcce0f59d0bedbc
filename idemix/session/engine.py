"""The session engine: what happens to a session when a message comes in.

Every method takes a session and the message and returns the next session, mostly with a reply; nothing is read or
written elsewhere, but keys and the state of revocation, which are asked of those who keep them. A refusal is a
`SessionError` and leaves the session as it was, unless the error carries the session to store (`SessionFailedError`,
`NextSessionError`). A method that changes nothing returns the very session it was given.

Source: irmago `irma/server/irmaserver/handle.go`, `helpers.go`, `api.go`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from gmpy2 import mpz

from ..cl.primes import PrimePool
from ..clock import Clock
from ..errors import IdemixError, MalformedError, ProofRuleError, SessionError, UnknownPublicKeyError
from ..issuance.messages import IssueCommitmentMessage
from ..json_text import parse_json
from ..messages import Disclosure, SignedMessage
from ..request.base import SessionRequest
from ..request.condiscon import AttributeRequest, ConDisCon
from ..request.disclosure import DisclosureRequest
from ..request.issuance import IssuanceRequest
from ..request.reading import RequestRuleError
from ..request.requestor import RequestorRequest
from ..request.signature import SignatureRequest
from ..request.validation import check_request
from ..scheme.configuration import Configuration
from ..timestamp import NO_KEYS, TimestampKeys
from ..verification import DisclosedAttribute, ProofStatus, Verified, verify_disclosure, verify_signed_message
from .access import check_frontend, require_connected, same_secret
from .errors import (
    AttributesExpiredError,
    InvalidProofsError,
    IssuanceFailedError,
    MalformedInputError,
    NextSessionError,
    SessionFailedError,
    SessionUnauthorizedError,
    UnexpectedRequestError,
    UnknownKeyError,
    VerificationFailedError,
    WrongEndpointError,
)
from .events import Cancelled, ClientConnected, Event, Failed, PairingCompleted, PairingStarted, ResponseProcessed, TimedOut
from .issuing import Commitments, prepare_issuance, sign_credentials, verify_commitments
from .keys import IssuerKeys
from .pairing import SessionOptions, options_for, read_options_request
from .randomness import Randomness
from .replies import ChainContinued, ClientSessionRequest, NextSessionNeeded, ServerResponse, SessionPackage
from .result import SessionPointer
from .revocation import NoRevocation, RevocationStates, with_updates
from .session import ClientAuth, ClientToken, FrontendAuth, RememberedExchange, RequestorToken, Session
from .status import Action, PairingMethod, Status
from .transitions import next_status
from .version import negotiate, read_version_header

#: What stands in the host of a URL as it is; everything else is percent-encoded (Go `net/url`, encodeHost).
_HOST_CHARACTERS: Final = "!$&'()*+,;=:[]<>\""
#: How long an app that lost an answer may ask again; its HTTP client gives up before.
RETRY_WINDOW: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What the server's configuration says about sessions.

    Attributes:
        url: the address of the app protocol, with a slash at its end, e.g. `https://example.com/irma/`.
        production: whether `devMode` stays off.
        max_session_lifetime: how long an unfinished session lives after the last step of the app.
        session_result_lifetime: how long a finished session is kept.
        augment_client_return_url: whether requestors may have their token appended to the return URL.
    """

    url: str
    production: bool = False
    max_session_lifetime: timedelta = timedelta(minutes=15)
    session_result_lifetime: timedelta = timedelta(minutes=5)
    augment_client_return_url: bool = False


class SessionEngine:
    """Turns messages into sessions and replies.

    Args:
        configuration: the loaded schemes.
        issuer_keys: the keys to issue with.
        settings: see `EngineSettings`.
        clock: tells the time.
        randomness: makes tokens, codes and nonces, and the randomness of signatures.
        describe_error: gives the remote error, as JSON, that a failed session shows in its result.
        primes: gives the primes of signatures; by default each is found when it is needed.
        timestamp_keys: the keys of time-stamp servers that are trusted.
        revocation: the state of revocation; by default none is known.
    """

    def __init__(
        self,
        configuration: Configuration,
        issuer_keys: IssuerKeys,
        settings: EngineSettings,
        clock: Clock,
        randomness: Randomness,
        describe_error: Callable[[SessionError], Mapping[str, object]],
        primes: PrimePool | None = None,
        *,
        timestamp_keys: TimestampKeys = NO_KEYS,
        revocation: RevocationStates | None = None,
    ) -> None:
        self._configuration = configuration
        self._issuer_keys = issuer_keys
        self._settings = settings
        self._clock = clock
        self._randomness = randomness
        self._describe_error = describe_error
        self._primes = primes or PrimePool()
        self._timestamp_keys = timestamp_keys
        self._revocation = revocation or NoRevocation()

    # Starting

    def start(
        self,
        request: RequestorRequest,
        *,
        requestor: str = "",
        frontend_auth: FrontendAuth | None = None,
        implicit_disclosure: ConDisCon = (),
        request_id: str = "",
    ) -> tuple[Session, SessionPackage]:
        """Start a session. The request itself is not changed, so that a configured one can be started again and again.

        Args:
            request: what the requestor asks; permission to ask it is the caller's matter.
            requestor: the requestor's name; "" for static sessions and servers without authentication.
            frontend_auth: the frontend's secret, where it is kept in a chain; a new one is made where it is None.
            implicit_disclosure: what earlier sessions of the chain disclosed.
            request_id: of the request that starts the session, or the chain that it belongs to.

        Raises:
            MalformedRequestError: the request breaks a rule; `str()` is the reason for the requestor.
            UnknownIdentifierError: it names something that no scheme knows.
        """
        now = self._clock()
        if request.next_session_url == "":
            raise RequestRuleError("nextSession.url", "nextSession provided with empty URL", departure="next-session-url")
        check_request(request.request, self._configuration, may_augment_url=self._settings.augment_client_return_url)
        inner = request.request
        if isinstance(inner, IssuanceRequest):
            inner = prepare_issuance(inner, self._configuration, self._issuer_keys, self._revocation, now)
        token = RequestorToken(self._randomness.requestor_token())
        client_token = ClientToken(self._randomness.client_token())
        if inner.augment_return_url:
            separator = "&" if "?" in inner.client_return_url else "?"
            inner = replace(inner, client_return_url=f"{inner.client_return_url}{separator}token={token}")
        inner = replace(inner, context=mpz(1), nonce=self._randomness.nonce(), dev_mode=not self._settings.production)
        session = Session(
            requestor_token=token,
            client_token=client_token,
            frontend_auth=frontend_auth or FrontendAuth(self._randomness.frontend_authorization()),
            request=replace(request, request=inner),
            last_active=now,
            requestor=requestor,
            implicit_disclosure=implicit_disclosure,
            request_id=request_id,
        )
        return session, SessionPackage(self.pointer(session), token, session.frontend_auth, pairing_hint(request))

    def pointer(self, session: Session) -> SessionPointer:
        """The QR contents of a session; the host is the one that the request names, if it does."""
        url = f"{self._settings.url}session/{session.client_token}"
        if session.host:
            scheme, _, rest = url.partition("://")
            url = f"{scheme}://{quote(session.host, safe=_HOST_CHARACTERS)}/{rest.partition('/')[2]}"
        return SessionPointer(url, session.action)

    # The app

    def connect(
        self, session: Session, *, min_version: str | None, max_version: str | None, authorization: str
    ) -> tuple[Session, ClientSessionRequest]:
        """The app fetches the session for the first time.

        Args:
            session: the session.
            min_version: the header X-IRMA-MinProtocolVersion, None where it is absent.
            max_version: the header X-IRMA-MaxProtocolVersion.
            authorization: the header Authorization, which binds the session to this app; "" where it is absent.

        Raises:
            MalformedInputError: a version header is missing or malformed.
            UnexpectedRequestError: an app has fetched the session already.
            SessionFailedError: no common version, no authorization, or the state of revocation is not to be had.
        """
        client_min = read_version_header("X-IRMA-MinProtocolVersion", min_version)
        client_max = read_version_header("X-IRMA-MaxProtocolVersion", max_version)
        if session.status is not Status.INITIALIZED:
            raise UnexpectedRequestError("Session already started")
        now = self._clock()
        try:
            version = negotiate(client_min, client_max)
            if not authorization:
                raise SessionUnauthorizedError("No authorization header provided")
            request = with_updates(session.request.request, self._revocation, self._configuration)
        except SessionError as refusal:
            raise self._failed(session, refusal, last_active=now) from refusal
        pairing = session.options.pairing_method is not PairingMethod.NONE
        session = _after(
            session,
            PairingStarted() if pairing else ClientConnected(),
            last_active=now,
            client_auth=ClientAuth(authorization),
            version=version,
            request=replace(session.request, request=replace(request, protocol_version=version)),
        )
        return session, ClientSessionRequest(version, session.options, None if pairing else client_view(session))

    def get_request(self, session: Session, *, authorization: str) -> tuple[Session, SessionRequest]:
        """The app fetches the request, once pairing is done.

        Raises:
            PairingRequiredError: pairing is under way.
            UnexpectedRequestError: the session is not connected.
            SessionUnauthorizedError: another app than the one that connected.
        """
        require_connected(session, authorization)
        return session, client_view(session)

    def receive_proofs(self, session: Session, body: bytes, *, authorization: str) -> tuple[Session, ServerResponse | NextSessionNeeded]:
        """The app answers a disclosure or signature session.

        Proofs that are invalid end the session all the same; the status in the reply and the result tells.

        Raises:
            PairingRequiredError, UnexpectedRequestError, SessionUnauthorizedError: as for `get_request`.
            WrongEndpointError: it is an issuance session.
            MalformedInputError: the body cannot be read or lacks what the verification needs.
            SessionFailedError: an unknown public key, or an index out of range.
            NextSessionError: the proofs do not hold, so that the chain cannot go on.
        """
        require_connected(session, authorization)
        session = _changed(session, last_active=self._clock())
        with _malformed_input():
            match with_implicit_disclosure(session):
                case DisclosureRequest() as wanted:
                    disclosure = Disclosure.from_json(parse_json(body, "body"))
                    verify = partial(verify_disclosure, disclosure, wanted)
                case SignatureRequest() as wanted_signature:
                    message = SignedMessage.parse(body)
                    session = replace(session, signature=message)
                    verify = partial(verify_signed_message, message, wanted_signature, timestamp_keys=self._timestamp_keys)
                case _:
                    raise WrongEndpointError
            verify = partial(verify, self._configuration, now=session.last_active, revocation=self._revocation.setting)
            verified = self._verified(session, verify)
        return self._answered(session, verified, ServerResponse(verified.status))

    def receive_commitments(
        self, session: Session, body: bytes, *, authorization: str
    ) -> tuple[Session, ServerResponse | NextSessionNeeded]:
        """The app answers an issuance session: disclosures are verified, credentials signed.

        Raises:
            PairingRequiredError, UnexpectedRequestError, SessionUnauthorizedError: as for `get_request`.
            WrongEndpointError: it is no issuance session.
            MalformedInputError: the body cannot be read or lacks what the verification needs.
            SessionFailedError: too few proofs, a key that is not known, proofs that do not hold, attributes that have expired, a
                keyshare proof that is missing, or a credential that cannot be signed.
            NextSessionError: the chain cannot go on.
        """
        require_connected(session, authorization)
        session = _changed(session, last_active=self._clock())
        now = session.last_active
        with _malformed_input():
            message = IssueCommitmentMessage.from_json(parse_json(body, "body"))
            wanted = with_implicit_disclosure(session)
            if not isinstance(wanted, IssuanceRequest):
                raise WrongEndpointError
            try:
                commitments = Commitments.of(message, wanted, self._configuration, now=now)
            except SessionError as refusal:
                raise self._failed(session, refusal) from refusal
            verify = partial(verify_commitments, commitments, self._configuration, now=now, revocation=self._revocation.setting)
            verified = self._verified(session, verify, tells_cause=False)
        if verified.status is ProofStatus.EXPIRED:
            raise self._failed(session, AttributesExpiredError())
        if verified.status is not ProofStatus.VALID:
            raise self._failed(session, InvalidProofsError())
        try:
            signatures = sign_credentials(commitments, self._issuer_keys, now, self._randomness, self._primes, self._revocation)
        except IdemixError as cause:
            raise self._failed(session, IssuanceFailedError(str(cause))) from cause
        return self._answered(session, verified, ServerResponse(verified.status, signatures))

    def _verified(self, session: Session, verify: Callable[[], Verified], *, tells_cause: bool = True) -> Verified:
        """Run a verification; what is no matter of proof status fails the session. Answers to issuance do not tell the cause."""
        try:
            return verify()
        except MalformedError:
            raise
        except UnknownPublicKeyError as cause:
            raise self._failed(session, UnknownKeyError("Missing public key")) from cause
        except IdemixError as cause:
            raise self._failed(session, VerificationFailedError(str(cause) if tells_cause else "")) from cause

    def _answered(
        self, session: Session, verified: Verified, response: ServerResponse
    ) -> tuple[Session, ServerResponse | NextSessionNeeded]:
        url = session.request.next_session_url
        outcome: dict[str, Any] = {"proof_status": verified.status, "disclosed": verified.disclosed}
        if url is None:
            return _after(session, ResponseProcessed(), **outcome), response
        session = replace(session, **outcome)
        if verified.status is not ProofStatus.VALID:
            raise NextSessionError("session in invalid state", session=session)
        return session, NextSessionNeeded(url, session.result, response)

    def start_next(self, session: Session, needed: NextSessionNeeded, request: RequestorRequest | None) -> tuple[Session, ChainContinued]:
        """End a session whose next one was fetched, and start that one.

        The new session keeps the requestor, the frontend's secret and the request id, and must disclose again what this one disclosed.

        Args:
            session: the session, as `receive_proofs` or `receive_commitments` returned it.
            needed: the reply of that call.
            request: what was fetched, permitted to the session's requestor; None where the chain ends.

        Raises:
            NextSessionError: the next session cannot be started.
        """
        if request is None:
            return _after(session, ResponseProcessed()), ChainContinued(needed.response, None)
        try:
            following, package = self.start(
                request,
                requestor=session.requestor,
                frontend_auth=session.frontend_auth,
                implicit_disclosure=disclosed_again(session.disclosed),
                request_id=session.request_id,
            )
        except IdemixError as cause:
            raise NextSessionError(str(cause), session=session) from cause
        session = _after(session, ResponseProcessed(), next_token=package.token, next_pointer=package.pointer)
        return session, ChainContinued(replace(needed.response, next_session=package.pointer), following)

    # The frontend

    def set_options(self, session: Session, body: bytes, *, authorization: str) -> tuple[Session, SessionOptions]:
        """The frontend chooses the pairing method. Every choice of `pin` makes a new code.

        Raises:
            SessionUnauthorizedError: it is not this session's frontend.
            MalformedInputError: the body is no options request.
            UnexpectedRequestError: an app has connected already, or the method is unknown.
        """
        check_frontend(session, authorization)
        with _malformed_input():
            method = read_options_request(body)
        if session.status is not Status.INITIALIZED:
            raise UnexpectedRequestError("Frontend options can only be updated when session is in initialized state")
        if not method:
            return session, session.options
        options = options_for(method, self._randomness)
        return _changed(session, options=options), options

    def complete_pairing(self, session: Session, *, authorization: str) -> Session:
        """The frontend confirms the pairing code.

        Raises:
            SessionUnauthorizedError: it is not this session's frontend.
            UnexpectedRequestError: pairing is not under way.
        """
        check_frontend(session, authorization)
        if session.status is not Status.PAIRING:
            raise UnexpectedRequestError("Pairing was not enabled")
        return _after(session, PairingCompleted())

    # Ends and life times

    def cancel(self, session: Session) -> Session:
        """App, frontend or requestor ends the session; a finished one stays as it is."""
        if session.status.is_finished:
            return session
        return _after(_without_result(session), Cancelled(), last_active=self._clock())

    def check_timeout(self, session: Session) -> Session:
        """End the session if its life time is over. The moment of noticing counts as its last activity, so that its result can be read."""
        deadline = self.deadline(session)
        if deadline is None or self._clock() <= deadline:
            return session
        return _after(session, TimedOut(), last_active=self._clock())

    def deadline(self, session: Session) -> datetime | None:
        """When the session times out if nothing happens; None for a finished one."""
        if session.status.is_finished:
            return None
        limit = self._settings.max_session_lifetime
        if session.status is Status.INITIALIZED and session.request.timeout_seconds:
            limit = _seconds(session.request.timeout_seconds)
        return session.last_active + limit

    def forgotten_at(self, session: Session) -> datetime:
        """When a store may forget the session; a negative time-out of the requestor does not bring that forward."""
        return max(self.deadline(session) or session.last_active, session.last_active) + self._settings.session_result_lifetime

    # Repeated requests

    def recall(self, session: Session, path: str, body: bytes, *, authorization: str) -> RememberedExchange | None:
        """Find the answer to a request that the app repeats.

        The same caller, path and body as last time, an unchanged status, and no more than ten seconds since the app was active.
        """
        last = session.remembered
        if last is None or not self.is_repeated(session, path, body) or not same_secret(last.authorization, authorization):
            return None
        return last

    def is_repeated(self, session: Session, path: str, body: bytes) -> bool:
        """Whether a request is the last one once more, whoever sends it; to another caller than the first it is one like any other."""
        last = session.remembered
        return (
            last is not None
            and last.path == path
            and bool(last.response)
            and last.session_status is session.status
            and session.last_active >= self._clock() - RETRY_WINDOW
            and last.body_hash == sha256(body).digest()
        )

    def remember(self, session: Session, path: str, body: bytes, *, authorization: str, response: bytes, http_status: int) -> Session:
        """Keep an exchange with the app, refusals too, for `recall`. Answers to callers without the app's secret are not kept."""
        if session.client_auth is not None and not same_secret(session.client_auth, authorization):
            return session
        exchange = RememberedExchange(path, sha256(body).digest(), authorization, response, http_status, session.status)
        return _changed(session, remembered=exchange)

    def _failed(self, session: Session, refusal: SessionError, **changes: Any) -> SessionFailedError:
        return SessionFailedError(refusal, _after(_without_result(session), Failed(), error=self._describe_error(refusal), **changes))


def pairing_hint(request: RequestorRequest) -> bool:
    """Whether the frontend is advised to pair: in chains, when issuing or signing, and where a value is required."""
    if request.next_session_url:
        return True
    return request.request.action is not Action.DISCLOSING or request.request.requires_value()


def client_view(session: Session) -> SessionRequest:
    """The session request as the app sees it: without revocation keys."""
    request = session.request.request
    if not isinstance(request, IssuanceRequest):
        return request
    return replace(request, credentials=tuple(replace(credential, revocation_key="") for credential in request.credentials))


def with_implicit_disclosure(session: Session) -> SessionRequest:
    """The session request as the answer must satisfy it: the app adds by itself what earlier sessions of the chain disclosed."""
    request = session.request.request
    if not session.implicit_disclosure:
        return request
    return replace(request, disclose=request.disclose + session.implicit_disclosure)


def disclosed_again(disclosed: tuple[tuple[DisclosedAttribute, ...] | None, ...]) -> ConDisCon:
    """What a session must disclose that follows on one with these disclosed attributes."""
    return tuple((tuple(AttributeRequest(attribute.identifier, attribute.value) for attribute in group or ()),) for group in disclosed)


def _changed(session: Session, **changes: Any) -> Session:
    return replace(session, revision=session.revision + 1, **changes)


def _after(session: Session, event: Event, **changes: Any) -> Session:
    return _changed(session, status=next_status(session.status, event), **changes)


def _without_result(session: Session) -> Session:
    return replace(session, proof_status=None, disclosed=(), signature=None, error=None, next_token=None, next_pointer=None)


def _seconds(count: int) -> timedelta:
    """A number of seconds as a difference of times, cut to some thirty years so that it can be added to a date."""
    return timedelta(seconds=max(-(10**9), min(count, 10**9)))


@contextmanager
def _malformed_input() -> Iterator[None]:
    """Turns an error about the form of the caller's message into the refusal that leaves the session as it was."""
    try:
        yield
    except MalformedError as error:
        text = error.rule if isinstance(error, ProofRuleError) else str(error)
        raise MalformedInputError(text, departure=error.departure) from error

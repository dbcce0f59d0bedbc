"""What the views work with: the parts of a running gateway, and what each view needs of a request."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flask import Request, Response, current_app, g, request
from prometheus_client.registry import Collector

from idemix.errors import MalformedRequestError
from idemix.session.access import check_host
from idemix.session.engine import SessionEngine
from idemix.session.errors import UnexpectedRequestError
from idemix.session.session import Session

from .auth.base import Authenticated, Authenticator, Purpose, SignedBody, authenticate
from .auth.explanation import explain_unauthenticated
from .callbacks import RequestorCalls
from .config import GatewayConfig
from .errors import EventsDisabledError, InvalidRequestError, NotAuthenticatedError, remote_error
from .events import STREAM_HEADERS, EventHub
from .health import Health
from .hints import HINT_HEADER, hint_of
from .key_use import KeyUse
from .metrics import PROOF_SECONDS
from .requestors.directory import RequestorDirectory
from .result_jwt import ResultSigner
from .revocation.events import UpdateHub
from .revocation.service import Revocation
from .scheme_updates import SchemeUpdates
from .schemes import SchemeSource
from .sessions import AppMessage, Sessions, encode_json
from .stores.base import SessionStore, StatusChange, status_change

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

T = TypeVar("T")

JSON_CONTENT_TYPE: Final = "application/json; charset=UTF-8"
TEXT_CONTENT_TYPE: Final = "text/plain"
#: The reference looks for this anywhere in the text; a longer text is then an unknown session.
_TOKEN: Final = re.compile(r"[a-zA-Z0-9]{20}")


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of a running gateway.

    Attributes:
        config: the configuration.
        sessions: starts and continues sessions.
        store: keeps them.
        hub: streams their status, or None where `sse` is off.
        schemes: the schemes of the moment.
        directory: gives the requestors of the moment.
        authenticators: the methods of authentication, in the order in which they are tried.
        key_use: notes which keys are used, or None where there is no database.
        signer: signs results, or None.
        scheme_updates: keeps the schemes up to date and tells how old they are, or None where nothing is updated.
        calls: calls requestors' servers, and counts how that goes.
        revocation: revokes credentials, and tells what is revoked.
        revocation_updates: streams updates of revocation, or None where `sse` is off.
        health: whether this process can work.
        states: what metrics read when they are asked for.
        close: stops everything that runs in the background.
    """

    config: GatewayConfig
    sessions: Sessions
    store: SessionStore
    hub: EventHub | None
    schemes: SchemeSource
    directory: Callable[[], RequestorDirectory]
    authenticators: tuple[Authenticator, ...]
    key_use: KeyUse | None
    signer: ResultSigner | None
    scheme_updates: SchemeUpdates | None
    calls: RequestorCalls
    revocation: Revocation
    revocation_updates: UpdateHub | None
    health: Health
    states: tuple[Collector, ...]
    close: Callable[[], None]


def itself(proxy: T) -> T:
    """What one of Flask's proxies stands for: a look at it through the proxy costs more than what most looks are for."""
    current: T = proxy._get_current_object()  # type: ignore[attr-defined]
    return current


def current_gateway() -> Gateway:
    """The gateway that answers this request."""
    gateway: Gateway = itself(current_app).extensions["gateway"]
    return gateway


def current_request() -> Request:
    """The request that is answered."""
    return itself(request)


class WholeResponse(Response):
    """An answer whose headers are ready as they stand: it leads nowhere else, and its status lets it have a body, which is bytes."""

    def get_wsgi_response(self, environ: "WSGIEnvironment") -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """What Werkzeug gives, without its search for what is to be completed."""
        body = () if environ["REQUEST_METHOD"] == "HEAD" else (self.get_data(),)
        return body, self.status, list(self.headers)


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return WholeResponse(encode_json(value), status, content_type=JSON_CONTENT_TYPE)


def text_response(text: str | bytes) -> Response:
    """A plain answer."""
    return Response(text, content_type=TEXT_CONTENT_TYPE)


def empty_response(status: int = 200) -> Response:
    """An answer without body, and so without media type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def authorization() -> str:
    """The Authorization header, "" where it is absent. Its bytes are read as UTF-8."""
    value = request.headers.get("Authorization", "").strip(" \t")
    return value.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def authenticated(purpose: Purpose) -> Authenticated:
    """Find out which requestor sent this request, and read it.

    Raises:
        AuthenticationError, TokenRefusedError, MalformedRequestError: as of `gateway.auth`.
    """
    gateway, asked = current_gateway(), current_request()
    if asked.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise MalformedRequestError("Content-Encoding", "must be absent or identity", departure="content-encoding")
    signed = SignedBody(asked.headers.get("Content-Type", ""), authorization(), asked.get_data(), purpose)
    try:
        sender = authenticate(signed, gateway.directory(), gateway.authenticators)
    except NotAuthenticatedError as error:
        raise NotAuthenticatedError(str(error), explain_unauthenticated(signed, gateway.authenticators)) from error
    if gateway.key_use is not None and sender.key is not None:
        gateway.key_use.note(sender.key.id)
    return sender


def require_token(token: str, name: str) -> None:
    """Require that a token has the form of one.

    Raises:
        InvalidRequestError: it has not.
    """
    if _TOKEN.search(token) is None:
        raise InvalidRequestError(f"string did not pass input validation for {name}")


def requestor_session(token: str) -> Session:
    """The session that a requestor names."""
    require_token(token, "requestorToken")
    return current_gateway().sessions.load_by_requestor_token(token)


def load_client_session(token: str) -> Session:
    """Load the session that the app or frontend names, which must have come by the session's host."""
    return _by_its_host(current_gateway().sessions.load_by_client_token(token))


def recent_client_session(token: str) -> Session | None:
    """The session that the app names, as this process wrote it last, where that may serve `exchange`."""
    session = current_gateway().sessions.recent(token)
    return None if session is None else _by_its_host(session)


def _by_its_host(session: Session) -> Session:
    check_host(session, request.headers.get("Host", ""))
    return session


def client_session_loader() -> Callable[[], Session]:
    """Gives the session that was loaded before this view; loads it afresh from the second call on."""
    session: Session = g.session
    loaded, token = [session], session.client_token
    return lambda: loaded.pop() if loaded else load_client_session(token)


def exchange(step: Callable[[SessionEngine, Session], tuple[Session, Any]], body: bytes = b"") -> Response:
    """Have the session that was found before this view handle a message of the app, and answer.

    Args:
        step: has the engine handle it; gives the changed session and a reply with `to_json`.
        body: of the request.
    """
    recent: Session | None = g.recent
    load = client_session_loader() if recent is None else partial(load_client_session, recent.client_token)
    message = AppMessage(current_request().path, body, authorization(), step)
    answer = current_gateway().sessions.exchange(message, load, recent)
    g.refusal = answer.error
    return with_hint(WholeResponse(answer.body, answer.status, content_type=JSON_CONTENT_TYPE), answer.error)


def timed(step: Callable[[SessionEngine, Session], T]) -> Callable[[SessionEngine, Session], T]:
    """A step of the engine that verifies proofs, with its time taken."""

    def measured(engine: SessionEngine, session: Session) -> T:
        with PROOF_SECONDS.labels(session.action.value).time():
            return step(engine, session)

    return measured


def with_hint(response: Response, error: Exception | None) -> Response:
    """An answer that names, where its text does not, the field that an error is about."""
    if error is not None:
        hint = error.hint if isinstance(error, NotAuthenticatedError) else hint_of(remote_error(error)[1])
        if hint:
            response.headers[HINT_HEADER] = hint
    return response


def stream_events(load: Callable[[], Session], render: Callable[[StatusChange], Any]) -> Response:
    """Stream the changes of a session's status.

    Args:
        load: loads the session.
        render: what the listener is told.

    Raises:
        EventsDisabledError: events are off.
        UnexpectedRequestError: the session has ended.
    """
    hub = current_gateway().hub
    if hub is None:
        raise EventsDisabledError
    before = status_change(load())
    stream = hub.open(before.client_token, render, before)
    try:
        # Only now: what happens from here on reaches the stream.
        known = status_change(load())
        if known.status.is_finished:
            raise UnexpectedRequestError("Can't subscribe to server sent events of finished session")
        stream.begin_at(known)
    except BaseException:
        stream.close()
        raise
    return Response(stream, headers=STREAM_HEADERS, content_type="text/event-stream", direct_passthrough=True)

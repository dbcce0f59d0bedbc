"""The gateway as a Flask application: the requestor API and the app API of `irma server`."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from types import MappingProxyType
from typing import Final, TypeVar, cast

import structlog
from flask import Blueprint, Flask, Request, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.routing import MapAdapter

from idemix.cl.primes import PrimePool
from idemix.clock import Clock, system_clock
from idemix.scheme.configuration import Configuration
from idemix.session.access import check_frontend
from idemix.session.randomness import Randomness, SystemRandomness

from . import api_docs, client_api, cors, frontend_api, openapi, requestor_api, revocation_api, static_files
from .auth.base import Authenticator
from .auth.hmac import HmacAuthenticator
from .auth.jwks import JwksCache
from .auth.none import NoAuthenticator
from .auth.publickey import PublicKeyAuthenticator
from .auth.published import PublishedKeys
from .auth.token import TokenAuthenticator
from .background import Background, fault
from .callbacks import RequestorCalls
from .changes import Changes, Topic
from .config import DEPRECATED, MAX_BODY_BYTES, GatewayConfig
from .deliveries.base import DeliveryQueue
from .errors import (
    INTERNAL_ERROR,
    RETRY_SECONDS,
    UNAVAILABLE,
    InvalidRequestError,
    MalformedInputError,
    TooManyRequestsError,
    remote_error,
)
from .events import EventHub
from .health import DEFAULT_LIMITS, Check, Health, HealthLimits, issuer_keys_check, schemes_check, store_check, threads_check
from .key_use import KeyUse
from .limiter import limiter_beside
from .measured import CountedSessions, SchemeState
from .metrics import LISTENERS
from .observation import observe
from .outbound import OutboundClient
from .permissions import NO_PERMISSIONS
from .requestors.directory import DirectoryRequestor, RequestorDirectory
from .requestors.service import Requestors
from .revocation.events import UpdateHub
from .revocation.opening import open_revocation
from .revocation.tables import RevocationTables
from .runtime import (
    Gateway,
    authorization,
    current_gateway,
    current_request,
    empty_response,
    json_response,
    load_client_session,
    recent_client_session,
    require_token,
    with_hint,
)
from .scheme_updates import SchemeUpdates
from .schemes import CustodyKeys, FixedSchemes, SchemeDirectories, SchemeSource
from .sessions import NoArchive, SessionArchive, Sessions
from .startup import checked_directory
from .stores.base import SessionStore, StoreError
from .stores.factory import open_store
from .suspension import Suspensions
from .usage import Usage

log = structlog.get_logger(__name__)

T = TypeVar("T")

_APP_PATH: Final = "/irma/"
_CLIENT_PATH: Final = "/irma/session/"
_REQUESTOR_PATH: Final = "/session/"
#: The messages of the app that `gateway.runtime.exchange` handles, by what stands behind the client token.
_EXCHANGES: Final = frozenset({("GET", ""), ("GET", "request"), ("POST", "proofs"), ("POST", "commitments")})


def create_app(
    config: GatewayConfig,
    *,
    clock: Clock = system_clock,
    randomness: Randomness | None = None,
    schemes: SchemeSource | None = None,
    requestors: Requestors | None = None,
    custody_keys: CustodyKeys | None = None,
    changes: Changes | None = None,
    archive: SessionArchive | None = None,
    store: SessionStore | None = None,
    published_keys: PublishedKeys | None = None,
    outbound: OutboundClient | None = None,
    deliveries: DeliveryQueue | None = None,
    revocation: RevocationTables | None = None,
    background: bool = True,
    checks: Mapping[str, Check] = MappingProxyType({}),
    limits: HealthLimits = DEFAULT_LIMITS,
) -> Flask:
    """Make the gateway.

    Args:
        config: the configuration; everything it names is read and checked now.
        clock, randomness: every time, token, code and nonce comes from these.
        schemes: where schemes and issuer keys come from, by default the folders of the configuration and `custody_keys`.
        requestors: the requestors of the database, beside those of the configuration.
        custody_keys: opens the issuer keys in custody.
        changes: tells when requestors, schemes or issuer keys change.
        archive: keeps records of sessions.
        store: where sessions live, by default as the configuration says.
        published_keys: fetches the keys that requestors publish; by default from where `outbound` may call.
        outbound: calls the requestors' servers; by default as the configuration allows.
        deliveries: keeps the results that are to be delivered, by default in memory.
        revocation: the tables of revocation, by default as the configuration says.
        checks: looks at further components of the process, for `/health/ready`.
        limits: where the health of components ends.
        background: whether time-outs are looked for, uses of keys written, and primes found ahead, without a request.

    Raises:
        ConfigurationError: with every fault of the configuration.
    """
    config = config.with_local_url()
    updates: SchemeUpdates | None = None
    if schemes is None:
        schemes = _scheme_source(config, custody_keys, clock)
        if background and isinstance(schemes, SchemeDirectories):
            updates = scheme_updates(config, schemes, clock)
            updates.prepare()
    pepper = secrets.token_bytes(32) if requestors is None else requestors.snapshot().pepper
    configured, signer = checked_directory(
        config,
        schemes.current,
        clock,
        pepper=pepper,
        has_database=requestors is not None,
        has_revocation_tables=revocation is not None,
    )
    directory = (lambda: configured) if requestors is None else _joined(configured, requestors.snapshot)
    outbound = outbound or OutboundClient(config.outbound_policy)
    store = store or open_store(config, clock)
    calls = RequestorCalls(signer, outbound, store.get_by_requestor_token, clock, deliveries, appends_slash=config.callback_url_slash)
    primes = PrimePool()
    counted = CountedSessions(archive or NoArchive())
    revoker = open_revocation(config, lambda: schemes.current, revocation, clock)
    key_use = None if requestors is None else KeyUse(clock, requestors.keys_used)
    usage = None if requestors is None else Usage(clock, requestors.add_usage)
    written: tuple[KeyUse | Usage, ...] = tuple(one for one in (key_use, usage) if one is not None)
    sessions = Sessions(
        config,
        schemes,
        directory,
        store,
        calls,
        counted,
        clock,
        randomness or SystemRandomness(),
        primes,
        limiter_beside(store),
        usage,
        revoker,
    )
    hub = EventHub(store) if config.sse else None
    revocation_updates = UpdateHub(revoker.tables) if config.sse else None
    # On a thread of its own: other servers may be slow to answer.
    revoking = Background(revoker.work, *(() if revocation_updates is None else (revocation_updates.look,)))
    suspensions = Suspensions(directory, store, sessions)

    def count_listeners() -> None:
        if hub is not None:
            LISTENERS.set(hub.listeners)

    periodic = Background(sessions.sweep, suspensions.follow, *(one.write_if_due for one in written), count_listeners)

    def close() -> None:
        if updates is not None:
            updates.stop()
        periodic.stop()
        revoking.stop()
        primes.stop()
        for one in written:
            one.write()
        calls.close()
        if hub is not None:
            hub.close()
        revoker.close()
        store.close()

    threads = {"sessions": periodic, "revocation": revoking} if background else {}
    health = Health(
        {
            "sessions": store_check(store),
            "schemes": schemes_check(schemes, clock, limits, updates),
            "issuer_keys": issuer_keys_check(schemes, clock, limits),
            "background": threads_check({name: partial(_is_alive, thread) for name, thread in threads.items()}),
            **checks,
        }
    )
    gateway = Gateway(
        config,
        sessions,
        store,
        hub,
        schemes,
        directory,
        _authenticators(config, clock, published_keys or JwksCache(outbound, https_only=config.production)),
        key_use,
        signer,
        updates,
        calls,
        revoker,
        revocation_updates,
        health,
        (SchemeState(schemes, clock),),
        close,
    )
    if changes is not None:
        changes.on(Topic.SCHEMES, schemes.reload)
        changes.on(Topic.ISSUER_KEYS, schemes.reload)
        changes.on(Topic.REVOCATION, revoker.reload)
        changes.on(Topic.REQUESTORS, suspensions.follow)
    if background:
        periodic.start()
        revoking.start()
        primes.start()
        calls.start()
        if updates is not None:
            updates.start()
    for option in config.deprecated_options:
        log.warning("config.option_deprecated", option=option, reason=DEPRECATED[option])
    apps = () if config.client_port else _client_blueprints(config)
    prefix = config.path_prefix
    docs = api_docs.blueprint("api_docs", prefix, partial(openapi.document, prefix=prefix, version=version("irmahub")))
    return _flask(gateway, (requestor_api.blueprint(prefix), docs, *apps))


def _is_alive(thread: Background) -> bool:
    return thread.is_alive


def create_client_app(app: Flask) -> Flask:
    """The second application where `client_port` is given: what apps and frontends use, and static files, on a listener of its own.

    Args:
        app: what `create_app` gave; it then has the requestor API only. Both share sessions, and are closed as one.
    """
    gateway: Gateway = app.extensions["gateway"]
    return _flask(gateway, _client_blueprints(gateway.config))


def _client_blueprints(config: GatewayConfig) -> tuple[Blueprint, ...]:
    prefix = config.path_prefix
    apis = client_api.blueprint(prefix), frontend_api.blueprint(prefix), revocation_api.blueprint(prefix)
    return apis if config.static_path is None else (*apis, static_files.blueprint(prefix, config.static_prefix, config.static_path))


def _scheme_source(config: GatewayConfig, custody_keys: CustodyKeys | None, clock: Clock) -> SchemeSource:
    if config.schemes_path is None:
        return FixedSchemes(Configuration())
    return SchemeDirectories(config.schemes_path, config.privkeys, custody_keys, clock)


def scheme_updates(config: GatewayConfig, schemes: SchemeDirectories, clock: Clock) -> SchemeUpdates:
    """What keeps the scheme folder of a configuration up to date; nothing is started yet."""
    if config.schemes_path is None:
        raise ValueError("there is no folder of schemes")
    updates = SchemeUpdates(
        config.schemes_path,
        schemes,
        OutboundClient(config.outbound_policy),
        clock,
        interval=timedelta(minutes=config.schemes_update),
        https_only=config.production,
        assets_path=config.schemes_assets_path,
    )
    schemes.updater = updates.look_for
    return updates


def _authenticators(config: GatewayConfig, clock: Clock, published: PublishedKeys) -> tuple[Authenticator, ...]:
    if config.no_auth:
        return (NoAuthenticator(),)
    age, skew = config.max_request_age, config.clock_skew
    return (TokenAuthenticator(clock), HmacAuthenticator(clock, age, skew), PublicKeyAuthenticator(clock, age, skew, published))


def _joined(configured: RequestorDirectory, snapshot: Callable[[], RequestorDirectory]) -> Callable[[], RequestorDirectory]:
    """The requestors of the database with those of the configuration, which come first; joined anew for each snapshot."""
    if not configured.requestors and configured.global_permissions == NO_PERMISSIONS:
        return snapshot
    last: tuple[RequestorDirectory, RequestorDirectory] | None = None

    def directory() -> RequestorDirectory:
        nonlocal last
        current = snapshot()
        if last is None or last[0] is not current:
            both: dict[str, DirectoryRequestor] = {**current.requestors, **configured.requestors}
            shared = current.global_permissions.joined(configured.global_permissions)
            suspended = {name: reason for name, reason in current.suspended.items() if name not in both}
            joined = RequestorDirectory.of(both.values(), pepper=current.pepper, global_permissions=shared, suspended=suspended)
            last = (current, joined)
        return last[1]

    return directory


class _Flask(Flask):
    """Flask, without what it does at each request for applications of another kind.

    Views and hooks are plain functions, so that nothing has to find out at each call whether one is a coroutine.
    """

    def ensure_sync(self, func: Callable[..., T]) -> Callable[..., T]:
        return func

    def preprocess_request(self) -> ResponseReturnValue | None:
        """What Flask does, without asking for the blueprint of the request where none has hooks."""
        if self.before_request_funcs.keys() != {None} or self.url_value_preprocessors:
            return super().preprocess_request()
        for hook in self.before_request_funcs[None]:
            answer = cast("ResponseReturnValue | None", hook())
            if answer is not None:
                return answer
        return None

    def process_response(self, response: Response) -> Response:
        """As `preprocess_request`; there is no session of Flask's to save, and no view uses `after_this_request`."""
        if self.after_request_funcs.keys() != {None}:
            return super().process_response(response)
        for hook in reversed(self.after_request_funcs[None]):
            response = cast("Response", hook(response))
        return response

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What Flask's gives, without its search for a subdomain, of which there are none here, and its second look at the host."""
        if request is None or "HTTP_UPGRADE" in request.environ:  # Of an upgrade to a WebSocket the scheme is another one.
            return super().create_url_adapter(request)
        return self.url_map.bind(
            request.host,
            subdomain="",
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.environ["QUERY_STRING"],
        )


def _flask(gateway: Gateway, blueprints: Iterable[Blueprint]) -> Flask:
    app = _Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.extensions["gateway"] = gateway
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    observe(app, "gateway")
    app.before_request(_before_view)
    app.after_request(cors.add_headers)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _error)
    return app


def _before_view() -> Response | None:
    """What is done in this order before any view, also where none fits.

    Preflights are answered; of paths below a session its token is read; the app's paths have the session loaded, and the
    frontend's among them its secret compared; other methods are refused.
    """
    asked = current_request()
    if cors.is_preflight(asked):
        return cors.preflight_response(asked)
    if asked.environ["PATH_INFO"].startswith("//"):
        # Werkzeug reads over doubled slashes at the beginning; the reference does not.
        raise NotFound
    path = _path(asked)
    _check_requestor_path(path)
    _load_client_path(path, asked.method)
    if asked.method in ("HEAD", "OPTIONS") and asked.routing_exception is None and not static_files.is_static():
        raise MethodNotAllowed
    return None


def _path(asked: Request) -> str:
    """The path of a request within the prefix, "" where it is outside."""
    prefix = current_gateway().config.path_prefix
    return asked.path.removeprefix(prefix) if asked.path.startswith(prefix) else ""


def _below(path: str, base: str) -> str:
    """What stands in a path behind a base, "" where the path is another."""
    return path.removeprefix(base) if path.startswith(base) else ""


def _check_requestor_path(path: str) -> None:
    below = _below(path, _REQUESTOR_PATH)
    if below and "requestor_api" in current_app.blueprints:
        require_token(below.partition("/")[0], "requestorToken")


def _load_client_path(path: str, method: str) -> None:
    below = _below(path, _CLIENT_PATH)
    token, slash, rest = below.partition("/")
    is_static_session = method == "POST" and not slash
    if not below or is_static_session or not _is_client_path(path):
        return
    require_token(token, "clientToken")
    g.recent = recent_client_session(token) if (method, rest) in _EXCHANGES else None
    if g.recent is not None:
        return
    g.session = load_client_session(token)
    if rest.partition("/")[0] == "frontend":
        check_frontend(g.session, authorization())


def _is_client_path(path: str) -> bool:
    return path.startswith(_APP_PATH) and "client_api" in current_app.blueprints


def _http_error(error: HTTPException) -> Response:
    """Unknown paths, wrong methods and large bodies, each in the shape of its API."""
    path = _path(current_request())
    is_client_path = _is_client_path(path)
    if isinstance(error, RequestEntityTooLarge):
        refusal = MalformedInputError if is_client_path else InvalidRequestError
        return _error(refusal("http: request body too large"))
    if not isinstance(error, (NotFound, MethodNotAllowed)):
        return _error(InvalidRequestError(error.name))
    status = 404 if isinstance(error, NotFound) else 405
    if is_client_path and _below(path, f"/{revocation_api.PATH}"):
        return revocation_api.binary_response({"status": status, "error": "INVALID_REQUEST"}, status)
    if is_client_path:
        return json_response({"status": status, "error": "INVALID_REQUEST"}, status)
    if status == 404:
        return Response("404 page not found\n", status, content_type="text/plain; charset=utf-8")
    return empty_response(status)


def _error(error: Exception) -> Response:
    """Any other error, by the table of remote errors."""
    g.refusal = error
    entry, message = remote_error(error)
    if isinstance(error, StoreError):
        log.error("store.failed", endpoint=request.endpoint, error=type(error.__cause__ or error).__name__)
    elif entry is INTERNAL_ERROR:
        log.error("request.failed", endpoint=request.endpoint, **fault(error))
    response = with_hint(json_response(entry.to_json(message), entry.status), error)
    if entry is UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    if isinstance(error, TooManyRequestsError):
        response.headers["Retry-After"] = str(error.retry_after)
    return response

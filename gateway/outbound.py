"""The one client for calls to addresses that somebody else wrote: callbacks, next sessions, key sets, schemes.

A host is resolved once for each connection, its addresses are judged (`gateway.addresses`), and the connection is made to the very
addresses that were judged, so that a name server that changes its answer in between gains nothing. Since this happens where
connections are made, no redirect and no retry goes around it. The name stays in the Host header, in SNI and in the check of the
certificate. Size and time of an answer are limited as a whole. Proxies of the environment are not used, cookies not kept.
"""

import math
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import httpcore
import httpx

from idemix.errors import IdemixError

from .addresses import AddressPolicy, Resolver, origin, parse_url, resolve

#: irmago `irma/transport.go`: 20 seconds for a request, body included; redirects are followed ten times.
TIMEOUT_SECONDS: Final = 20.0
MAX_REDIRECTS: Final = 10
USER_AGENT: Final = "irmago"
#: The default limit of an answer's body, in bytes.
MAX_ANSWER_BYTES: Final = 1024 * 1024
#: Connections at the same time, and idle ones that are kept.
_MAX_CONNECTIONS: Final = 128
_MAX_IDLE: Final = 16
_IDLE_SECONDS: Final = 5.0
#: No cookie is taken or sent: what the server of one caller sets must not reach that of another.
_NO_COOKIES: Final = DefaultCookiePolicy(allowed_domains=())

#: When the request of this thread must be over, by `time.monotonic`.
_ends_at: ContextVar[float] = ContextVar("irmahub_outbound_ends_at")


class OutboundError(IdemixError):
    """A call that brought no answer. The text names protocol, host and port of the address, and nothing else of it."""


class UnreachableError(OutboundError):
    """The host is not known, does not answer, or breaks off; it may answer another time."""


class UnusableAnswerError(OutboundError):
    """The answer is too large, takes too long, cannot be unpacked, or sends us on too often or to no safe place."""


@dataclass(frozen=True, slots=True)
class OutboundAnswer:
    """What an address answered.

    Attributes:
        status: HTTP status.
        headers: by their names in small letters.
        body: unpacked; empty where it was not asked for.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class OutboundClient:
    """Calls addresses within a policy. May be used by several threads; connections are kept open and used again.

    Args:
        policy: which hosts may be called.
        resolver: gives the network addresses of a host.
        ssl_context: which certificates are trusted, by default those of the system and of `certifi`.
        user_agent: the header.
        transport: carries the calls in place of the network, for a replay.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        resolver: Resolver = resolve,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.policy = policy
        self._resolver = resolver
        self._ssl_context = ssl_context
        self._user_agent = user_agent
        self._transport = transport

    @cached_property
    def _client(self) -> httpx.Client:
        """Made when first used: reading the trusted certificates takes a while."""
        transport = self._transport
        if transport is None:
            transport = _GuardedTransport(self._ssl_context or _trusted_certificates(), _GuardedBackend(self.policy, self._resolver))
        client = httpx.Client(transport=transport, trust_env=False, headers={"User-Agent": self._user_agent}, timeout=TIMEOUT_SECONDS)
        client.cookies.jar.set_policy(_NO_COOKIES)
        return client

    def get(self, url: str, **options: Any) -> OutboundAnswer:
        """`request` with GET."""
        return self.request("GET", url, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = MAX_ANSWER_BYTES,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_redirects: int = MAX_REDIRECTS,
        https_only: bool = False,
    ) -> OutboundAnswer:
        """Call an address, and read its answer.

        A redirect is followed where it keeps the method (307 and 308, any of GET) and does not leave https; another one is the answer.

        Args:
            method, url, content, headers: the request.
            max_bytes: how large the unpacked body may be; None leaves it unread.
            timeout_seconds: for everything together, from the connection to the last byte after the last redirect.
            max_redirects: how many are followed.
            https_only: refuse http, also in redirects.

        Raises:
            AddressRefusedError: the address, or one that a redirect leads to, must not be called.
            UnreachableError: nobody answered.
            UnusableAnswerError: the answer breaks a limit.
        """
        mark = _ends_at.set(time.monotonic() + timeout_seconds)
        target = parse_url(url, https_only=https_only)
        try:
            request = self._client.build_request(method, target, content=content, headers=headers, timeout=timeout_seconds)
            for _ in range(max_redirects + 1):
                with closing(self._client.send(request, stream=True)) as response:
                    following = response.next_request
                    if following is None or following.method != method:
                        return OutboundAnswer(response.status_code, dict(response.headers), _body(response, max_bytes))
                target = parse_url(str(following.url), https_only=https_only or request.url.scheme == "https")
                request = following
        except httpx.DecodingError as error:
            raise UnusableAnswerError(f"{origin(target)}: the answer cannot be unpacked") from error
        except httpx.ConnectError as error:
            raise UnreachableError(f"{origin(target)} cannot be reached: {error}") from error
        except httpx.HTTPError as error:
            # The text of other errors may quote what the server sent, which may be what it was sent.
            raise UnreachableError(f"{origin(target)} does not answer: {type(error).__name__}") from error
        finally:
            _ends_at.reset(mark)
        raise UnusableAnswerError(f"{origin(target)} sends on more than {max_redirects} times")

    def close(self) -> None:
        """Close all connections."""
        if "_client" in vars(self):
            self._client.close()


def _body(response: httpx.Response, max_bytes: int | None) -> bytes:
    """Read the body of an answer; raises where it is larger than it may be."""
    body = bytearray()
    if max_bytes is not None:
        for part in response.iter_bytes():
            body += part
            if len(body) > max_bytes:
                raise UnusableAnswerError(f"{origin(response.request.url)}: the answer is larger than {max_bytes} bytes")
    return bytes(body)


@cache
def _trusted_certificates() -> ssl.SSLContext:
    """Those that httpx brings, and those of the system, where operators put their own authorities."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


class _GuardedTransport(httpx.HTTPTransport):
    """httpx's transport over a pool whose connections a backend of ours makes; httpx has no parameter for it."""

    def __init__(self, ssl_context: ssl.SSLContext, backend: httpcore.NetworkBackend) -> None:
        super().__init__(verify=ssl_context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_IDLE,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=backend,
        )


class _GuardedBackend(httpcore.NetworkBackend):
    """Makes connections to the addresses that the policy allows, and to no other."""

    def __init__(self, policy: AddressPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._policy.addresses(host, port, self._resolver)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for number, address in enumerate(addresses):
            # An address that does not answer leaves time for the others.
            seconds = _remaining(timeout, httpcore.ConnectTimeout) / (len(addresses) - number)
            try:
                return _TimedStream(self._backend.connect_tcp(address, port, seconds, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses) - 1:
                    raise
        raise AssertionError("unreachable")

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None) -> Any:
        raise NotImplementedError


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every step ends when the request of this thread must be over."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _remaining(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, _remaining(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _remaining(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float:
    """The seconds that a step of this thread's request may take; raises where there are none left."""
    seconds = min(math.inf if timeout is None else timeout, _ends_at.get() - time.monotonic())
    if seconds <= 0:
        raise expired("the time is over")
    return seconds

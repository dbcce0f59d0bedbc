"""Calls to requestors: what each fault on the way becomes, and what is sent again."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from gateway import callbacks
from gateway.addresses import WITH_PRIVATE, AddressPolicy
from gateway.audit.service import Audit
from gateway.callbacks import BACKOFF_SECONDS, RequestorCallError, RequestorCalls
from gateway.database import Database
from gateway.deliveries.service import Deliveries, DeliveryInfo
from gateway.models import DeliveryState
from gateway.outbound import OutboundClient, UnreachableError
from gateway.stores.memory import MemoryStore
from idemix.request import parse_session_request
from idemix.session.session import Session
from idemix.session.status import Status
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN
from tests.support.gateways import DISCLOSURE, TestGateway, signing_key_pem
from tests.support.processes import wait_until
from tests.support.requestor_server import RequestorServer
from tests.support.web_server import Page, WebServer, running_web_server

EXPIRES_AT = START + timedelta(minutes=5)
LONG = START + timedelta(days=7)


@pytest.fixture
def store(clock: SettableClock) -> Iterator[MemoryStore]:
    made = MemoryStore(clock)
    yield made
    made.close()


@pytest.fixture
def make_calls(clock: SettableClock, store: MemoryStore) -> Iterator[Callable[..., RequestorCalls]]:
    """Makes calls without signature that do not wait between quick retries."""
    made: list[RequestorCalls] = []

    def make(deliveries: Deliveries | None = None, policy: AddressPolicy = WITH_PRIVATE) -> RequestorCalls:
        made.append(RequestorCalls(None, OutboundClient(policy), store.get_by_requestor_token, clock, deliveries, sleep=lambda _: None))
        return made[-1]

    yield make
    for calls in made:
        calls.close()


@pytest.fixture
def calls(make_calls: Callable[..., RequestorCalls]) -> RequestorCalls:
    return make_calls()


@pytest.fixture
def deliveries(database: Database, clock: SettableClock) -> Deliveries:
    return Deliveries(database, Audit(database, clock=clock), lambda: bytes(32), clock=clock)


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running_web_server() as running:
        yield running


def session(url: str, number: int = 1) -> Session:
    return Session(
        requestor_token=f"requestor{number:011}",  # type: ignore[arg-type]
        client_token=f"client{number:014}",  # type: ignore[arg-type]
        frontend_auth="f" * 20,  # type: ignore[arg-type]
        request=parse_session_request({"nextSession": {"url": url}, "callbackUrl": url, "request": DISCLOSURE}),
        last_active=START,
    )


def ended(store: MemoryStore, url: str, number: int = 1, expires_at: Any = EXPIRES_AT) -> Session:
    """A session in the store that has ended."""
    made = replace(session(url, number), status=Status.CANCELLED)
    store.add(made, deadline=expires_at, expires_at=expires_at)
    return made


def only(deliveries: Deliveries) -> DeliveryInfo:
    (info,) = deliveries.list(ADMIN)
    return info


def wait_for(deliveries: Deliveries, attempts: int) -> DeliveryInfo:
    """Wait until the only delivery was tried so often."""
    wait_until(lambda: bool(found := deliveries.list(ADMIN)) and found[0].attempts == attempts, f"attempt {attempts}", seconds=5)
    return only(deliveries)


# Next sessions


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "no web address"),
        ("ftp://shop.example/", "must be an http or https"),
        ("http://[::1", "no web address"),
        (f"http://{'a' * 64}.example/", "no web address"),
        ("http://127.0.0.1:1/", "cannot be reached: .*refused"),
    ],
)
def test_an_address_that_leads_nowhere(calls: RequestorCalls, url: str, message: str) -> None:
    with pytest.raises(RequestorCallError, match=message):
        calls.ask_next_session(session(url))


def test_an_answer_in_no_encoding(calls: RequestorCalls, requestor_server: RequestorServer) -> None:
    requestor_server.answer, requestor_server.headers = b"plain", {"Content-Encoding": "gzip"}
    with pytest.raises(RequestorCallError, match="unpacked"):
        calls.ask_next_session(session(requestor_server.url))
    requestor_server.answer = gzip.compress(b"{}")
    assert calls.ask_next_session(session(requestor_server.url)) == b"{}"


def test_an_answer_that_grows_when_it_is_unpacked(calls: RequestorCalls, requestor_server: RequestorServer) -> None:
    requestor_server.answer, requestor_server.headers = gzip.compress(bytes(callbacks.MAX_BODY_BYTES + 1)), {"Content-Encoding": "gzip"}
    with pytest.raises(RequestorCallError, match="larger than"):
        calls.ask_next_session(session(requestor_server.url))


# Results


def test_what_a_callback_is_answered_is_not_read(calls: RequestorCalls, store: MemoryStore, requestor_server: RequestorServer) -> None:
    requestor_server.answer, requestor_server.headers = b"plain", {"Content-Encoding": "gzip"}
    calls.send_result(ended(store, requestor_server.url + "cb"), EXPIRES_AT)
    calls.close()
    assert [call.path for call in requestor_server.calls] == ["/cb/"]
    assert calls.counts == {"delivered": 1, "retried": 0, "failed": 0, "expired": 0, "lost": 0}


@pytest.mark.parametrize("with_database", [False, True])
def test_a_failed_callback_is_sent_again_later_and_later(
    make_calls: Callable[..., RequestorCalls],
    deliveries: Deliveries,
    store: MemoryStore,
    requestor_server: RequestorServer,
    clock: SettableClock,
    with_database: bool,
) -> None:
    calls = make_calls(deliveries if with_database else None)
    requestor_server.status = 503
    calls.send_result(ended(store, requestor_server.url + "cb?k=secret", expires_at=LONG), LONG)
    for number, seconds in enumerate(BACKOFF_SECONDS, 1):
        wait_until(lambda number=number: calls.counts["retried"] == number, f"attempt {number}", seconds=5)
        assert len(requestor_server.calls) == number
        clock.advance(seconds=seconds * 0.79)
        calls._wake.set()
        time.sleep(0.02)
        assert len(requestor_server.calls) == number
        clock.advance(seconds=seconds * 0.5)
        calls._wake.set()
    wait_until(lambda: calls.counts["failed"] == 1, "the end", seconds=5)
    assert len(requestor_server.calls) == len(BACKOFF_SECONDS) + 1
    if with_database:
        info = only(deliveries)
        assert (info.state, info.attempts, info.last_status) == (DeliveryState.FAILED, 11, 503)
        assert info.origin == requestor_server.url.rstrip("/")


@pytest.mark.parametrize(("status", "state"), [(200, "delivered"), (204, "delivered"), (302, "failed"), (404, "failed"), (410, "failed")])
def test_what_an_answer_means(
    make_calls: Callable[..., RequestorCalls],
    deliveries: Deliveries,
    store: MemoryStore,
    requestor_server: RequestorServer,
    status: int,
    state: str,
) -> None:
    requestor_server.status = status
    calls = make_calls(deliveries)
    calls.send_result(ended(store, requestor_server.url), EXPIRES_AT)
    assert wait_for(deliveries, 1).state.value == state
    assert len(requestor_server.calls) == 1


def test_a_redirect_that_keeps_the_result_is_followed(
    make_calls: Callable[..., RequestorCalls], deliveries: Deliveries, store: MemoryStore, server: WebServer
) -> None:
    server.pages = {"/cb/": Page(status=308, headers={"Location": "/new"}), "/new": Page()}
    calls = make_calls(deliveries)
    calls.send_result(ended(store, server.url + "cb"), EXPIRES_AT)
    assert wait_for(deliveries, 1).state is DeliveryState.DELIVERED
    assert json.loads(server.visits[1].body)["status"] == "CANCELLED"


def test_the_last_attempt_comes_before_the_result_expires(
    make_calls: Callable[..., RequestorCalls],
    deliveries: Deliveries,
    store: MemoryStore,
    requestor_server: RequestorServer,
    clock: SettableClock,
) -> None:
    requestor_server.status = 500
    calls = make_calls(deliveries)
    expires_at = START + timedelta(seconds=15)
    calls.send_result(ended(store, requestor_server.url, expires_at=expires_at), expires_at)
    wait_for(deliveries, 1)
    clock.advance(seconds=6)
    calls._wake.set()
    info = wait_for(deliveries, 2)
    assert info.state is DeliveryState.EXPIRED
    assert "then the result expired" in (info.last_error or "")


def test_a_result_that_is_gone_has_expired(
    make_calls: Callable[..., RequestorCalls],
    deliveries: Deliveries,
    store: MemoryStore,
    requestor_server: RequestorServer,
    clock: SettableClock,
) -> None:
    requestor_server.status = 500
    calls = make_calls(deliveries)
    calls.send_result(ended(store, requestor_server.url), EXPIRES_AT)
    wait_for(deliveries, 1)
    clock.advance(minutes=6)
    calls._wake.set()
    wait_until(lambda: only(deliveries).state is DeliveryState.EXPIRED, "the end", seconds=5)
    assert only(deliveries).last_error == "the result has expired"
    assert len(requestor_server.calls) == 1


def test_what_a_restart_left_is_sent_by_one_worker(
    make_calls: Callable[..., RequestorCalls],
    deliveries: Deliveries,
    store: MemoryStore,
    requestor_server: RequestorServer,
    clock: SettableClock,
) -> None:
    requestor_server.status = 502
    first = make_calls(deliveries)
    for number in range(5):
        first.send_result(ended(store, requestor_server.url, number), EXPIRES_AT)
    first.close()
    assert len(requestor_server.calls) == 5
    requestor_server.status = 200
    clock.advance(seconds=10)
    for _ in range(3):
        make_calls(deliveries).start()
    wait_until(lambda: all(info.state is DeliveryState.DELIVERED for info in deliveries.list(ADMIN)), "all", seconds=5)
    assert len(requestor_server.calls) == 10
    assert {info.attempts for info in deliveries.list(ADMIN)} == {2}


def test_a_result_is_sent_again_by_hand(
    make_calls: Callable[..., RequestorCalls], deliveries: Deliveries, store: MemoryStore, requestor_server: RequestorServer
) -> None:
    requestor_server.status = 404
    calls = make_calls(deliveries)
    calls.send_result(ended(store, requestor_server.url), EXPIRES_AT)
    info = wait_for(deliveries, 1)
    assert info.state is DeliveryState.FAILED
    requestor_server.status = 200
    deliveries.resend(ADMIN, info.id, "mended")
    assert wait_for(deliveries, 2).state is DeliveryState.DELIVERED


def test_a_server_that_hangs_keeps_no_other_waiting(calls: RequestorCalls, store: MemoryStore, server: WebServer) -> None:
    going = threading.Event()
    with running_web_server() as slow:
        slow.otherwise = lambda _visit: Page(before=lambda: going.wait(10)) if going.wait(10) else Page()
        server.pages["/cb/"] = Page()
        try:
            for number in range(100):
                calls.send_result(ended(store, slow.url + "cb", number), EXPIRES_AT)
            wait_until(lambda: len(slow.visits) == 4, "the calls to the slow server")
            started = time.monotonic()
            for number in range(100, 120):
                calls.send_result(ended(store, server.url + "cb", number), EXPIRES_AT)
            wait_until(lambda: len(server.visits) == 20, "the calls to the other", seconds=5)
            assert time.monotonic() - started < 3
            assert len(slow.visits) == 4
        finally:
            going.set()


def test_the_database_may_be_away(
    make_calls: Callable[..., RequestorCalls],
    deliveries: Deliveries,
    store: MemoryStore,
    requestor_server: RequestorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("the database is away")

    monkeypatch.setattr(deliveries, "add", refuse)
    calls = make_calls(deliveries)
    calls.send_result(ended(store, requestor_server.url), EXPIRES_AT)
    wait_until(lambda: calls.counts["delivered"] == 1, "the call", seconds=5)


def test_losses_are_counted(
    make_calls: Callable[..., RequestorCalls], store: MemoryStore, requestor_server: RequestorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    requestor_server.status = 503
    monkeypatch.setattr(callbacks, "_INBOX", 2)
    calls = make_calls()
    monkeypatch.setattr(calls, "start", lambda: None)
    for number in range(5):
        calls.send_result(ended(store, requestor_server.url, number), EXPIRES_AT)
    assert calls.counts["lost"] == 3
    monkeypatch.undo()
    calls.start()
    wait_until(lambda: calls.counts["retried"] == 2, "the calls", seconds=5)
    calls.close()
    assert calls.counts["lost"] == 5  # what is in memory ends with the process


class _Hanging:
    """In the place of a client: its calls end when they are released."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def request(self, *_arguments: object, **_options: object) -> None:
        self.release.wait(30)
        raise UnreachableError("at last")

    def close(self) -> None:
        """There is nothing to close."""


def test_callbacks_that_hang_are_given_up_when_the_process_stops(
    make_gateway: Callable[..., TestGateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.callbacks.DRAIN_SECONDS", 0.1)
    hanging = _Hanging()
    gateway = make_gateway({"outbound": hanging}, allow_unsigned_callbacks=True)
    package = gateway.start({"request": DISCLOSURE, "callbackUrl": "https://shop.example/"})
    gateway.client.delete(f"/session/{package['token']}")
    with capture_logs() as logs:
        gateway.gateway.close()
    assert [entry["callbacks"] for entry in logs if entry["event"] == "callback.given_up"] == [1]
    hanging.release.set()


# Through the gateway

REQUEST = {"request": DISCLOSURE}


def cancelled(gateway: TestGateway, url: str) -> None:
    package = gateway.start({"callbackUrl": url, **REQUEST})
    gateway.client.delete(f"/session/{package['token']}")


@pytest.mark.feature("G9.1")
@pytest.mark.feature("G9.2")
def test_a_gateway_in_production_calls_no_private_address(
    make_gateway: Callable[..., TestGateway], deliveries: Deliveries, server: WebServer
) -> None:
    options = {"production": True, "no_tls": True, "jwt_privkey": signing_key_pem()}
    gateway = make_gateway({"deliveries": deliveries}, **options)
    cancelled(gateway, server.url)
    info = wait_for(deliveries, 1)
    assert info.state is DeliveryState.FAILED
    assert "outbound_allow" in (info.last_error or "")
    assert not server.visits
    request = parse_session_request({"nextSession": {"url": server.url}, "request": DISCLOSURE})
    with pytest.raises(RequestorCallError, match="outbound_allow"):
        gateway.gateway.calls.ask_next_session(replace(session(server.url), request=request))
    assert not server.visits
    # One that leads inside by a redirect is not called either.
    server.otherwise = lambda _visit: Page(status=307, headers={"Location": "http://127.0.0.2/"})
    gateway = make_gateway({"deliveries": deliveries}, **options, outbound_allow=["127.0.0.1"])
    cancelled(gateway, server.url)
    wait_until(lambda: len(deliveries.list(ADMIN, state=DeliveryState.FAILED)) == 2, "the end", seconds=5)
    assert len(server.visits) == 1


def test_a_callback_is_signed_and_leaves_no_value_behind(
    make_gateway: Callable[..., TestGateway], deliveries: Deliveries, database: Database, requestor_server: RequestorServer
) -> None:
    gateway = make_gateway({"deliveries": deliveries}, jwt_privkey=signing_key_pem())
    cancelled(gateway, requestor_server.url + "cb/secret-path?k=secret-query")
    assert wait_for(deliveries, 1).state is DeliveryState.DELIVERED
    (call,) = requestor_server.calls
    assert call.content_type == "text/plain; charset=UTF-8"
    assert call.body.count(".") == 2
    with database.read() as sql:
        rows = sql.execute(text("SELECT * FROM deliveries")).all()
    assert "secret" not in str(rows)

"""Calls to requestors: what each fault on the way becomes."""

import gzip
import threading
from collections.abc import Callable, Iterator

import httpx
import pytest
from structlog.testing import capture_logs

from gateway import callbacks
from gateway.callbacks import RequestorCallError, RequestorCalls
from idemix.request import parse_session_request
from idemix.session.session import Session
from tests.support.clock import START
from tests.support.gateways import DISCLOSURE, TestGateway
from tests.support.requestor_server import RequestorServer


@pytest.fixture
def calls() -> Iterator[RequestorCalls]:
    """Calls without signature that do not wait between attempts."""
    made = RequestorCalls(None, sleep=lambda _: None)
    yield made
    made.close()


def session(url: str) -> Session:
    return Session(
        requestor_token="r" * 20,  # type: ignore[arg-type]
        client_token="c" * 20,  # type: ignore[arg-type]
        frontend_auth="f" * 20,  # type: ignore[arg-type]
        request=parse_session_request({"nextSession": {"url": url}, "callbackUrl": url, "request": DISCLOSURE}),
        last_active=START,
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "cannot be used"),
        ("ftp://shop.example/", "cannot be used"),
        ("http://[::1", "cannot be used"),
        (f"http://{'a' * 64}.example/", "cannot be used"),
        ("http://127.0.0.1:1/", "cannot be reached: ConnectError"),
    ],
)
def test_an_address_that_leads_nowhere(calls: RequestorCalls, url: str, message: str) -> None:
    with pytest.raises(RequestorCallError, match=message):
        calls.ask_next_session(session(url))


def test_an_answer_in_no_encoding(calls: RequestorCalls, requestor_server: RequestorServer) -> None:
    requestor_server.answer, requestor_server.headers = b"plain", {"Content-Encoding": "gzip"}
    with pytest.raises(RequestorCallError, match="cannot be read: DecodingError"):
        calls.ask_next_session(session(requestor_server.url))
    requestor_server.answer = gzip.compress(b"{}")
    assert calls.ask_next_session(session(requestor_server.url)) == b"{}"


def test_an_answer_that_grows_when_it_is_unpacked(calls: RequestorCalls, requestor_server: RequestorServer) -> None:
    requestor_server.answer, requestor_server.headers = gzip.compress(bytes(callbacks.MAX_BODY_BYTES + 1)), {"Content-Encoding": "gzip"}
    with pytest.raises(RequestorCallError, match="too large"):
        calls.ask_next_session(session(requestor_server.url))


def test_an_answer_that_takes_too_long(calls: RequestorCalls, requestor_server: RequestorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "ANSWER_SECONDS", -1.0)
    requestor_server.answer = b"{}"
    with pytest.raises(RequestorCallError, match="takes too long"):
        calls.ask_next_session(session(requestor_server.url))


def test_what_a_callback_is_answered_is_not_read(requestor_server: RequestorServer) -> None:
    requestor_server.answer, requestor_server.headers = b"plain", {"Content-Encoding": "gzip"}
    calls = RequestorCalls(None)
    calls.send_result(session(requestor_server.url + "cb"))
    calls.close()
    assert [call.path for call in requestor_server.calls] == ["/cb/"]


def test_callbacks_that_hang_are_given_up_when_the_process_stops(
    make_gateway: Callable[..., TestGateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.callbacks.DRAIN_SECONDS", 0.1)
    release = threading.Event()

    def hang(_request: httpx.Request) -> httpx.Response:
        release.wait(30)
        raise httpx.ReadTimeout("at last")

    calls = RequestorCalls(None, transport=httpx.MockTransport(hang))
    gateway = make_gateway({"calls": calls}, allow_unsigned_callbacks=True)
    package = gateway.start({"request": DISCLOSURE, "callbackUrl": "https://shop.example/"})
    gateway.client.delete(f"/session/{package['token']}")
    with capture_logs() as logs:
        calls.close()
    assert [entry["callbacks"] for entry in logs if entry["event"] == "callback.given_up"] == [1]
    release.set()

"""Calls to requestors: what each fault on the way becomes."""

import gzip
import threading
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs

from gateway import callbacks
from gateway.addresses import WITH_PRIVATE
from gateway.callbacks import RequestorCallError, RequestorCalls
from gateway.outbound import OutboundClient, UnreachableError
from idemix.request import parse_session_request
from idemix.session.session import Session
from tests.support.clock import START
from tests.support.gateways import DISCLOSURE, TestGateway
from tests.support.requestor_server import RequestorServer


@pytest.fixture
def calls() -> Iterator[RequestorCalls]:
    """Calls without signature that do not wait between attempts."""
    made = RequestorCalls(None, OutboundClient(WITH_PRIVATE), sleep=lambda _: None)
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


def test_what_a_callback_is_answered_is_not_read(requestor_server: RequestorServer) -> None:
    requestor_server.answer, requestor_server.headers = b"plain", {"Content-Encoding": "gzip"}
    calls = RequestorCalls(None, OutboundClient(WITH_PRIVATE))
    calls.send_result(session(requestor_server.url + "cb"))
    calls.close()
    assert [call.path for call in requestor_server.calls] == ["/cb/"]


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

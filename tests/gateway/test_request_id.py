"""Requests have an id, from a backend's first request to its callback."""

from collections.abc import Callable

import pytest
import structlog
from structlog.testing import capture_logs

from tests.support.gateways import DISCLOSURE, ISSUANCE, TOKEN, TestGateway, signing_key_pem
from tests.support.requestor_server import RequestorServer

ID = "0b5d2c9e-7f44-4b7e-9a55-3d2f6a1c8e70"


@pytest.mark.parametrize("given", [ID, ID.upper(), ID.replace("-", "")])
def test_id_of_the_callers_is_taken(gateway: TestGateway, given: str) -> None:
    assert gateway.client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "123456789", "a" * 20, ID + "x", ID + "\t", "canary", "{" + ID + "}"])
def test_what_could_be_a_value_is_never_taken_as_an_id(gateway: TestGateway, given: str) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        answered = gateway.client.get("/health", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert answered != given
    assert len(answered) == 32
    assert [entry["request_id"] for entry in logs] == [answered]


def test_each_request_has_its_own_also_where_nothing_is(gateway: TestGateway) -> None:
    assert len({gateway.client.get("/nowhere").headers["X-Request-Id"] for _ in range(3)}) == 3


@pytest.mark.feature("F3.1")
def test_a_backends_request_is_followed_to_its_callback(
    make_gateway: Callable[..., TestGateway], requestor_server: RequestorServer
) -> None:
    gateway = make_gateway(jwt_privkey=signing_key_pem())
    phone = gateway.phone()
    phone.answer(gateway.start(ISSUANCE)["sessionPtr"])
    request = {"request": DISCLOSURE, "callbackUrl": f"{requestor_server.url}callback"}
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        started = gateway.client.post("/session", json=request, headers={"Authorization": TOKEN, "X-Request-Id": ID})
        phone.answer(started.get_json()["sessionPtr"])
        gateway.gateway.close()
    (call,) = requestor_server.calls
    assert call.request_id == ID
    by_event = {entry["event"]: entry for entry in logs}
    assert by_event["session.started"]["request_id"] == ID
    # The app's request has an id of its own; that of the backend stands beside it.
    assert by_event["session.changed"]["request_id"] != ID
    assert by_event["session.changed"]["started_by"] == ID
    assert by_event["callback.delivered"]["request_id"] == ID

"""Messages of the app on sessions that the process wrote last: without asking Redis where nobody changed them, and else as without."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.stores.base import StoreError
from gateway.stores.redis import RedisStore
from idemix.request import IssuanceRequest, SessionRequest, parse_session_request
from idemix.session.session import Session
from tests.support.app_simulator import SimulatedApp
from tests.support.clock import SettableClock
from tests.support.gateways import DISCLOSURE, ISSUANCE, TestGateway, signing_key_pem
from tests.support.redis import RedisServer
from tests.support.requestor_server import RequestorServer


@dataclass
class Workers:
    """Two workers over one Redis, and an app that speaks to either.

    Attributes:
        one: has the sessions started that tests begin with.
        other: hears of them from Redis.
        phone: speaks to `one`, unless told otherwise; it has a credential.
    """

    one: TestGateway
    other: TestGateway
    phone: SimulatedApp

    def through(self, worker: TestGateway) -> SimulatedApp:
        """The app, on a connection to a worker."""
        self.phone.client = worker.app.test_client()
        return self.phone

    def connected(self, request: Any = DISCLOSURE) -> tuple[dict[str, Any], SessionRequest]:
        """Start a session and connect to it, both at the first worker; gives the package and the request."""
        package = self.one.start(request)
        answer = self.through(self.one).connect(package["sessionPtr"])
        return package, parse_session_request(answer.get_json()["request"]).request


@pytest.fixture
def workers(make_gateway: Callable[..., TestGateway], redis_server: RedisServer, clock: SettableClock) -> Workers:
    redis_server.client().flushall()
    one, other = (
        make_gateway({"store": RedisStore(redis_server.client(), clock)}, jwt_privkey=signing_key_pem(), allow_unsigned_callbacks=True)
        for _ in range(2)
    )
    phone = one.phone()
    phone.answer(one.start(ISSUANCE)["sessionPtr"])
    return Workers(one, other, phone)


@pytest.fixture
def no_loading(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker can write sessions, and cannot read any."""

    def refuse(_token: str) -> Session:
        raise StoreError("no session is to be loaded")

    monkeypatch.setattr(workers.one.gateway.store, "get_by_client_token", refuse)


def refusal(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]


@pytest.mark.usefixtures("no_loading")
def test_a_session_that_nobody_else_changed_is_not_loaded(workers: Workers) -> None:
    for request in (DISCLOSURE, {**ISSUANCE, "disclose": DISCLOSURE["disclose"]}):
        package = workers.one.start(request)
        assert workers.phone.answer(package["sessionPtr"]).get_json()["proofStatus"] == "VALID"
        assert workers.other.result(package)["status"] == "DONE"


@pytest.mark.usefixtures("no_loading")
def test_what_is_not_written_is_loaded(workers: Workers) -> None:
    package, request = workers.connected()
    proofs = workers.phone.proofs(request)
    secret, workers.phone.authorization = workers.phone.authorization, "b" * 20
    assert workers.phone.post(package["sessionPtr"], "proofs", proofs).status_code == 503
    workers.phone.authorization = secret
    path = workers.phone.path(package["sessionPtr"])
    assert workers.phone.client.get(f"{path}/status").status_code == 503
    assert workers.phone.client.delete(path).status_code == 503
    assert workers.phone.post(package["sessionPtr"], "proofs", proofs).status_code == 200


@pytest.mark.usefixtures("no_loading")
def test_a_session_whose_answer_reaches_beyond_it_is_loaded(workers: Workers, requestor_server: RequestorServer) -> None:
    package = workers.one.start({"nextSession": {"url": requestor_server.url}, "request": DISCLOSURE})
    assert workers.phone.connect(package["sessionPtr"]).status_code == 503


def test_a_session_that_another_worker_ended(workers: Workers) -> None:
    package, request = workers.connected()
    workers.other.client.delete(f"/session/{package['token']}")
    assert refusal(workers.phone.post(package["sessionPtr"], "proofs", workers.phone.proofs(request))) == (403, "UNEXPECTED_REQUEST")
    assert workers.one.result(package)["status"] == "CANCELLED"


def test_a_session_that_another_app_connected_to_elsewhere(workers: Workers) -> None:
    package = workers.one.start(DISCLOSURE)
    other = workers.other.phone()
    other.authorization = "b" * 20
    assert other.connect(package["sessionPtr"]).status_code == 200
    assert refusal(workers.phone.connect(package["sessionPtr"])) == (403, "UNEXPECTED_REQUEST")
    assert workers.one.get(package, "status").get_json() == "CONNECTED"


def test_an_answer_that_is_repeated_at_another_worker(workers: Workers) -> None:
    package, request = workers.connected(ISSUANCE)
    assert isinstance(request, IssuanceRequest)
    body, _ = workers.phone.commitments(request)
    first = workers.through(workers.other).post(package["sessionPtr"], "commitments", body)
    again = workers.through(workers.one).post(package["sessionPtr"], "commitments", body)
    assert (first.status_code, first.data) == (again.status_code, again.data)
    assert first.get_json()["proofStatus"] == "VALID"


def test_the_requestor_is_asked_for_the_next_session_once(workers: Workers, requestor_server: RequestorServer) -> None:
    requestor_server.answer = json.dumps(DISCLOSURE).encode()
    package, request = workers.connected({"nextSession": {"url": requestor_server.url}, "request": DISCLOSURE})
    proofs = workers.phone.proofs(request)
    answers = [workers.through(worker).post(package["sessionPtr"], "proofs", proofs) for worker in (workers.other, workers.one)]
    assert answers[0].get_json()["nextSession"]
    assert answers[0].data == answers[1].data
    assert len(requestor_server.calls) == 1


def test_a_session_that_redis_lost(workers: Workers, redis_server: RedisServer) -> None:
    package, request = workers.connected()
    redis_server.client().flushall()
    for _ in range(2):
        answer = workers.phone.post(package["sessionPtr"], "proofs", workers.phone.proofs(request))
        assert refusal(answer) == (400, "SESSION_UNKNOWN")


def test_a_session_that_timed_out(workers: Workers, clock: SettableClock) -> None:
    package, request = workers.connected()
    clock.advance(minutes=16)
    assert refusal(workers.phone.post(package["sessionPtr"], "proofs", workers.phone.proofs(request))) == (403, "UNEXPECTED_REQUEST")
    assert workers.one.get(package, "status").get_json() == "TIMEOUT"


def test_a_session_is_still_bound_to_its_host(workers: Workers) -> None:
    package = workers.one.start({**DISCLOSURE, "host": "gateway.example"})
    path = workers.phone.path(package["sessionPtr"])
    answer = workers.one.client.get(path, headers={"Host": "other.example", "Authorization": "a" * 20})
    assert refusal(answer) == (403, "UNAUTHORIZED")
    assert workers.one.get(package, "status").get_json() == "INITIALIZED"

"""Whole sessions: from the requestor's request to the result, with real proofs, over both stores."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.sessions import ATTEMPTS
from gateway.stores.base import SessionStore, StoreConflictError
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from idemix.request import parse_session_request
from idemix.session.session import Session
from idemix.session.status import Status
from tests.support.clock import SettableClock
from tests.support.gateways import CARD, CARD_VALUES, DISCLOSURE, ISSUANCE, SIGNATURE, TestGateway, irma_demo, signing_key_pem
from tests.support.redis import RedisServer
from tests.support.requestor_server import RequestorServer


@pytest.fixture(params=["memory", "redis"])
def any_gateway(request: pytest.FixtureRequest, make_gateway: Callable[..., TestGateway], clock: SettableClock) -> TestGateway:
    """A gateway over each store."""
    if request.param == "memory":
        store: SessionStore = MemoryStore(clock)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        client = server.client()
        client.flushall()
        store = RedisStore(client, clock)
    return make_gateway({"store": store}, jwt_privkey=signing_key_pem())


@pytest.mark.feature("I6.1")
def test_issue_disclose_and_sign(any_gateway: TestGateway) -> None:
    phone = any_gateway.phone()
    issuing = any_gateway.start(ISSUANCE)
    assert issuing["sessionPtr"]["irmaqr"] == "issuing"
    assert phone.answer(issuing["sessionPtr"]).get_json()["proofStatus"] == "VALID"
    phone.credentials[next(iter(phone.credentials))].verify()
    assert any_gateway.result(issuing) == {"token": issuing["token"], "status": "DONE", "type": "issuing", "proofStatus": "VALID"}

    disclosing = any_gateway.start(DISCLOSURE)
    assert phone.answer(disclosing["sessionPtr"]).get_json() == {"proofStatus": "VALID"}
    result = any_gateway.result(disclosing)
    assert (result["status"], result["proofStatus"]) == ("DONE", "VALID")
    assert [[attribute["rawvalue"] for attribute in group] for group in result["disclosed"]] == [["42"]]

    signing = any_gateway.start(SIGNATURE)
    assert phone.answer(signing["sessionPtr"]).get_json() == {"proofStatus": "VALID"}
    signed = any_gateway.result(signing)
    assert (signed["proofStatus"], signed["signature"]["message"]) == ("VALID", "I agree")


def test_combined_issuance(any_gateway: TestGateway) -> None:
    phone = any_gateway.phone()
    phone.answer(any_gateway.start(ISSUANCE)["sessionPtr"])
    combined = any_gateway.start({**ISSUANCE, "disclose": [[[f"{CARD}.studentID"]]]})
    assert phone.answer(combined["sessionPtr"]).get_json()["proofStatus"] == "VALID"
    assert any_gateway.result(combined)["disclosed"][0][0]["rawvalue"] == CARD_VALUES["studentID"]


@pytest.mark.feature("I6.1")
def test_a_repeated_answer_gets_the_first_reply(any_gateway: TestGateway) -> None:
    phone = any_gateway.phone()
    package = any_gateway.start(ISSUANCE)
    request = phone.connect(package["sessionPtr"]).get_json()["request"]
    body, _ = phone.commitments(_parsed(request))
    first = phone.post(package["sessionPtr"], "commitments", body)
    again = phone.post(package["sessionPtr"], "commitments", body)
    assert first.status_code == again.status_code == 200
    assert first.data == again.data


def test_concurrent_posts_of_one_answer_issue_once(any_gateway: TestGateway) -> None:
    phone = any_gateway.phone()
    package = any_gateway.start(ISSUANCE)
    request = phone.connect(package["sessionPtr"]).get_json()["request"]
    body, _ = phone.commitments(_parsed(request))

    def post(_: int) -> tuple[int, bytes]:
        other = any_gateway.phone()
        response = other.post(package["sessionPtr"], "commitments", body)
        return response.status_code, response.data

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(8)))
    assert {status for status, _ in answers} == {200}
    assert len({data for _, data in answers}) == 1


def test_another_app_gets_neither_access_nor_the_remembered_answer(any_gateway: TestGateway) -> None:
    phone, other = any_gateway.phone(), any_gateway.phone()
    other.authorization = "bbbbbbbbbbbbbbbbbbbb"
    package = any_gateway.start(ISSUANCE)
    request = phone.connect(package["sessionPtr"]).get_json()["request"]
    body, _ = phone.commitments(_parsed(request))
    refused = other.post(package["sessionPtr"], "commitments", body)
    assert (refused.status_code, refused.get_json()["description"]) == (403, "You are not authorized to access the session")
    assert phone.post(package["sessionPtr"], "commitments", body).status_code == 200
    assert other.post(package["sessionPtr"], "commitments", body).status_code == 403


def test_the_loser_of_a_change_works_on_the_new_session(any_gateway: TestGateway, clock: SettableClock) -> None:
    package = any_gateway.start(DISCLOSURE)
    store = any_gateway.gateway.store
    session = store.get_by_requestor_token(package["token"])
    changed = any_gateway.gateway.sessions.engine.cancel(session)
    engine = any_gateway.gateway.sessions.engine
    store.update(changed, session.revision, deadline=None, expires_at=engine.forgotten_at(changed))
    with pytest.raises(StoreConflictError):
        store.update(changed, session.revision, deadline=None, expires_at=engine.forgotten_at(changed))
    assert any_gateway.get(package, "status").get_json() == "CANCELLED"


@pytest.mark.parametrize(("conflicts", "status"), [(ATTEMPTS - 1, 200), (ATTEMPTS, 503)])
def test_the_last_attempt_counts(gateway: TestGateway, monkeypatch: pytest.MonkeyPatch, conflicts: int, status: int) -> None:
    """A session that others change at each attempt but the last; and at that one too."""
    package = gateway.start(DISCLOSURE)
    store, refused = gateway.gateway.store, []
    update = store.update

    def change_before(*arguments: Any, **moments: Any) -> None:
        if len(refused) < conflicts:
            refused.append(arguments)
            raise StoreConflictError("the session was changed meanwhile")
        update(*arguments, **moments)

    monkeypatch.setattr(store, "update", change_before)
    assert gateway.phone().connect(package["sessionPtr"]).status_code == status
    assert len(refused) == conflicts


def test_time_out_is_stored_and_called_back_once(any_gateway: TestGateway, clock: SettableClock, requestor_server: RequestorServer) -> None:
    package = any_gateway.start({"timeout": 30, "callbackUrl": requestor_server.url + "cb", "request": DISCLOSURE})
    clock.advance(seconds=30)
    assert any_gateway.get(package, "status").get_json() == "INITIALIZED"
    clock.advance(seconds=1)
    any_gateway.gateway.sessions.sweep()
    any_gateway.gateway.sessions.sweep()
    assert [any_gateway.get(package, "status").get_json() for _ in range(3)] == ["TIMEOUT"] * 3
    clock.advance(minutes=4, seconds=59)
    assert any_gateway.get(package, "status").get_json() == "TIMEOUT"
    any_gateway.gateway.close()
    assert [call.path for call in requestor_server.calls] == ["/cb/"]


def test_a_session_that_cannot_be_ended_keeps_no_other_from_its_end(
    gateway: TestGateway, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = gateway.start(DISCLOSURE), gateway.start(DISCLOSURE)
    clock.advance(minutes=16)
    sessions = gateway.gateway.sessions
    load, bad_token = sessions.load_by_client_token, bad["sessionPtr"]["u"].rpartition("/")[2]

    def refuse(token: str) -> Session:
        if token == bad_token:
            raise KeyError("what is stored cannot be read")
        return load(token)

    monkeypatch.setattr(sessions, "load_by_client_token", refuse)
    sessions.sweep()
    assert gateway.gateway.store.get_by_requestor_token(good["token"]).status is Status.TIMEOUT
    assert gateway.gateway.store.get_by_requestor_token(bad["token"]).status is Status.INITIALIZED


def test_a_session_is_forgotten_after_the_life_time_of_its_result(make_gateway: Callable[..., TestGateway], clock: SettableClock) -> None:
    gateway = make_gateway()
    package = gateway.start(DISCLOSURE)
    gateway.client.delete(f"/session/{package['token']}")
    clock.advance(minutes=5)
    response = gateway.get(package, "status")
    assert (response.status_code, response.get_json()["error"]) == (400, "SESSION_UNKNOWN")


@pytest.mark.feature("I6.1")
def test_chain(any_gateway: TestGateway, requestor_server: RequestorServer) -> None:
    phone = any_gateway.phone()
    requestor_server.answer = json.dumps(DISCLOSURE).encode()
    package = any_gateway.start({"nextSession": {"url": requestor_server.url + "next"}, "request": ISSUANCE})
    answer = phone.answer(package["sessionPtr"]).get_json()
    assert answer["nextSession"]["irmaqr"] == "disclosing"
    assert requestor_server.calls[0].path == "/next"
    assert requestor_server.calls[0].content_type == "text/plain; charset=UTF-8"
    frontend = any_gateway.client.get(
        f"{phone.path(package['sessionPtr'])}/frontend/status", headers={"Authorization": package["frontendRequest"]["authorization"]}
    )
    assert frontend.get_json() == {"status": "DONE", "nextSession": answer["nextSession"]}
    following = {"token": any_gateway.result(package)["nextSession"]}
    assert phone.answer(answer["nextSession"]).get_json() == {"proofStatus": "VALID"}
    assert any_gateway.result(following)["disclosed"][0][0]["rawvalue"] == "42"


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (200, {"@context": DISCLOSURE["@context"], "disclose": [[[f"{CARD}.nope"]]]}, "nope"),
        (200, {**DISCLOSURE, "host": "other.example"}, "next session not authorized: requestor not allowed to use the requested host"),
        (200, "text", "body"),
        (500, {}, "status 500"),
    ],
    ids=["unknown attribute", "not permitted", "no request", "server error"],
)
def test_a_chain_that_cannot_go_on(gateway: TestGateway, requestor_server: RequestorServer, status: int, answer: Any, message: str) -> None:
    requestor_server.status, requestor_server.answer = status, json.dumps(answer).encode()
    package = gateway.start({"nextSession": {"url": requestor_server.url}, "request": ISSUANCE})
    phone = gateway.phone()
    response = phone.answer(package["sessionPtr"])
    assert (response.status_code, response.get_json()["error"]) == (500, "NEXT_SESSION")
    assert message in response.get_json()["message"]
    result = gateway.result(package)
    assert (result["status"], result["proofStatus"]) == ("CONNECTED", "VALID")


def test_a_next_session_that_comes_too_late_is_cancelled(
    any_gateway: TestGateway, requestor_server: RequestorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = any_gateway.start({"nextSession": {"url": requestor_server.url}, "request": ISSUANCE})
    phone = any_gateway.phone()
    store, added = any_gateway.gateway.store, []
    add = store.add

    def cancel_meanwhile(session: Session, **moments: Any) -> None:
        add(session, **moments)
        added.append(session)
        any_gateway.client.delete(f"/session/{package['token']}")

    monkeypatch.setattr(store, "add", cancel_meanwhile)
    requestor_server.answer = json.dumps(DISCLOSURE).encode()
    response = phone.answer(package["sessionPtr"])
    assert (response.status_code, response.get_json()["error"]) == (403, "UNEXPECTED_REQUEST")
    assert any_gateway.get(package, "status").get_json() == "CANCELLED"
    (following,) = added
    assert store.get_by_client_token(following.client_token).status is Status.CANCELLED


def test_a_chain_ends_with_no_content(gateway: TestGateway, requestor_server: RequestorServer) -> None:
    requestor_server.status = 204
    package = gateway.start({"nextSession": {"url": requestor_server.url}, "request": ISSUANCE})
    assert "nextSession" not in gateway.phone().answer(package["sessionPtr"]).get_json()
    assert gateway.get(package, "status").get_json() == "DONE"


@pytest.mark.feature("I6.1")
def test_pairing(any_gateway: TestGateway) -> None:
    phone = any_gateway.phone()
    package = any_gateway.start(ISSUANCE)
    assert package["frontendRequest"]["pairingHint"] is True
    secret = {"Authorization": package["frontendRequest"]["authorization"]}
    path = phone.path(package["sessionPtr"])
    body = {"@context": "https://irma.app/ld/request/frontendoptions/v1", "pairingMethod": "pin"}
    options = any_gateway.client.post(f"{path}/frontend/options", json=body, headers=secret).get_json()
    connected = phone.connect(package["sessionPtr"]).get_json()
    assert connected["options"]["pairingCode"] == options["pairingCode"]
    assert "request" not in connected
    early = any_gateway.client.get(f"{path}/request", headers={"Authorization": phone.authorization})
    assert (early.status_code, early.get_json()["error"]) == (403, "PAIRING_REQUIRED")
    assert any_gateway.client.post(f"{path}/frontend/pairingcompleted", headers=secret).status_code == 204
    request = any_gateway.client.get(f"{path}/request", headers={"Authorization": phone.authorization}).get_json()
    body_bytes, _ = phone.commitments(_parsed(request))
    assert phone.post(package["sessionPtr"], "commitments", body_bytes).status_code == 200


def _parsed(request: Any) -> Any:
    return parse_session_request(request).request


def test_the_simulated_app_knows_the_scheme() -> None:
    assert any(str(kind) == CARD for kind in irma_demo().credential_types)

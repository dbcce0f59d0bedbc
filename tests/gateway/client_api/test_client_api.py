"""The app's endpoints: the order of checks, and how each refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.app import create_client_app
from tests.support.app_simulator import VERSIONS
from tests.support.gateways import DISCLOSURE, ISSUANCE, TestGateway
from tests.support.requestor_server import RequestorServer

UNKNOWN = f"/irma/session/{'a' * 20}"


def error_of(response: Any) -> tuple[int, str, str | None]:
    body = response.get_json()
    return response.status_code, body["error"], body.get("message")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", UNKNOWN, (400, "SESSION_UNKNOWN", None)),
        ("GET", f"{UNKNOWN}/nope", (400, "SESSION_UNKNOWN", None)),
        ("PUT", f"{UNKNOWN}/proofs", (400, "SESSION_UNKNOWN", None)),
        ("GET", f"{UNKNOWN}/frontend/status", (400, "SESSION_UNKNOWN", None)),
        ("GET", f"{UNKNOWN}/statusevents", (400, "SESSION_UNKNOWN", None)),
        ("DELETE", UNKNOWN, (400, "SESSION_UNKNOWN", None)),
        ("GET", "/irma/session/short", (400, "INVALID_REQUEST", "string did not pass input validation for clientToken")),
        ("GET", "/irma/session/", (404, "INVALID_REQUEST", None)),
        ("GET", "/irma/session//", (400, "INVALID_REQUEST", "string did not pass input validation for clientToken")),
        ("POST", "/irma/session//status", (400, "INVALID_REQUEST", "string did not pass input validation for clientToken")),
        ("GET", "/irma/nope", (404, "INVALID_REQUEST", None)),
        ("POST", UNKNOWN, (400, "INVALID_REQUEST", "unknown static session")),
    ],
)
def test_paths_without_session(gateway: TestGateway, method: str, path: str, expected: tuple[int, str, str | None]) -> None:
    assert error_of(gateway.client.open(path, method=method)) == expected


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "nope", 404), ("GET", "proofs", 405), ("PUT", "", 405)])
@pytest.mark.feature("I6.1")
def test_paths_with_session(gateway: TestGateway, method: str, path: str, status: int) -> None:
    phone = gateway.phone()
    base = phone.path(gateway.start(DISCLOSURE)["sessionPtr"])
    response = gateway.client.open(f"{base}/{path}", method=method)
    assert (response.status_code, response.get_json()) == (status, {"status": status, "error": "INVALID_REQUEST"})


def test_answers_without_body_have_no_media_type(gateway: TestGateway) -> None:
    path = gateway.phone().path(gateway.start(DISCLOSURE)["sessionPtr"])
    for _ in range(2):
        response = gateway.client.delete(path)
        assert (response.status_code, response.data, response.content_type) == (200, b"", None)


def test_no_events_of_a_finished_session(gateway: TestGateway) -> None:
    package = gateway.start(DISCLOSURE)
    path = gateway.phone().path(package["sessionPtr"])
    gateway.client.delete(path)
    refusal = (403, "UNEXPECTED_REQUEST", "Can't subscribe to server sent events of finished session")
    assert error_of(gateway.client.get(f"{path}/statusevents")) == refusal
    assert error_of(gateway.get(package, "statusevents")) == refusal


@pytest.mark.feature("I6.4")
@pytest.mark.parametrize("version", ["2.4", "2.5", "2.6", "2.7"])
@pytest.mark.feature("I6.4")
def test_older_versions_are_refused(gateway: TestGateway, version: str) -> None:
    phone = gateway.phone()
    package = gateway.start(DISCLOSURE)
    path = phone.path(package["sessionPtr"])
    assert error_of(gateway.client.get(path))[:2] == (400, "MALFORMED_INPUT")
    assert gateway.get(package, "status").get_json() == "INITIALIZED"
    old = {**VERSIONS, "X-IRMA-MaxProtocolVersion": version, "Authorization": phone.authorization}
    assert error_of(gateway.client.get(path, headers=old))[:2] == (400, "PROTOCOL_VERSION")
    assert gateway.result(package)["error"]["error"] == "PROTOCOL_VERSION"
    assert gateway.result(package)["status"] == "CANCELLED"


def test_an_app_must_bind_itself(gateway: TestGateway) -> None:
    package = gateway.start(DISCLOSURE)
    response = gateway.client.get(gateway.phone().path(package["sessionPtr"]), headers=VERSIONS)
    assert error_of(response) == (403, "UNAUTHORIZED", "No authorization header provided")
    assert response.get_json()["description"] == "You are not authorized to access the session"


@pytest.mark.feature("I6.1")
def test_first_answer(gateway: TestGateway) -> None:
    answer = gateway.phone().connect(gateway.start(ISSUANCE)["sessionPtr"]).get_json()
    assert answer["@context"] == "https://irma.app/ld/request/client/v1"
    assert answer["protocolVersion"] == answer["request"]["protocolVersion"] == "2.8"
    assert answer["options"]["pairingMethod"] == "none"
    assert (answer["request"]["context"], answer["request"]["devMode"]) == ("AQ==", True)


@pytest.mark.feature("I6.1")
def test_states(gateway: TestGateway) -> None:
    phone = gateway.phone()
    package = gateway.start(DISCLOSURE)
    path = phone.path(package["sessionPtr"])
    early = phone.post(package["sessionPtr"], "proofs", b"{}")
    assert error_of(early) == (403, "UNEXPECTED_REQUEST", "Session not yet started or already finished")
    assert phone.connect(package["sessionPtr"]).status_code == 200
    slash = gateway.client.get(f"{path}/", headers={**VERSIONS, "Authorization": phone.authorization})
    assert error_of(slash) == (403, "UNEXPECTED_REQUEST", "Session already started")
    assert error_of(phone.post(package["sessionPtr"], "commitments", b"{}"))[:2] == (400, "MALFORMED_INPUT")
    assert error_of(phone.post(package["sessionPtr"], "proofs", b"nonsense"))[:2] == (400, "MALFORMED_INPUT")
    assert gateway.get(package, "status").get_json() == "CONNECTED"
    assert phone.post(package["sessionPtr"], "proofs", b'{"proofs": [], "indices": []}').get_json() == {"proofStatus": "MISSING_ATTRIBUTES"}
    assert gateway.client.get(f"{path}/status").get_json() == "DONE"
    assert gateway.client.delete(path).status_code == 200
    assert gateway.get(package, "status").get_json() == "DONE"


def test_the_wrong_endpoint(gateway: TestGateway) -> None:
    phone = gateway.phone()
    package = gateway.start(ISSUANCE)
    phone.connect(package["sessionPtr"])
    assert error_of(phone.post(package["sessionPtr"], "proofs", b'{"proofs": []}'))[:2] == (400, "INVALID_REQUEST")
    assert gateway.get(package, "status").get_json() == "CONNECTED"


def test_invalid_commitments_end_the_session_with_an_error(gateway: TestGateway) -> None:
    phone = gateway.phone()
    package = gateway.start(ISSUANCE)
    phone.connect(package["sessionPtr"])
    response = phone.post(package["sessionPtr"], "commitments", b'{"combinedProofs": [], "n_2": "AQ==", "indices": []}')
    assert error_of(response) == (400, "MALFORMED_INPUT", "Received insufficient proofs")
    assert gateway.result(package) == {"token": package["token"], "status": "CANCELLED", "type": "issuing", "error": response.get_json()}


def test_the_host_is_compared(make_gateway: Callable[..., TestGateway]) -> None:
    requestor = {"auth_method": "token", "key": "t", "disclose_perms": ["*"], "host_perms": ["*.example:*"]}
    gateway = make_gateway(requestors={"shop": requestor})
    package = gateway.post({**DISCLOSURE, "host": "wallet.example:8080"}, "t").get_json()
    assert package["sessionPtr"]["u"].startswith("https://wallet.example:8080/irma/session/")
    path = gateway.phone().path(package["sessionPtr"])
    response = gateway.client.get(f"{path}/status")
    assert error_of(response) == (403, "UNAUTHORIZED", "Host mismatch")
    assert gateway.client.get(f"{path}/status", base_url="https://wallet.example:8080").get_json() == "INITIALIZED"


def test_static_sessions(make_gateway: Callable[..., TestGateway], requestor_server: RequestorServer) -> None:
    content = {
        "callbackUrl": requestor_server.url,
        "request": {**DISCLOSURE, "clientReturnUrl": "https://x.example", "augmentReturnUrl": True},
    }
    gateway = make_gateway(static_sessions={"poster": content}, allow_unsigned_callbacks=True, augment_client_return_url=True)
    phone = gateway.phone()
    pointers = [gateway.client.post("/irma/session/poster").get_json() for _ in range(2)]
    assert [pointer["irmaqr"] for pointer in pointers] == ["disclosing", "disclosing"]
    requests = [phone.connect(pointer).get_json()["request"] for pointer in pointers]
    assert requests[0]["nonce"] != requests[1]["nonce"]
    assert all(request["clientReturnUrl"].count("token=") == 1 for request in requests)
    phone.post(pointers[0], "proofs", b'{"proofs": [], "indices": []}')
    gateway.gateway.close()
    assert len(requestor_server.calls) == 1


def test_a_static_session_that_cannot_start(make_gateway: Callable[..., TestGateway]) -> None:
    content = {"callbackUrl": "https://x.example", "request": {**DISCLOSURE, "disclose": [[["a.b.c.d"]]]}}
    gateway = make_gateway(static_sessions={"poster": content}, allow_unsigned_callbacks=True)
    assert error_of(gateway.client.post("/irma/session/poster"))[:2] == (400, "MALFORMED_INPUT")


def test_a_port_of_its_own_for_apps(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway(client_port=8090)
    apps = create_client_app(gateway.app).test_client()
    package = gateway.start(DISCLOSURE)
    path = gateway.phone().path(package["sessionPtr"])
    assert apps.get(f"{path}/status").get_json() == "INITIALIZED"
    assert (gateway.client.get(f"{path}/status").status_code, gateway.client.get(path).data) == (404, b"404 page not found\n")
    assert apps.get(f"/session/{package['token']}/status").status_code == 404
    assert apps.post("/session", json=DISCLOSURE).status_code == 404

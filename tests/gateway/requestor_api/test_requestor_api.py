"""The requestor's endpoints: what each gives, and how each refuses."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.support.clock import START, SettableClock
from tests.support.gateways import CARD, DISCLOSURE, ISSUANCE, TOKEN, TestGateway, signing_key_pem
from tests.support.requestor_server import RequestorServer

UNKNOWN = "b" * 20


def test_session_package(gateway: TestGateway) -> None:
    response = gateway.post(DISCLOSURE)
    assert response.headers["Content-Type"] == "application/json; charset=UTF-8"
    package = response.get_json()
    assert package["sessionPtr"]["u"].startswith("https://gateway.example/irma/session/")
    assert package["frontendRequest"].keys() == {"authorization", "minProtocolVersion", "maxProtocolVersion"}
    tokens = [package["token"], package["frontendRequest"]["authorization"], package["sessionPtr"]["u"].rpartition("/")[2]]
    assert [len(token) for token in tokens] == [20, 20, 20]
    assert len(set(tokens)) == 3


@pytest.mark.parametrize(
    ("request_json", "token", "status", "error", "message"),
    [
        (DISCLOSURE, "", 400, "INVALID_REQUEST", "request could not be authenticated"),
        (DISCLOSURE, "wrong", 403, "UNAUTHORIZED", None),
        ({}, TOKEN, 400, "INVALID_REQUEST", "Failed to JSON unmarshal request bytes"),
        ({"@context": "x"}, TOKEN, 400, "INVALID_REQUEST", "Invalid session request type"),
        ({**DISCLOSURE, "disclose": []}, TOKEN, 400, "INVALID_REQUEST", "Disclosure request had no attributes"),
        ({**DISCLOSURE, "disclose": [[["a.b.c.d"]]]}, TOKEN, 400, "INVALID_REQUEST", "Unknown identifiers: a, a.b, a.b.c, a.b.c.d"),
        ({**DISCLOSURE, "host": "x"}, TOKEN, 403, "UNAUTHORIZED", "requestor not allowed to use the requested host"),
        ({"nextSession": {"url": ""}, "request": DISCLOSURE}, TOKEN, 400, "INVALID_REQUEST", "nextSession provided with empty URL"),
    ],
)
def test_refused_requests(gateway: TestGateway, request_json: Any, token: str, status: int, error: str, message: str | None) -> None:
    response = gateway.post(request_json, token)
    body = response.get_json()
    assert (response.status_code, body["status"], body["error"]) == (status, status, error)
    assert message is None or body.get("message", "").split(", a.b.c.d")[0] == message.split(", a.b.c.d")[0]


def test_permissions_are_told_with_their_reason(make_gateway: Callable[..., TestGateway]) -> None:
    limited = {"auth_method": "token", "key": TOKEN, "disclose_perms": ["irma-demo.MijnOverheid.*"]}
    gateway = make_gateway(requestors={"shop": limited})
    assert gateway.post(DISCLOSURE).get_json()["message"] == f"{CARD}.level"
    assert gateway.post(ISSUANCE).get_json()["message"] == "No issuer permissions configured"


def test_unsigned_calls_must_be_allowed(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway()
    for field in ({"callbackUrl": "https://x.example/"}, {"nextSession": {"url": "https://x.example/"}}):
        response = gateway.post(field | {"request": DISCLOSURE})
        assert (response.status_code, response.get_json()["error"]) == (501, "UNSUPPORTED")
        assert response.get_json()["message"].startswith(next(iter(field)))
        assert make_gateway(allow_unsigned_callbacks=True).post(field | {"request": DISCLOSURE}).status_code == 200


def test_large_bodies(gateway: TestGateway) -> None:
    large = {**DISCLOSURE, "clientReturnUrl": "x" * 9_000_000}
    assert gateway.post(large).status_code == 200
    response = gateway.post({**DISCLOSURE, "clientReturnUrl": "x" * 10_485_760})
    assert (response.status_code, response.get_json()["message"]) == (400, "http: request body too large")


@pytest.mark.parametrize("what", ["status", "result", "result-jwt", "getproof"])
def test_unknown_sessions(gateway: TestGateway, what: str) -> None:
    unknown = gateway.client.get(f"/session/{UNKNOWN}/{what}")
    assert (unknown.status_code, unknown.get_json()["error"]) == (400, "SESSION_UNKNOWN")
    malformed = gateway.client.get(f"/session/short/{what}")
    assert malformed.get_json()["message"] == "string did not pass input validation for requestorToken"


def test_cancel(gateway: TestGateway) -> None:
    package = gateway.start(DISCLOSURE)
    for _ in range(2):
        response = gateway.client.delete(f"/session/{package['token']}")
        assert (response.status_code, response.data) == (200, b"")
    assert gateway.result(package) == {"token": package["token"], "status": "CANCELLED", "type": "disclosing"}
    assert gateway.client.delete(f"/session/{UNKNOWN}").get_json()["error"] == "SESSION_UNKNOWN"


def test_signed_results(gateway: TestGateway) -> None:
    phone = gateway.phone()
    phone.answer(gateway.start(ISSUANCE)["sessionPtr"])
    package = gateway.start({"validity": 60, "request": DISCLOSURE})
    phone.answer(package["sessionPtr"])
    pem = gateway.client.get("/publickey")
    assert pem.headers["Content-Type"] == "text/plain; charset=utf-8"
    now = int(START.timestamp())
    response = gateway.get(package, "result-jwt")
    assert response.headers["Content-Type"] == "text/plain"
    claims = jwt.decode(response.text, pem.text, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False})
    assert jwt.get_unverified_header(response.text) == {"alg": "RS256", "typ": "JWT"}
    assert claims.pop("disclosed")[0][0]["value"] == {"": "42", "en": "42", "nl": "42"}
    assert claims == {
        "iss": "irmaserver",
        "iat": now,
        "exp": now + 60,
        "sub": "disclosing_result",
        "token": package["token"],
        "status": "DONE",
        "type": "disclosing",
        "proofStatus": "VALID",
    }
    proof = jwt.decode(
        gateway.get(package, "getproof").text, pem.text, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
    )
    assert (proof["sub"], proof["status"], proof["attributes"]) == ("disclosure_result", "VALID", {f"{CARD}.level": "42"})


def test_without_a_key_nothing_is_signed(make_gateway: Callable[..., TestGateway]) -> None:
    client = make_gateway().client
    for what in ("result-jwt", "getproof"):
        response = client.get(f"/session/{UNKNOWN}/{what}")
        assert (response.status_code, response.get_json()["error"]) == (500, "EXCEPTION")
        assert response.get_json()["message"] == "JWT signing not supported"
    assert client.get("/publickey").get_json()["error"] == "UNSUPPORTED"


def test_revocation(make_gateway: Callable[..., TestGateway]) -> None:
    requestor = {"auth_method": "token", "key": TOKEN, "revoke_perms": ["irma-demo.*"]}
    gateway = make_gateway(requestors={"shop": requestor})

    def revoke(kind: str, token: str = TOKEN) -> tuple[int, str, str]:
        body = {"@context": "https://irma.app/ld/request/revocation/v1", "type": kind, "revocationKey": "k"}
        response = gateway.client.post("/revocation", json=body, headers={"Authorization": token})
        return response.status_code, response.get_json()["error"], response.get_json().get("message", "")

    assert revoke("irma-demo.MijnOverheid.root") == (500, "REVOCATION", "cannot revoke irma-demo.MijnOverheid.root")
    assert revoke(CARD) == (403, "UNAUTHORIZED", "private key does not support revocation")
    assert revoke("pbdf.pbdf.email") == (403, "UNAUTHORIZED", "pbdf.pbdf.email")
    assert revoke("irma-demo.nobody.x") == (403, "UNAUTHORIZED", "issuer private key not found: file does not exist")
    assert revoke(CARD, "wrong")[:2] == (403, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/nope", 404, b"404 page not found\n"),
        ("GET", f"/session/{UNKNOWN}/nope", 404, b"404 page not found\n"),
        ("GET", f"/session/{UNKNOWN}/status/", 404, b"404 page not found\n"),
        ("GET", "/session", 405, b""),
        ("PUT", "/session", 405, b""),
        ("HEAD", "/health", 405, b""),
        ("OPTIONS", "/session", 405, b""),
    ],
)
def test_paths_and_methods(gateway: TestGateway, method: str, path: str, status: int, body: bytes) -> None:
    response = gateway.client.open(path, method=method)
    assert (response.status_code, response.data) == (status, body)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "x"), ("PUT", "x"), ("POST", "x/status"), ("GET", "x/nope"), ("GET", "/"), ("OPTIONS", "%C3%A9/status")]
)
def test_the_token_is_read_before_the_rest_of_the_path(gateway: TestGateway, method: str, path: str) -> None:
    response = gateway.client.open(f"/session/{path}", method=method)
    assert (response.status_code, response.get_json()["error"]) == (400, "INVALID_REQUEST")
    assert response.get_json()["message"] == "string did not pass input validation for requestorToken"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_answer_to_a_cancellation_has_no_body(gateway: TestGateway, slash: str) -> None:
    package = gateway.start(DISCLOSURE)
    response = gateway.client.delete(f"/session/{package['token']}{slash}")
    assert (response.status_code, response.data, response.content_type) == (200, b"", None)
    assert gateway.client.get(f"/session/{package['token']}/").status_code == 405
    assert gateway.get(package, "status").get_json() == "CANCELLED"


def test_health(gateway: TestGateway) -> None:
    assert gateway.client.get("/health").data == b"OK"


def test_other_origins(gateway: TestGateway) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    allowed = gateway.client.options("/session", headers=asked | {"Access-Control-Request-Headers": "content-type, authorization"})
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "*"
    assert allowed.headers["Access-Control-Allow-Methods"] == "POST"
    assert allowed.headers["Access-Control-Allow-Headers"] == "Content-Type, Authorization"
    for headers in ({"Access-Control-Request-Method": "PUT"}, {"Access-Control-Request-Headers": "X-Other"}):
        refused = gateway.client.options("/session", headers=asked | headers)
        assert (refused.status_code, refused.content_type) == (200, None)
        assert "Access-Control-Allow-Origin" not in refused.headers
    plain = gateway.client.get("/health", headers={"Origin": "https://shop.example"})
    assert (plain.headers["Access-Control-Allow-Origin"], plain.headers["Vary"]) == ("*", "Origin")
    assert "Access-Control-Allow-Origin" not in gateway.client.get("/health").headers


def test_prefix(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway(api_prefix="/api/")
    assert gateway.client.get("/api/health").data == b"OK"
    assert gateway.client.get("/health").status_code == 404
    unknown = gateway.client.get(f"/api/irma/session/{UNKNOWN}")
    assert unknown.get_json()["error"] == "SESSION_UNKNOWN"


def test_callback_is_signed(gateway: TestGateway, requestor_server: RequestorServer) -> None:
    package = gateway.start({"callbackUrl": requestor_server.url + "cb?k=1", "request": DISCLOSURE})
    gateway.client.delete(f"/session/{package['token']}")
    gateway.gateway.close()
    (call,) = requestor_server.calls
    assert (call.path, call.content_type, call.user_agent) == ("/cb?k=1/", "text/plain; charset=UTF-8", "irmago")
    claims = jwt.decode(call.body, options={"verify_signature": False})
    assert (claims["token"], claims["status"]) == (package["token"], "CANCELLED")


def test_callback_without_key_is_json(make_gateway: Callable[..., TestGateway], requestor_server: RequestorServer) -> None:
    gateway = make_gateway(allow_unsigned_callbacks=True, callback_url_slash=False)
    requestor_server.status = 500
    package = gateway.start({"callbackUrl": requestor_server.url + "cb", "request": DISCLOSURE})
    gateway.client.delete(f"/session/{package['token']}")
    gateway.gateway.close()
    (call,) = requestor_server.calls
    assert (call.path, call.content_type) == ("/cb", "application/json; charset=UTF-8")


def test_tokens_of_the_configuration_are_not_kept(gateway: TestGateway, clock: SettableClock) -> None:
    directory = gateway.gateway.directory()
    assert TOKEN not in repr(directory)
    assert TOKEN.encode() not in directory.tokens
    assert signing_key_pem() not in repr(gateway.gateway.config)

"""The edges of the two APIs, over all their routes: paths, methods, origins, bodies, hosts, and results in every state."""

import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from tests.gateway.test_app import ROUTES
from tests.support.app_simulator import VERSIONS
from tests.support.clock import SettableClock
from tests.support.gateways import CARD, DISCLOSURE, ISSUANCE, SIGNATURE, TOKEN, TestGateway, signing_key_pem

pytestmark = pytest.mark.feature("E1.1")

OPTIONS_CONTEXT = "https://irma.app/ld/request/frontendoptions/v1"
SESSIONS = {"disclosing": DISCLOSURE, "signing": SIGNATURE, "issuing": ISSUANCE}
#: What lies under /irma/revocation answers in CBOR and has tests of its own.
SESSION_ROUTES = sorted((method, rule) for method, rule in ROUTES if "/revocation/" not in rule)
RULES = sorted({rule for _, rule in SESSION_ROUTES})


class Session:
    """A session, with the path and headers that each route needs."""

    def __init__(self, gateway: TestGateway, request: Any = DISCLOSURE) -> None:
        self.gateway = gateway
        self.package = gateway.start(request)
        self.client_token = self.package["sessionPtr"]["u"].rpartition("/")[2]
        self.base = f"/irma/session/{self.client_token}"
        self.frontend = {"Authorization": self.package["frontendRequest"]["authorization"]}

    def path(self, rule: str) -> str:
        token = self.client_token if rule.startswith("/irma") else self.package["token"]
        return rule.replace("<token>", token).replace("<name>", token)

    def open(self, method: str, rule: str, **arguments: Any) -> Any:
        headers = self.frontend if "/frontend/" in rule else {}
        return self.gateway.client.open(self.path(rule), method=method, headers=headers | arguments.pop("headers", {}), **arguments)

    def pair(self) -> None:
        body = {"@context": OPTIONS_CONTEXT, "pairingMethod": "pin"}
        assert self.open("POST", "/irma/session/<token>/frontend/options", json=body).status_code == 200

    @property
    def status(self) -> str:
        return str(self.gateway.get(self.package, "status").get_json())


@pytest.fixture
def session(gateway: TestGateway) -> Session:
    return Session(gateway)


# Paths and methods


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH"])
@pytest.mark.parametrize("rule", RULES)
def test_other_methods_are_refused_in_the_manner_of_each_api(session: Session, rule: str, method: str) -> None:
    response = session.open(method, rule)
    assert response.status_code == 405
    if rule.startswith("/irma"):
        assert response.content_type == "application/json; charset=UTF-8"
        assert len(response.headers.getlist("Content-Length")) == 1
        assert method == "HEAD" or response.get_json() == {"status": 405, "error": "INVALID_REQUEST"}
    else:
        assert (response.data, response.content_type) == (b"", None)
    assert session.status == "INITIALIZED"


@pytest.mark.parametrize(("method", "rule"), SESSION_ROUTES)
def test_a_slash_more_is_another_path(session: Session, method: str, rule: str) -> None:
    if rule.endswith("/") or f"{rule}/" in RULES or "<name>" in rule:
        return
    response = session.open(method, f"{rule}/")
    assert response.status_code == 404
    expected = {"status": 404, "error": "INVALID_REQUEST"}
    assert response.get_json() == expected if rule.startswith("/irma") else response.data == b"404 page not found\n"


@pytest.mark.parametrize("token", ["x" + "a" * 20, "a" * 20 + "-", "é" + "a" * 20, "a" * 400])
def test_a_token_with_one_inside_is_unknown(gateway: TestGateway, token: str) -> None:
    for path in (f"/session/{token}/status", f"/session/{token}/result", f"/irma/session/{token}", f"/irma/session/{token}/status"):
        response = gateway.client.get(path)
        assert (response.status_code, response.get_json()["error"]) == (400, "SESSION_UNKNOWN")
    assert gateway.client.delete(f"/session/{token}").get_json()["error"] == "SESSION_UNKNOWN"


@pytest.mark.parametrize("path", ["/irma/", "/irma/session", "/irma/x"])
def test_unknown_paths_of_the_app_are_told_in_json(gateway: TestGateway, path: str) -> None:
    assert gateway.client.get(path).get_json() == {"status": 404, "error": "INVALID_REQUEST"}
    assert gateway.client.get("/irma").data == b"404 page not found\n"


# Origins


@pytest.mark.parametrize("rule", [*RULES, "/nope", "/irma/nope", "/irma/session/short"])
def test_every_path_answers_a_preflight(session: Session, rule: str) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "cache-control"}
    response = session.gateway.client.options(session.path(rule), headers=asked)
    assert (response.status_code, response.data, response.content_type) == (200, b"", None)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Access-Control-Allow-Methods"] == "DELETE"
    assert response.headers["Access-Control-Allow-Headers"] == "Cache-Control"
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Access-Control-Request-Method": "get"}, "GET"),
        ({"Access-Control-Request-Method": "OPTIONS"}, "OPTIONS"),
        ({"Access-Control-Request-Method": "PATCH"}, None),
        ({"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "X-IRMA-MinProtocolVersion"}, None),
        ({"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "accept,origin , AUTHORIZATION"}, "GET"),
    ],
)
def test_what_a_preflight_allows(gateway: TestGateway, headers: dict[str, str], allowed: str | None) -> None:
    response = gateway.client.options("/session", headers={"Origin": "https://shop.example", **headers})
    assert response.status_code == 200
    assert response.headers.get("Access-Control-Allow-Methods") == allowed
    assert response.headers.get("Access-Control-Allow-Origin") == (None if allowed is None else "*")


def test_a_preflight_asks_for_a_method(gateway: TestGateway) -> None:
    for headers in ({}, {"Access-Control-Request-Method": ""}):
        response = gateway.client.options("/session", headers={"Origin": "https://shop.example", **headers})
        assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (405, "*")
    # Nor is it one without an origin.
    assert gateway.client.options("/session", headers={"Access-Control-Request-Method": "POST"}).status_code == 405


@pytest.mark.parametrize("path", ["/health", "/nope", "/session", "/irma/nope", f"/session/{'a' * 20}/status", f"/irma/session/{'a' * 20}"])
def test_other_origins_may_read_refusals_too(gateway: TestGateway, path: str) -> None:
    response = gateway.client.get(path, headers={"Origin": "https://shop.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Origin" not in gateway.client.get(path).headers


# Bodies


@pytest.mark.parametrize("rule", [rule for method, rule in SESSION_ROUTES if method == "POST" and "pairingcompleted" not in rule])
def test_a_body_beyond_the_limit_is_refused(session: Session, rule: str) -> None:
    if "<name>" in rule:
        return
    session.gateway.phone().connect(session.package["sessionPtr"])
    headers = {"Content-Type": "application/json"} if "frontend" not in rule else {}
    if not rule.startswith("/irma"):
        headers["Authorization"] = TOKEN
    response = session.open("POST", rule, data=b" " * (10 * 1024 * 1024 + 1), headers=headers)
    error = "MALFORMED_INPUT" if rule.startswith("/irma") else "INVALID_REQUEST"
    assert (response.status_code, response.get_json()["error"]) == (400, error)
    assert response.get_json()["message"] == "http: request body too large"
    assert session.status == "CONNECTED"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
def test_the_media_type_of_the_app_is_not_looked_at(session: Session, content_type: str) -> None:
    phone = session.gateway.phone()
    phone.connect(session.package["sessionPtr"])
    headers = {"Authorization": phone.authorization, "Content-Type": content_type}
    response = session.open("POST", "/irma/session/<token>/proofs", data=b'{"proofs": [], "indices": []}', headers=headers)
    assert response.get_json() == {"proofStatus": "MISSING_ATTRIBUTES"}


def test_media_types(session: Session) -> None:
    json_type, text_type = "application/json; charset=UTF-8", "text/plain"
    types = {
        "/session/<token>/status": json_type,
        "/session/<token>/result": json_type,
        "/session/<token>/result-jwt": text_type,
        "/session/<token>/getproof": text_type,
        "/publickey": "text/plain; charset=utf-8",
        "/health": text_type,
        "/irma/session/<token>/status": json_type,
        "/irma/session/<token>/frontend/status": json_type,
        "/irma/session/<token>/statusevents": "text/event-stream",
        "/session/<token>/statusevents": "text/event-stream",
    }
    for rule, expected in types.items():
        response = session.open("GET", rule)
        assert (rule, response.status_code, response.content_type) == (rule, 200, expected)
        response.close()


# Hosts


@pytest.mark.parametrize(
    ("method", "rule"), [(method, rule) for method, rule in SESSION_ROUTES if rule.startswith("/irma") and "<token>" in rule]
)
def test_every_route_of_app_and_page_is_bound_to_the_host(make_gateway: Callable[..., TestGateway], method: str, rule: str) -> None:
    requestor = {"auth_method": "token", "key": TOKEN, "disclose_perms": ["*"], "host_perms": ["*.example"]}
    session = Session(make_gateway(requestors={"shop": requestor}), {**DISCLOSURE, "host": "wallet.example"})
    for host in ("gateway.example", "wallet.example:8080", "Wallet.example"):
        response = session.open(method, rule, headers={"Host": host})
        assert (response.status_code, response.get_json()["message"]) == (403, "Host mismatch")
        assert response.get_json()["description"] == "You are not authorized to issue or verify this attribute"
    assert session.status == "INITIALIZED"
    response = session.open(method, rule, headers={"Host": "wallet.example"})
    assert b"Host mismatch" not in (response.data if response.content_type != "text/event-stream" else b"")
    response.close()


# Requests


def test_the_return_url_gets_the_token(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway(augment_client_return_url=True)
    for url, expected in (
        ("https://x.example/a", "https://x.example/a?token="),
        ("https://x.example/a?b=1", "https://x.example/a?b=1&token="),
    ):
        session = Session(gateway, {**DISCLOSURE, "clientReturnUrl": url, "augmentReturnUrl": True})
        request = gateway.phone().connect(session.package["sessionPtr"]).get_json()["request"]
        assert request["clientReturnUrl"] == expected + session.package["token"]
    refused = gateway.post({**DISCLOSURE, "augmentReturnUrl": True})
    assert refused.get_json()["message"] == "cannot augment empty client return url"
    off = make_gateway().post({**DISCLOSURE, "clientReturnUrl": "https://x.example", "augmentReturnUrl": True})
    assert (off.status_code, off.get_json()["message"]) == (400, "augmenting client return url not enabled in server configuration")


@pytest.mark.parametrize("production", [False, True])
def test_the_app_is_told_of_development(make_gateway: Callable[..., TestGateway], production: bool) -> None:
    gateway = make_gateway(production=production)
    session = Session(gateway, {**DISCLOSURE, "devMode": not production})
    request = gateway.phone().connect(session.package["sessionPtr"]).get_json()["request"]
    assert request.get("devMode", False) is not production


@pytest.mark.parametrize(
    ("request_json", "hint"),
    [
        (DISCLOSURE, False),
        ({**DISCLOSURE, "disclose": [[[{"type": f"{CARD}.level", "value": "42"}]]]}, True),
        ({**DISCLOSURE, "disclose": [[[{"type": f"{CARD}.level", "notNull": True}]]]}, False),
        (SIGNATURE, True),
        (ISSUANCE, True),
        ({"nextSession": {"url": "https://x.example"}, "request": DISCLOSURE}, True),
        ({"callbackUrl": "https://x.example", "request": DISCLOSURE}, False),
    ],
)
def test_the_hint_to_pair(gateway: TestGateway, request_json: Any, hint: bool) -> None:
    frontend = gateway.start(request_json)["frontendRequest"]
    assert frontend.get("pairingHint", False) is hint
    assert ("pairingHint" in frontend) is hint
    assert (frontend["minProtocolVersion"], frontend["maxProtocolVersion"]) == ("1.0", "1.1")


def test_nothing_that_is_for_the_server_reaches_the_app(gateway: TestGateway) -> None:
    wrapper = {"validity": 60, "timeout": 60, "callbackUrl": "https://x.example/canary", "request": {**DISCLOSURE, "unknown": "canary"}}
    session = Session(gateway, wrapper)
    response = gateway.phone().connect(session.package["sessionPtr"])
    assert response.status_code == 200
    assert "canary" not in response.text
    assert not {"validity", "timeout", "callbackUrl"} & response.get_json()["request"].keys()


# Results in every state


def _in_state(session: Session, state: str) -> None:
    phone, pointer = session.gateway.phone(), session.package["sessionPtr"]
    match state:
        case "PAIRING":
            session.pair()
            phone.connect(pointer)
        case "CONNECTED":
            phone.connect(pointer)
        case "CANCELLED":
            session.open("DELETE", "/session/<token>")
        case "TIMEOUT":
            session.gateway.clock.advance(minutes=15, seconds=1)
        case "DONE":
            if session.package["sessionPtr"]["irmaqr"] != "issuing":
                phone.answer(session.gateway.start(ISSUANCE)["sessionPtr"])
            phone.answer(pointer)


@pytest.mark.parametrize("kind", SESSIONS)
@pytest.mark.parametrize("state", ["INITIALIZED", "PAIRING", "CONNECTED", "CANCELLED", "TIMEOUT", "DONE"])
def test_results_in_every_state(gateway: TestGateway, kind: str, state: str) -> None:
    session = Session(gateway, {"validity": 60, "request": SESSIONS[kind]})
    _in_state(session, state)
    assert session.status == state
    result = gateway.result(session.package)
    assert (result["token"], result["status"], result["type"]) == (session.package["token"], state, kind)
    done = state == "DONE"
    assert ("proofStatus" in result) is done
    assert ("signature" in result) is (done and kind == "signing")
    assert ("disclosed" in result) is (done and kind != "issuing")
    assert "error" not in result
    key = gateway.client.get("/publickey").text
    times = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(gateway.get(session.package, "result-jwt").text, key, algorithms=["RS256"], options=times)
    assert (claims.pop("iss"), claims.pop("sub"), claims.pop("exp") - claims.pop("iat")) == ("irmaserver", f"{kind}_result", 60)
    assert claims == result
    proof = jwt.decode(gateway.get(session.package, "getproof").text, key, algorithms=["RS256"], options=times)
    subjects = {"disclosing": "disclosure_result", "signing": "abs_result", "issuing": "issue_result"}
    assert (proof["sub"], proof["status"], proof["exp"] - proof["iat"]) == (subjects[kind], "VALID" if done else "", 60)
    assert proof["attributes"] == ({f"{CARD}.level": "42"} if done and kind != "issuing" else {})
    assert ("signature" in proof) is (done and kind == "signing")


def test_an_issuer_may_have_no_name(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway(jwt_privkey=signing_key_pem(), jwt_issuer="")
    signed = gateway.get(gateway.start(DISCLOSURE), "result-jwt").text
    claims = jwt.decode(signed, options={"verify_signature": False})
    assert "iss" not in claims
    assert claims["exp"] - claims["iat"] == 120


# Pairing


def test_each_pin_is_another_and_none_clears_it(session: Session) -> None:
    def choose(**fields: Any) -> dict[str, Any]:
        body: dict[str, Any] = {"@context": OPTIONS_CONTEXT, **fields}
        answer: dict[str, Any] = session.open("POST", "/irma/session/<token>/frontend/options", json=body).get_json()
        return answer

    codes = {choose(pairingMethod="pin")["pairingCode"] for _ in range(30)}
    assert len(codes) > 1
    last = choose(pairingMethod="")
    assert last["pairingCode"] in codes
    assert last["pairingMethod"] == "pin"
    assert choose(pairingMethod="none") == {"@context": "https://irma.app/ld/options/v1", "pairingMethod": "none"}
    assert session.gateway.phone().connect(session.package["sessionPtr"]).get_json()["options"]["pairingMethod"] == "none"


def test_while_pairing_the_app_gets_the_code_and_no_request(session: Session) -> None:
    session.pair()
    phone = session.gateway.phone()
    first = phone.connect(session.package["sessionPtr"]).get_json()
    assert first.keys() == {"@context", "protocolVersion", "options"}
    assert len(first["options"]["pairingCode"]) == 4
    for method, path in (("GET", "request"), ("POST", "proofs"), ("POST", "commitments")):
        response = session.open(method, f"/irma/session/<token>/{path}", headers={"Authorization": phone.authorization}, data=b"{}")
        assert (response.status_code, response.get_json()["error"]) == (403, "PAIRING_REQUIRED")
    assert session.open("POST", "/irma/session/<token>/frontend/pairingcompleted").status_code == 204
    whole = session.open("GET", "/irma/session/<token>/request", headers={"Authorization": phone.authorization})
    assert whole.get_json()["protocolVersion"] == "2.8"
    other = session.open("GET", "/irma/session/<token>/request", headers={"Authorization": "other"})
    assert (other.status_code, other.get_json()["error"]) == (403, "UNAUTHORIZED")


# Life times


def test_the_time_out_of_a_request_holds_until_the_app_connects(gateway: TestGateway, clock: SettableClock) -> None:
    session = Session(gateway, {"timeout": 10, "request": DISCLOSURE})
    clock.advance(seconds=9)
    session.pair()
    gateway.phone().connect(session.package["sessionPtr"])
    # What comes after has the server's limit, counted from the connection.
    clock.advance(minutes=15)
    assert session.status == "PAIRING"
    assert session.open("POST", "/irma/session/<token>/frontend/pairingcompleted").status_code == 204
    clock.advance(seconds=1)
    assert session.status == "TIMEOUT"
    late = Session(gateway, {"timeout": 10, "request": DISCLOSURE})
    clock.advance(seconds=9)
    late.pair()
    clock.advance(seconds=2)
    assert late.status == "TIMEOUT"
    response = late.open("POST", "/irma/session/<token>/frontend/options", json={"@context": OPTIONS_CONTEXT, "pairingMethod": "none"})
    assert (response.status_code, response.get_json()["error"]) == (403, "UNEXPECTED_REQUEST")


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, "MALFORMED_INPUT"),
        ({**VERSIONS, "X-IRMA-MinProtocolVersion": "2"}, "MALFORMED_INPUT"),
        ({**VERSIONS, "X-IRMA-MaxProtocolVersion": "2.8.1"}, "MALFORMED_INPUT"),
        ({**VERSIONS, "X-IRMA-MaxProtocolVersion": "a.b"}, "MALFORMED_INPUT"),
        ({**VERSIONS, "X-IRMA-MaxProtocolVersion": "null"}, "MALFORMED_INPUT"),
        ({**VERSIONS, "X-IRMA-MinProtocolVersion": "2.9"}, "PROTOCOL_VERSION"),
        ({**VERSIONS, "X-IRMA-MaxProtocolVersion": "2.7"}, "PROTOCOL_VERSION"),
        (VERSIONS, "UNAUTHORIZED"),
    ],
)
def test_what_a_first_request_needs(session: Session, headers: dict[str, str], error: str) -> None:
    secret = {} if error == "UNAUTHORIZED" else {"Authorization": "a" * 20}
    response = session.open("GET", "/irma/session/<token>", headers={**headers, **secret})
    assert response.get_json()["error"] == error
    assert session.status == ("INITIALIZED" if error == "MALFORMED_INPUT" else "CANCELLED")
    again = session.open("GET", "/irma/session/<token>/", headers={**VERSIONS, "Authorization": "a" * 20})
    assert again.status_code == (200 if error == "MALFORMED_INPUT" else 403)


def test_a_legacy_request_is_answered_in_the_modern_form(gateway: TestGateway) -> None:
    legacy = {"type": "disclosing", "content": [{"label": "Level", "attributes": {f"{CARD}.level": "42"}}]}
    session = Session(gateway, legacy)
    request = gateway.phone().connect(session.package["sessionPtr"]).get_json()["request"]
    assert request["disclose"] == [[[{"type": f"{CARD}.level", "value": "42"}]]]
    assert request["labels"] == {"0": {"en": "Level", "nl": "Level"}}
    assert session.package["frontendRequest"]["pairingHint"] is True
    assert json.loads(gateway.post({"type": "signing", "content": legacy["content"]}).text)["error"] == "INVALID_REQUEST"

"""What is told of a request that no method of authentication applies to."""

import base64
import json
from collections.abc import Callable

import pytest

from gateway.hints import hint_of
from tests.support.gateways import DISCLOSURE, TestGateway


def jwt(header: object, claims: object) -> bytes:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    return b".".join((*parts, b""))


HS256 = {"alg": "HS256"}


@pytest.mark.feature("E5.1")
@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"a.b", "body: must be a JWT: header, claims and signature in base64url, with two dots between them"),
        (b"!.e30.", "JWT header: must be a JSON object in base64url"),
        (b"e30.e3.", "JWT claims: must be a JSON object in base64url"),
        (jwt({"alg": "none"}, {}), "JWT header alg: must be HS256 or RS256 or ES256 or EdDSA"),
        (jwt({}, {}), "JWT header alg: must be HS256 or RS256 or ES256 or EdDSA"),
        (jwt(HS256, {"iat": 1.5}), "JWT claim iat: must be a time in whole Unix seconds"),
        (jwt(HS256, {"EXP": "soon"}), "JWT claim exp: must be a time in whole Unix seconds"),
        (jwt(HS256, {"aud": ["a"]}), "JWT claim aud: must be a text"),
    ],
)
def test_part_of_a_jwt_is_named_beside_the_references_text(gateway: TestGateway, body: bytes, hint: str) -> None:
    answer = gateway.client.post("/session", data=body, headers={"Content-Type": "text/plain"})
    assert answer.headers["X-Error-Hint"] == hint
    assert (answer.status_code, answer.get_json()) == (
        400,
        {
            "status": 400,
            "error": "INVALID_REQUEST",
            "description": "Invalid HTTP request",
            "message": "request could not be authenticated",
        },
    )


@pytest.mark.parametrize(
    ("headers", "hint"),
    [
        ({"Content-Type": "application/json"}, "Authorization: must hold the API token"),
        ({"Content-Type": "text/plain", "Authorization": "canary"}, "Authorization: must be absent beside a JWT"),
        ({"Content-Type": "application/xml"}, "Content-Type: must be application/json for a request with an API token"),
    ],
)
def test_header_is_named(gateway: TestGateway, headers: dict[str, str], hint: str) -> None:
    answer = gateway.client.post("/session", data=b"{}", headers=headers)
    assert answer.headers["X-Error-Hint"].startswith(hint)
    assert "canary" not in answer.text


def test_server_without_authentication_says_so(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway(no_auth=True, requestors={})
    assert gateway.post(DISCLOSURE, "token").headers["X-Error-Hint"].startswith("Authorization: must be absent")


def test_fields_are_named_also_inside_jwts() -> None:
    assert hint_of("Invalid JWT body: Empty disjunction").startswith("disclose: ")
    assert hint_of("iat: must be a number") == ""

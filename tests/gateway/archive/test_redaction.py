"""What the archive keeps of a request: who is asked for what, and no value."""

import json
from typing import Any

import pytest

from gateway.archive.redaction import MARKER, redacted_request
from idemix.request.requestor import parse_session_request

CANARY = "canary-7f3a"


def redact(request: dict[str, Any], **wrapper: Any) -> dict[str, Any]:
    redacted = redacted_request(parse_session_request(json.dumps({"request": request} | wrapper)))
    assert CANARY not in json.dumps(redacted)
    return redacted


def context(kind: str) -> str:
    return f"https://irma.app/ld/request/{kind}/v2"


def test_disclosure() -> None:
    request = {
        "@context": context("disclosure"),
        "disclose": [
            [["a.b.c.d", {"type": "a.b.c.e", "value": CANARY}], ["a.b.c.f"]],
            [[{"type": "a.b.c.g", "notNull": True}]],
        ],
        "labels": {"0": {"en": CANARY, "nl": CANARY}},
        "skipExpiryCheck": ["a.b.c", f"{CANARY} with blanks"],
        "clientReturnUrl": f"https://user:{CANARY}@example.org:8443/path/{CANARY}?token={CANARY}#{CANARY}",
        "host": "irma.example.org",
    }
    assert redact(request, callbackUrl=f"http://[::1]:80/{CANARY}", nextSession={"url": f"https://next.example.org?{CANARY}"}) == {
        "type": "disclosing",
        "disclose": [[["a.b.c.d", {"type": "a.b.c.e", "value": MARKER}], ["a.b.c.f"]], [[{"type": "a.b.c.g", "notNull": True}]]],
        "skipExpiryCheck": ["a.b.c", MARKER],
        "clientReturnUrl": f"https://example.org:8443/{MARKER}",
        "callbackUrl": f"http://[::1]:80/{MARKER}",
        "nextSession": f"https://next.example.org/{MARKER}",
        "host": "irma.example.org",
    }


def test_signature() -> None:
    request = {"@context": context("signature"), "message": CANARY, "disclose": [[["a.b.c.d"]]]}
    assert redact(request) == {"type": "signing", "disclose": [[["a.b.c.d"]]], "message": MARKER}


def test_issuance() -> None:
    credential = {"credential": "a.b.c", "attributes": {"name": CANARY, "age": CANARY}, "validity": 1900000000, "revocationKey": CANARY}
    redacted = redact({"@context": context("issuance"), "credentials": [credential]})
    assert redacted["type"] == "issuing"
    (kept,) = redacted["credentials"]
    assert kept.pop("keyCounter", 0) == 0
    assert kept == {
        "credential": "a.b.c",
        "attributes": {"age": MARKER, "name": MARKER},
        "validity": 1900000000,
        "revocationKey": MARKER,
    }


@pytest.mark.parametrize(
    "address", [CANARY, f"{CANARY}:80", f"https://[{CANARY}", f"https://example.org:{CANARY}", f"mailto:{CANARY}", "//x"]
)
def test_addresses_that_are_none_are_left_out(address: str) -> None:
    request = {"@context": context("disclosure"), "disclose": [[["a.b.c.d"]]], "clientReturnUrl": address}
    assert redact(request)["clientReturnUrl"] == MARKER


def test_fields_that_nobody_knows_are_left_out() -> None:
    request = {"@context": context("disclosure"), "disclose": [[["a.b.c.d"]]], "unknown": CANARY, "type": CANARY}
    assert redact(request) == {"type": "disclosing", "disclose": [[["a.b.c.d"]]]}

"""Explaining what the gateway would say of a request."""

import base64
import json

import pytest

from console.requestors.service import Grant, explain, pattern_count, permission_rows, read_request
from gateway.inputs import InvalidInputError
from gateway.permissions import NO_PERMISSIONS, PermissionKind, Permissions

DISCLOSURE = {
    "@context": "https://irma.app/ld/request/disclosure/v2",
    "disclose": [[["irma-demo.RU.studentCard.level"]], [["irma-demo.MijnOverheid.root.BSN"]]],
}
ISSUANCE = {
    "@context": "https://irma.app/ld/request/issuance/v2",
    "credentials": [{"credential": "irma-demo.RU.studentCard", "attributes": {"level": "MSc"}}],
}


def jwt(claims: object) -> str:
    """A JWT with these claims, whose signature nobody checks here."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.c2ln"


def test_each_identifier_is_told_with_its_rule_and_what_lacks_one_is_the_smallest_grant() -> None:
    explained = explain(read_request(json.dumps(DISCLOSURE)), Permissions(disclose=("irma-demo.RU.*",)), NO_PERMISSIONS, "gateway.example")
    assert not explained.allowed
    assert explained.action == "disclosing"
    assert [(decision.subject, decision.rule and decision.rule.pattern) for decision in explained.decisions] == [
        ("irma-demo.RU.studentCard.level", "irma-demo.RU.*"),
        ("irma-demo.MijnOverheid.root.BSN", None),
    ]
    assert explained.missing == (Grant(PermissionKind.DISCLOSE, "irma-demo.MijnOverheid.root.BSN"),)


def test_the_smallest_grant_is_enough() -> None:
    request = read_request(json.dumps(DISCLOSURE))
    refused = explain(request, NO_PERMISSIONS, NO_PERMISSIONS, "gateway.example")
    granted = Permissions(disclose=tuple(grant.pattern for grant in refused.missing))
    assert explain(request, granted, NO_PERMISSIONS, "gateway.example").allowed


def test_what_everyone_may_counts() -> None:
    explained = explain(read_request(json.dumps(ISSUANCE)), NO_PERMISSIONS, Permissions(issue=("*",)), "gateway.example")
    assert explained.allowed
    assert explained.decisions[0].rule is not None
    assert explained.decisions[0].rule.origin.value == "global"


def test_a_host_of_its_own_is_judged_too() -> None:
    request = read_request(json.dumps(DISCLOSURE | {"host": "other.example"}))
    explained = explain(request, Permissions(disclose=("*",)), NO_PERMISSIONS, "gateway.example")
    assert explained.missing == (Grant(PermissionKind.HOST, "other.example"),)


def test_a_jwt_is_read_like_its_request() -> None:
    claims = {"iss": "desk", "sub": "verification_request", "sprequest": {"request": DISCLOSURE}}
    assert read_request(jwt(claims)) == read_request(json.dumps(DISCLOSURE))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  ", "Paste a session request"),
        ("hello", "neither JSON nor a JWT"),
        ("a.!!!.c", "no JSON in base64url"),
        (jwt([1]), "no JSON object"),
        (jwt({"sub": "nothing"}), "no session request"),
        ("{", "no session request"),
        ('{"@context": "https://irma.app/ld/request/disclosure/v2"}', "no session request"),
    ],
)
def test_what_is_no_request_is_refused_at_the_field_with_the_rule(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_request(text)
    assert words in refused.value.errors["request"]


def test_the_rows_of_the_permission_table_tell_where_each_pattern_stands() -> None:
    own = Permissions(disclose=("a.b.*",), issue=("a.b.c",))
    rows = permission_rows(own, Permissions(disclose=("z.*",), sign=("a.b.*",)))
    assert [(pattern, depth) for pattern, depth, _ in rows] == [("a.b.*", 2), ("a.b.c", 2), ("z.*", 1)]
    assert rows[0][2] == {"disclose": "here", "sign": "everyone", "issue": None, "revoke": None}
    assert pattern_count(own) == 2

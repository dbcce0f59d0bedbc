"""What may be asked, and why: every kind of pattern meets every kind of request."""

import pytest

from gateway.models import PermissionKind
from gateway.permissions import (
    NO_PERMISSIONS,
    BadPatternError,
    Origin,
    PermissionJudge,
    Permissions,
    Permitted,
    Refused,
    Rule,
    compile_host_pattern,
    host_matches,
    validate_permissions,
)
from gateway.schemes import FixedSchemes
from idemix.request import parse_session_request
from tests.support.gateways import CARD, DISCLOSURE, ISSUANCE, SIGNATURE, irma_demo

ATTRIBUTE = f"{CARD}.level"


def judge(permissions: Permissions, *, shared: Permissions = NO_PERMISSIONS, host: str = "gateway.example") -> PermissionJudge:
    return PermissionJudge(permissions, shared, host)


@pytest.mark.parametrize("pattern", ["*", "irma-demo.*", "irma-demo.RU.*", f"{CARD}.*", ATTRIBUTE])
@pytest.mark.parametrize(("kind", "request_json"), [("disclose", DISCLOSURE), ("sign", SIGNATURE)])
def test_patterns_that_allow_an_attribute(pattern: str, kind: str, request_json: dict[str, object]) -> None:
    verdict = judge(Permissions(**{kind: (pattern,)})).may_request(parse_session_request(request_json).request)
    assert isinstance(verdict, Permitted)
    assert verdict.decisions[0].rule == Rule(PermissionKind(kind), pattern, Origin.REQUESTOR)


@pytest.mark.parametrize("pattern", ["*", "irma-demo.*", "irma-demo.RU.*", CARD])
def test_patterns_that_allow_issuing(pattern: str) -> None:
    assert isinstance(judge(Permissions(issue=(pattern,))).may_request(parse_session_request(ISSUANCE).request), Permitted)


@pytest.mark.parametrize("pattern", ["irma-demo", "irma-demo.RU", CARD, f"{CARD}.levels", "irma-demo.ru.*", "pbdf.*", "**", "irma-demo.R*"])
def test_patterns_that_allow_no_attribute(pattern: str) -> None:
    verdict = judge(Permissions(disclose=(pattern,))).may_request(parse_session_request(DISCLOSURE).request)
    assert isinstance(verdict, Refused)
    assert verdict.reason == ATTRIBUTE


def test_another_kind_of_permission_does_not_help() -> None:
    everything_else = Permissions(sign=("*",), issue=("*",), revoke=("*",))
    verdict = judge(everything_else).may_request(parse_session_request(DISCLOSURE).request)
    assert isinstance(verdict, Refused)
    assert (verdict.reason, verdict.refused_by.subject) == ("", ATTRIBUTE)


def test_own_and_global_permissions_are_joined() -> None:
    verdict = judge(Permissions(disclose=("pbdf.*",)), shared=Permissions(disclose=("irma-demo.*",))).may_request(
        parse_session_request(DISCLOSURE).request
    )
    assert isinstance(verdict, Permitted)
    assert verdict.decisions[0].rule == Rule(PermissionKind.DISCLOSE, "irma-demo.*", Origin.GLOBAL)


def test_each_attribute_is_explained_also_after_the_refusal() -> None:
    request = {"@context": DISCLOSURE["@context"], "disclose": [[[ATTRIBUTE], []], [["pbdf.pbdf.email.email"], [f"{CARD}.studentID"]]]}
    verdict = judge(Permissions(disclose=("irma-demo.*",))).may_request(parse_session_request(request).request)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "pbdf.pbdf.email.email"
    explained = {decision.subject: decision.rule is not None for decision in verdict.decisions}
    assert explained == {ATTRIBUTE: True, "pbdf.pbdf.email.email": False, f"{CARD}.studentID": True, "gateway.example": True}


def test_combined_issuance_needs_both_kinds() -> None:
    combined = parse_session_request({**ISSUANCE, "disclose": [[[ATTRIBUTE]]]}).request
    assert isinstance(judge(Permissions(issue=("*",))).may_request(combined), Refused)
    assert isinstance(judge(Permissions(disclose=("*",))).may_request(combined), Refused)
    assert isinstance(judge(Permissions(issue=("*",), disclose=("*",))).may_request(combined), Permitted)


def test_reasons_for_issuing() -> None:
    request = parse_session_request(ISSUANCE).request
    nothing, other = judge(NO_PERMISSIONS).may_request(request), judge(Permissions(issue=("pbdf.*",))).may_request(request)
    assert isinstance(nothing, Refused)
    assert isinstance(other, Refused)
    assert nothing.reason == "No issuer permissions configured"
    assert other.reason == f"No issuer permissions configured for credential '{CARD}'"


@pytest.mark.parametrize(
    ("patterns", "host", "is_allowed"),
    [
        ((), "", True),
        ((), "gateway.example", True),
        ((), "other.example", False),
        (("other.example",), "", False),
        (("*.example",), "other.example", True),
        (("*",), "evil.example#.example", False),
        (("*",), "user@evil.example", False),
        (("*",), " ", False),
    ],
)
def test_hosts(patterns: tuple[str, ...], host: str, is_allowed: bool) -> None:
    request = parse_session_request({**DISCLOSURE, "host": host}).request
    verdict = judge(Permissions(disclose=("*",), host=patterns)).may_request(request)
    assert isinstance(verdict, Permitted) is is_allowed


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[^c]", "abc", False),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a???b", "a☺b", False),
        ("[a-ζ]*", "α", True),
        ("a?b", "a/b", False),
        ("a*b", "a/b", False),
        ("[\\]a]", "]", True),
        ("[\\-x]", "-", True),
        ("[x\\-]", "z", False),
        ("*x", "xxx", True),
        ("[!e]x", "!x", True),
        ("[b-a]", "a", False),
        ("[^b-a]", "a", True),
    ],
)
def test_host_patterns_match_as_in_go(pattern: str, text: str, matches: bool) -> None:
    # From the table of Go's path/match_test.go, and what differs from Python's fnmatch.
    assert host_matches(pattern, text) is matches


@pytest.mark.parametrize("pattern", ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a\\", "[]", "[a"])
def test_malformed_host_patterns_never_match(pattern: str) -> None:
    with pytest.raises(BadPatternError):
        compile_host_pattern(pattern)
    assert not host_matches(pattern, pattern)


def test_many_asterisks_take_no_long_time() -> None:
    assert not host_matches("*a" * 30 + "b", "a" * 5000)


def test_validation_names_every_fault() -> None:
    keys = FixedSchemes(irma_demo()).current.issuer_keys
    permissions = Permissions(disclose=("bad", CARD, "irma-demo.nobody.*"), issue=("*.*", CARD), revoke=(CARD,))
    assert validate_permissions("Requestor shop", permissions, irma_demo(), keys) == [
        "Requestor shop issuing permission '*.*' contains too many asterisks (at most 1 permitted)",
        "Requestor shop disclosing permission 'bad' should have 4 parts",
        "Requestor shop disclosing permission 'bad': unknown scheme",
        f"Requestor shop disclosing permission '{CARD}' should have 4 parts",
        "Requestor shop disclosing permission 'irma-demo.nobody.*': unknown issuer",
        f"Requestor shop revoking permission '{CARD}': private key does not support revocation "
        '(add revocation key material to it using "irma issuer revocation keypair")',
    ]
    assert validate_permissions("Global", Permissions(issue=(CARD,)), irma_demo(), keys) == []

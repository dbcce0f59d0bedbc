"""Constraints: what they may be, and which requests they refuse, with the field and the rule and never a value."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.inputs import Errors, InvalidInputError
from gateway.requestors.constraints import NO_CONSTRAINTS, AllowedKeys, AllowedValues, Check, Constraints, address_matches
from idemix.request import parse_session_request
from tests.support.clock import START
from tests.support.gateways import CARD, CARD_VALUES, DISCLOSURE, ISSUANCE, SIGNATURE

LEVEL = f"{CARD}.level"
ONLY_42 = (AllowedValues(LEVEL, ("42", "43")),)


def faults(constraints: Constraints) -> list[str]:
    errors = Errors()
    constraints.check(errors)
    try:
        errors.raise_if_any()
    except InvalidInputError as error:
        return list(error.errors)
    return []


def judged(constraints: Constraints, request: Any, *, redacted: bool = False) -> list[Check]:
    return list(constraints.judge(parse_session_request(request), START, redacted=redacted))


@pytest.mark.parametrize(
    ("constraints", "field"),
    [
        ({"asked_values": (AllowedValues(CARD, ()),)}, "asked_values.0.attribute"),
        ({"asked_values": (AllowedValues("a.b..d", ()),)}, "asked_values.0.attribute"),
        ({"asked_values": (AllowedValues(LEVEL, ()), AllowedValues(LEVEL, ("1",)))}, "asked_values"),
        ({"issued_values": (AllowedValues(LEVEL, ("x" * 2001,)),)}, "issued_values.0.values"),
        ({"callback_urls": ("https://shop.example/*", "shop.example")}, "callback_urls.1"),
        ({"callback_urls": ("https://*",)}, "callback_urls.0"),
        ({"callback_urls": ("https://user@shop.example/*",)}, "callback_urls.0"),
        ({"next_session_urls": ("https:/*",)}, "next_session_urls.0"),
        ({"next_session_urls": ("https://shop.example/a/../*",)}, "next_session_urls.0"),
        ({"client_return_urls": ("https://shop.example/ x",)}, "client_return_urls.0"),
        ({"longest_validity_days": 0}, "longest_validity_days"),
        ({"issuer_keys": (AllowedKeys("irma-demo", (1,)),)}, "issuer_keys.0.issuer"),
        ({"issuer_keys": (AllowedKeys("irma-demo.RU", ()),)}, "issuer_keys.0.counters"),
        ({"issuer_keys": (AllowedKeys("irma-demo.RU", (-1,)),)}, "issuer_keys.0.counters"),
    ],
)
def test_a_constraint_that_breaks_a_rule_is_told_at_its_field(constraints: dict[str, Any], field: str) -> None:
    assert faults(Constraints(**constraints)) == [field]


def test_constraints_come_back_from_where_they_are_stored() -> None:
    whole = Constraints(ONLY_42, ONLY_42, ("https://shop.example/*",), (), None, False, 30, (AllowedKeys("irma-demo.RU", (1, 2)),))
    assert faults(whole) == []
    assert Constraints.from_json(whole.to_json()) == whole
    assert Constraints.from_json(None) == NO_CONSTRAINTS
    assert Constraints.from_json(NO_CONSTRAINTS.to_json()) == NO_CONSTRAINTS


@pytest.mark.parametrize(
    ("pattern", "address", "matches"),
    [
        ("https://shop.example/done", "https://shop.example/done", True),
        ("https://shop.example/done", "https://shop.example/done/", False),
        ("https://shop.example/done", "https://shop.example/done?x=1", False),
        ("https://shop.example/*", "https://shop.example/done?x=1#y", True),
        ("https://shop.example/*", "https://shop.example/", True),
        ("https://shop.example/*", "https://shop.example.evil.example/", False),
        ("https://shop.example/*", "https://shop.example@evil.example/", False),
        ("https://shop.example/*", "http://shop.example/", False),
        ("https://shop.example/*", "HTTPS://shop.example/", False),
        ("https://shop.example/a/*", "https://shop.example/a/../b", False),
        ("https://shop.example/a/*", "https://shop.example/a/%2E%2e/b", False),
        ("https://shop.example/a/*", "https://shop.example/a/..", False),
        ("https://shop.example/a/*", "https://shop.example/a/x/..?y", False),
        ("https://shop.example/a/*", "https://shop.example/a/..\\b", False),
        ("https://shop.example/a/*", "https://shop.example/a/b\\..\\..\\c", False),
        ("https://shop.example/a/*", "https://shop.example/a/x y", False),
        ("https://shop.example/a/*", "https://shop.example/a/..x/.y", True),
        ("https://shop.example/a/*", "https://shop.example/a", False),
        ("myapp:done", "myapp:done", True),
        ("myapp:done*", "myapp:done-and-more", False),
    ],
)
def test_addresses(pattern: str, address: str, matches: bool) -> None:
    assert address_matches(pattern, address) is matches


@pytest.mark.parametrize("request_json", [DISCLOSURE, SIGNATURE, ISSUANCE | {"disclose": DISCLOSURE["disclose"]}])
def test_without_constraints_nothing_is_asked(request_json: Any) -> None:
    assert judged(NO_CONSTRAINTS, {"callbackUrl": "https://x.example/", "request": request_json}) == []


def asking(value: str | None) -> dict[str, Any]:
    return DISCLOSURE | {"disclose": [[[LEVEL if value is None else {"type": LEVEL, "value": value}]]]}


def test_an_attribute_may_be_asked_only_with_its_values() -> None:
    constraints = Constraints(asked_values=ONLY_42)
    assert [check.permitted for check in judged(constraints, asking("42"))] == [True]
    for value in ("44-secret", None):
        (check,) = judged(constraints, asking(value))
        assert (check.permitted, check.setting, check.subject, check.grant) == (False, "constraints.asked_values", LEVEL, value)
        assert check.reason.startswith(f"disclose[0][0][0]: {LEVEL} may be asked only")
        assert "secret" not in check.reason + check.label
    assert judged(constraints, DISCLOSURE | {"disclose": [[[f"{CARD}.university"]]]}) == []
    assert [check.permitted for check in judged(constraints, asking("•"), redacted=True)] == [None]
    assert [check.permitted for check in judged(constraints, asking(None), redacted=True)] == [False]


def test_an_attribute_may_be_issued_only_with_its_values() -> None:
    constraints = Constraints(issued_values=ONLY_42)
    assert [check.permitted for check in judged(constraints, ISSUANCE)] == [True]
    for values in (CARD_VALUES | {"level": "44-secret"}, {"university": "Radboud"}):
        (check,) = judged(constraints, ISSUANCE | {"credentials": [{"credential": CARD, "attributes": values}]})
        assert (check.permitted, check.subject) == (False, LEVEL)
        assert check.reason.startswith(f"credentials[0].attributes: {LEVEL} may be issued only")
        assert "secret" not in check.reason


@pytest.mark.parametrize(
    ("setting", "field"),
    [("callback_urls", "callbackUrl"), ("next_session_urls", "nextSession.url"), ("client_return_urls", "clientReturnUrl")],
)
def test_addresses_that_are_not_allowed(setting: str, field: str) -> None:
    address = "https://other.example/secret"
    request = {
        "callbackUrl": address,
        "nextSession": {"url": address},
        "request": DISCLOSURE | {"clientReturnUrl": address},
    }
    for patterns, verdict in (((), False), (("https://shop.example/*",), False), (("https://other.example/*",), True)):
        (check,) = judged(Constraints(**{setting: patterns}), request)
        assert (check.permitted, check.subject) == (verdict, field)
        assert "secret" not in check.reason
    assert judged(Constraints(**{setting: ()}), DISCLOSURE) == []


def test_expired_credentials_only_by_right() -> None:
    request = DISCLOSURE | {"skipExpiryCheck": [CARD]}
    (check,) = judged(Constraints(may_skip_expiry=False), request)
    assert (check.permitted, check.subject, check.grant) == (False, "skipExpiryCheck", "true")
    assert judged(Constraints(may_skip_expiry=False), DISCLOSURE) == []


@pytest.mark.parametrize(("days", "seconds", "permitted"), [(30, 0, True), (30, 1, False), (29, 86_399, True), (None, 0, False)])
def test_credentials_are_valid_for_so_long_at_most(days: int | None, seconds: int, permitted: bool) -> None:
    credential = {"credential": CARD, "attributes": CARD_VALUES}
    if days is not None:
        credential["validity"] = int((START + timedelta(days=days, seconds=seconds)).timestamp())  # type: ignore[assignment]
    (check,) = judged(Constraints(longest_validity_days=30), ISSUANCE | {"credentials": [credential]})
    assert check.permitted is permitted
    if not permitted:
        # Without validity it is six months.
        assert check.grant == ("31" if days else "181")

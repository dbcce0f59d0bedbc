"""Explaining what the gateway would say of a request: the verdict, what decided, and the smallest grant that would allow it."""

import base64
import json
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.database import Database
from gateway.inputs import InvalidInputError, NotFoundError
from gateway.models import PermissionKind, RequestorState
from gateway.permissions import NO_PERMISSIONS, Permissions
from gateway.requestors.constraints import NO_CONSTRAINTS, AllowedValues, Constraints
from gateway.requestors.explain import Explanation, Grant, explain, read_request
from gateway.requestors.limits import NO_LIMITS, Hours, Limits
from gateway.requestors.models import NewRequestor, RequestorInfo
from idemix.request import parse_session_request
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN
from tests.support.factories.services import shared_services
from tests.support.gateways import irma_demo
from tests.support.sessions import World

LEVEL, BSN = "irma-demo.RU.studentCard.level", "irma-demo.MijnOverheid.root.BSN"
CARD = "irma-demo.RU.studentCard"
DISCLOSURE = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[[LEVEL]], [[BSN]]]}
ISSUANCE = {"@context": "https://irma.app/ld/request/issuance/v2", "credentials": [{"credential": CARD, "attributes": {"level": "MSc"}}]}
HOST = "gateway.example"


def requestor(
    permissions: Permissions = NO_PERMISSIONS,
    limits: Limits = NO_LIMITS,
    constraints: Constraints = NO_CONSTRAINTS,
    state: RequestorState = RequestorState.ACTIVE,
) -> RequestorInfo:
    return RequestorInfo(1, "desk", None, "", state, None, 1, START, START, (), permissions, limits, constraints)


def explained(request: Any, who: RequestorInfo, everyone: Permissions = NO_PERMISSIONS, **more: Any) -> Explanation:
    return explain(who, everyone, read_request(json.dumps(request)), HOST, now=START, **more)


def jwt(claims: object) -> str:
    """A JWT with these claims, whose signature nobody checks here."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.c2ln"


def test_each_identifier_is_told_with_its_rule_and_what_lacks_one_is_the_smallest_grant() -> None:
    found = explained(DISCLOSURE, requestor(Permissions(disclose=("irma-demo.RU.*",))))
    assert not found.allowed
    assert (found.action, found.decided_by, found.refused) == ("disclosing", f"disclose {BSN}", 1)
    assert [(decision.subject, decision.rule and decision.rule.pattern) for decision in found.decisions] == [
        (LEVEL, "irma-demo.RU.*"),
        (BSN, None),
    ]
    assert found.missing == (Grant("disclose_perms", PermissionKind.DISCLOSE, BSN),)


def test_a_credential_as_such_takes_all_of_its_attributes() -> None:
    found = explained(DISCLOSURE | {"disclose": [[[CARD]]]}, requestor())
    assert [grant.pattern for grant in found.missing] == [f"{CARD}.*"]


def test_what_everyone_may_counts() -> None:
    found = explained(ISSUANCE, requestor(), Permissions(issue=("*",)))
    assert found.allowed
    assert found.decisions[0].rule is not None
    assert found.decisions[0].rule.origin.value == "global"


def test_a_host_of_its_own_is_judged_too() -> None:
    who = requestor(Permissions(disclose=("*",)))
    assert explained(DISCLOSURE | {"host": "other.example"}, who).missing == (Grant("host_perms", PermissionKind.HOST, "other.example"),)
    assert explained(DISCLOSURE | {"host": "a@b"}, who).missing == ()
    assert explained(DISCLOSURE | {"host": "a*b"}, who).missing[0].pattern == "a\\*b"


def test_a_default_host_that_is_not_granted_is_missing() -> None:
    found = explained(DISCLOSURE, requestor(Permissions(disclose=("*",), host=("other.example",))))
    assert (found.decided_by, [grant.pattern for grant in found.missing]) == (f"host {HOST}", [HOST])


@pytest.mark.parametrize("state", [RequestorState.DRAFT, RequestorState.SUSPENDED])
def test_the_gateway_does_not_know_a_requestor_that_is_not_active(state: RequestorState) -> None:
    found = explained(DISCLOSURE, requestor(Permissions(disclose=("*",)), state=state))
    assert (found.allowed, found.reason, found.decided_by) == (False, "Unknown requestor: desk", f"state {state.value}")
    assert found.missing == (Grant("state", None, "active"),)


def test_limits_come_before_permissions_and_constraints_after() -> None:
    limits = Limits(addresses=("192.0.2.0/24",), hours=(Hours(("sunday",)),), time_zone="Europe/Amsterdam")
    constraints = Constraints(callback_urls=("https://shop.example/*",), may_skip_expiry=False)
    request = {"callbackUrl": "https://evil.example/", "request": DISCLOSURE | {"skipExpiryCheck": [CARD]}}
    found = explained(request, requestor(limits=limits, constraints=constraints), address="198.51.100.7")
    assert found.decided_by == "limits.addresses source address"
    found = explained(request, requestor(limits=limits, constraints=constraints), address="192.0.2.9")
    assert found.decided_by == ("limits.hours time" if START.weekday() != 6 else f"disclose {LEVEL}")
    found = explained(request, requestor(constraints=constraints))
    assert found.decided_by == f"disclose {LEVEL}"
    found = explained(request, requestor(Permissions(disclose=("*",)), constraints=constraints))
    assert found.decided_by == "constraints.callback_urls callbackUrl"
    assert [check.permitted for check in found.checks] == [False, False]
    assert (found.limits, found.constraints) == (NO_LIMITS, constraints)


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


# The smallest grant: with it the request is permitted; without any one of its parts it is not.

ATTRIBUTES = [LEVEL, BSN, "irma-demo.RU.studentCard.university", CARD, "irma-demo.MijnOverheid.fullName.firstname"]
CREDENTIALS = [CARD, "irma-demo.MijnOverheid.root", "irma-demo.MijnOverheid.fullName"]
PATTERNS = ["irma-demo.RU.*", "irma-demo.MijnOverheid.root.*", LEVEL, "pbdf.*"]
URLS = ["https://a.example/x", "https://b.example/y?z=1", "https://c.example/"]


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    asked: list[Any] = [
        {"type": name, "value": value} if value else name
        for name, value in draw(st.lists(st.tuples(st.sampled_from(ATTRIBUTES), st.sampled_from([None, "1", "2"])), min_size=1, max_size=4))
    ]
    inner: dict[str, Any] = {"disclose": [[[one]] for one in asked]}
    kind = draw(st.sampled_from(["disclosure", "signature", "issuance"]))
    inner["@context"] = f"https://irma.app/ld/request/{kind}/v2"
    if kind == "signature":
        inner["message"] = "m"
    if kind == "issuance":
        names = draw(st.lists(st.sampled_from(CREDENTIALS), min_size=1, max_size=3))
        validity = draw(st.sampled_from([None, 5, 40, 400]))
        inner["credentials"] = [{"credential": name, "attributes": {"level": draw(st.sampled_from(["1", "2"]))}} for name in names]
        if validity:
            inner["credentials"][0]["validity"] = int((START + timedelta(days=validity, seconds=1)).timestamp())
    if draw(st.booleans()):
        inner["host"] = draw(st.sampled_from(["other.example", "a*[b", HOST]))
    if draw(st.booleans()):
        inner["skipExpiryCheck"] = [CARD]
    if draw(st.booleans()):
        inner["clientReturnUrl"] = draw(st.sampled_from(URLS))
    wrapper: dict[str, Any] = {"request": inner}
    if draw(st.booleans()):
        wrapper["callbackUrl"] = draw(st.sampled_from(URLS))
    if draw(st.booleans()):
        wrapper["nextSession"] = {"url": draw(st.sampled_from(URLS))}
    return wrapper


@st.composite
def requestors(draw: st.DrawFn) -> RequestorInfo:
    own = st.lists(st.sampled_from(PATTERNS), max_size=2).map(tuple)
    hosts = st.lists(st.sampled_from(["other.example", HOST]), max_size=1).map(tuple)
    urls = st.none() | st.lists(st.sampled_from([*URLS, "https://a.example/*"]), max_size=2).map(tuple)
    values = st.just(()) | st.just((AllowedValues(LEVEL, ("1",)),))
    constraints = Constraints(
        asked_values=draw(values),
        issued_values=draw(values),
        callback_urls=draw(urls),
        next_session_urls=draw(urls),
        client_return_urls=draw(urls),
        may_skip_expiry=draw(st.booleans()),
        longest_validity_days=draw(st.none() | st.sampled_from([1, 30, 300])),
    )
    zone = draw(st.sampled_from(["UTC", "Asia/Tokyo"]))
    hours = draw(st.just(()) | st.just((Hours(("sunday",), "03:00", "04:00"),)))
    limits = Limits(addresses=draw(st.just(()) | st.just(("192.0.2.0/28",))), hours=hours, time_zone=zone)
    state = draw(st.sampled_from(RequestorState))
    permissions = Permissions(disclose=draw(own), sign=draw(own), issue=draw(st.just(()) | st.just((CARD,))), host=draw(hosts))
    return requestor(permissions, limits, constraints, state)


def granted(who: RequestorInfo, grants: tuple[Grant, ...]) -> RequestorInfo:
    """The requestor with exactly these changes, made as somebody would who reads them."""
    for grant in grants:
        where, _, setting = grant.setting.rpartition(".")
        if grant.kind is not None:
            present = who.permissions.of(grant.kind)
            who = replace(who, permissions=replace(who.permissions, **{grant.kind.value: (*present, grant.pattern)}))
        elif setting == "state":
            who = replace(who, state=RequestorState(grant.pattern))
        elif setting == "hours":
            day, times = str(grant.pattern).split(" ")
            begin, end = times.split("-")
            who = replace(who, limits=replace(who.limits, hours=(*who.limits.hours, Hours((day,), begin, end))))
        elif setting == "addresses":
            who = replace(who, limits=replace(who.limits, addresses=(*who.limits.addresses, str(grant.pattern))))
        else:
            assert where == "constraints"
            who = replace(who, constraints=replace(who.constraints, **{setting: _constraint(who.constraints, setting, grant)}))
    return who


def _constraint(constraints: Constraints, setting: str, grant: Grant) -> Any:
    present = getattr(constraints, setting)
    if setting == "may_skip_expiry":
        return True
    if setting == "longest_validity_days":
        return int(str(grant.pattern))
    if setting.endswith("_urls"):
        return (*present, grant.pattern)
    if grant.pattern is None:
        return tuple(entry for entry in present if entry.attribute != grant.subject)
    return tuple(replace(entry, values=(*entry.values, grant.pattern)) if entry.attribute == grant.subject else entry for entry in present)


@pytest.mark.feature("D6.2")
@given(requests(), requestors(), st.sampled_from(["192.0.2.5", "198.51.100.1", "2001:db8::1"]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exactly_the_smallest_grant_permits_and_nothing_smaller_does(request: dict[str, Any], who: RequestorInfo, address: str) -> None:
    found = explained(request, who, address=address)
    assert found.allowed == (found.missing == ())
    assert explained(request, granted(who, found.missing), address=address).allowed
    for position, left_out in enumerate(found.missing):
        rest = found.missing[:position] + found.missing[position + 1 :]
        assert not explained(request, granted(who, rest), address=address).allowed, left_out


# Past sessions.


def test_a_past_session_is_judged_by_the_rules_of_today(database: Database) -> None:
    clock = SettableClock()
    services = shared_services(database, clock=clock, configuration=irma_demo)
    services.requestors.create(ADMIN, NewRequestor("desk"))
    services.requestors.activate(ADMIN, "desk")
    world = World()
    asked = {"callbackUrl": "https://shop.example/secret", "request": DISCLOSURE | {"disclose": [[[{"type": LEVEL, "value": "42"}]]]}}
    session, _ = world.engine.start(parse_session_request(asked), requestor="desk")
    services.archive.session_started(session)
    services.archive.flush()
    (record,) = services.archive.records(ADMIN)
    found = services.explainer.session(ADMIN, record.id, HOST)
    assert (found.requestor, found.allowed, found.missing[0].pattern) == ("desk", False, LEVEL)
    services.requestors.set_permissions(ADMIN, "desk", Permissions(disclose=(LEVEL,)))
    constraints = Constraints(asked_values=(AllowedValues(LEVEL, ("42",)),), callback_urls=("https://shop.example/*",))
    services.requestors.set_constraints(ADMIN, "desk", constraints)
    found = services.explainer.session(ADMIN, record.id, HOST)
    # The archive has markers for values and addresses, so that nothing is told of them.
    assert (found.allowed, [check.permitted for check in found.checks]) == (True, [None, None])
    assert "42" not in json.dumps(asdict(found.checks[0]))
    with pytest.raises(NotFoundError):
        services.explainer.session(ADMIN, record.id + 1, HOST)

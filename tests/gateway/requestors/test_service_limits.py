"""Keys of every kind, limits, constraints and usage through the service: rights, audit, versions, and the snapshot."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.actor import Role
from gateway.authorization import PermissionDeniedError
from gateway.database import Database
from gateway.inputs import ConflictError, InvalidInputError, NotFoundError
from gateway.models import AuthMethod, JwtAlgorithm
from gateway.requestors.constraints import AllowedValues, Constraints
from gateway.requestors.limits import Hours, Limits
from gateway.requestors.models import DayUsage, NewKey, NewRequestor
from gateway.services import SharedServices
from tests.support.clock import SettableClock
from tests.support.factories.actors import ADMIN, NOBODY, actor
from tests.support.factories.services import shared_services

LIMITS = Limits(rate_per_minute=60, addresses=("192.0.2.0/24",), hours=(Hours(("monday",), "08:00"),), time_zone="Europe/Amsterdam")
CONSTRAINTS = Constraints(asked_values=(AllowedValues("irma-demo.RU.studentCard.level", ("42",)),), callback_urls=(), may_skip_expiry=False)


@pytest.fixture
def services(database: Database) -> SharedServices:
    made = shared_services(database, clock=SettableClock())
    made.requestors.create(ADMIN, NewRequestor("desk"))
    made.requestors.activate(ADMIN, "desk")
    return made


def refused(call: Callable[[], object]) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        call()
    return list(caught.value.errors)


def pem(key: Any) -> str:
    text: str = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return text


@pytest.mark.parametrize(("setting", "value"), [("limits", LIMITS), ("constraints", CONSTRAINTS)])
def test_limits_and_constraints_are_kept_audited_and_in_the_snapshot(services: SharedServices, setting: str, value: Any) -> None:
    change = getattr(services.requestors, f"set_{setting}")
    version = services.requestors.get(ADMIN, "desk").version
    changed = change(ADMIN, "desk", value, version=version, reason="asked for")
    assert (getattr(changed, setting), changed.version) == (value, version + 1)
    assert services.requestors.get(ADMIN, "desk") == changed
    entry = services.audit.entries(ADMIN)[0]
    assert (entry.action, entry.object, entry.reason) == ("requestor.permissions", "requestor:desk", "asked for")
    expected = {
        "limits": {"limits.rate_per_minute", "limits.addresses", "limits.hours", "limits.time_zone"},
        "constraints": {"constraints.asked_values", "constraints.callback_urls", "constraints.may_skip_expiry"},
    }
    assert set(entry.changes) == expected[setting]
    services.requestors.refresh()
    assert getattr(services.requestors.snapshot().requestors["desk"], setting) == value
    with pytest.raises(ConflictError):
        change(ADMIN, "desk", type(value)(), version=version)
    with pytest.raises(NotFoundError):
        change(ADMIN, "nobody", type(value)())
    for who in (NOBODY, actor(Role.AUDITOR), actor(Role.REQUESTOR_ADMIN, "organisation:7")):
        with pytest.raises(PermissionDeniedError):
            change(who, "desk", type(value)())
    # The same again is no change.
    assert change(ADMIN, "desk", value).version == version + 1
    assert getattr(change(actor(Role.REQUESTOR_ADMIN), "desk", type(value)()), setting) == type(value)()


def test_what_breaks_a_rule_is_not_kept(services: SharedServices) -> None:
    assert refused(lambda: services.requestors.set_limits(ADMIN, "desk", Limits(rate_per_minute=0))) == ["rate_per_minute"]
    assert refused(lambda: services.requestors.set_constraints(ADMIN, "desk", Constraints(callback_urls=("x",)))) == ["callback_urls.0"]
    assert services.requestors.get(ADMIN, "desk").version == 2


def test_keys_of_every_kind_are_in_the_snapshot_with_their_algorithm(services: SharedServices) -> None:
    add = services.requestors.add_key
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    infos = [
        add(ADMIN, "desk", NewKey(AuthMethod.PUBLICKEY, pem(curve), kid="a")).key,
        add(ADMIN, "desk", NewKey(AuthMethod.PUBLICKEY, pem(edwards))).key,
        add(ADMIN, "desk", NewKey(AuthMethod.PUBLICKEY, jwks_url="https://desk.example/jwks")).key,
        add(ADMIN, "desk", NewKey(AuthMethod.HMAC)).key,
        add(ADMIN, "desk", NewKey(AuthMethod.TOKEN)).key,
    ]
    wanted = [JwtAlgorithm.ES256, JwtAlgorithm.EDDSA, None, JwtAlgorithm.HS256, None]
    assert [info.algorithm for info in infos] == wanted
    assert [(info.kid, info.jwks_url) for info in infos[:3]] == [("a", None), (None, None), (None, "https://desk.example/jwks")]
    keys = services.requestors.snapshot().requestors["desk"].keys
    assert [key.algorithm for key in keys] == wanted
    assert [key.kid for key in keys][:2] == ["a", None]
    assert keys[2].jwks_url == "https://desk.example/jwks"
    assert services.requestors.get(ADMIN, "desk").keys == tuple(infos)


def test_faults_of_keys_are_told_at_their_field(services: SharedServices) -> None:
    def add(**fields: Any) -> Callable[[], object]:
        return lambda: services.requestors.add_key(ADMIN, "desk", NewKey(**fields))

    key = pem(ec.generate_private_key(ec.SECP256R1()))
    url = "https://desk.example/jwks"
    add(method=AuthMethod.PUBLICKEY, material=key, kid="a")()
    add(method=AuthMethod.PUBLICKEY, jwks_url=url)()
    assert refused(add(method=AuthMethod.HMAC, kid="a")) == ["kid"]
    assert refused(add(method=AuthMethod.HMAC, kid="x" * 101)) == ["kid"]
    assert refused(add(method=AuthMethod.TOKEN, kid="b")) == ["kid"]
    assert refused(add(method=AuthMethod.HMAC, jwks_url=url)) == ["jwks_url"]
    assert refused(add(method=AuthMethod.PUBLICKEY, material=key, jwks_url=url + "2")) == ["jwks_url"]
    assert refused(add(method=AuthMethod.PUBLICKEY, jwks_url=url)) == ["jwks_url"]
    assert refused(add(method=AuthMethod.PUBLICKEY, jwks_url="http://desk.example/jwks")) == ["jwks_url"]
    assert refused(add(method=AuthMethod.PUBLICKEY)) == ["material"]
    # The name of a revoked key may be used again.
    (first, _) = services.requestors.get(ADMIN, "desk").keys
    services.requestors.revoke_key(ADMIN, "desk", first.id)
    add(method=AuthMethod.HMAC, kid="a")()


def test_a_suspended_requestor_is_in_the_snapshot_with_the_reason(services: SharedServices) -> None:
    services.requestors.suspend(ADMIN, "desk", reason="key leaked")
    services.requestors.refresh()
    snapshot = services.requestors.snapshot()
    assert (dict(snapshot.suspended), "desk" in snapshot.requestors) == ({"desk": "key leaked"}, False)


def test_usage_adds_up(services: SharedServices) -> None:
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    services.requestors.add_usage({})
    services.requestors.add_usage({(monday, "desk", "disclosing"): (2, 1, 0), (tuesday, "desk", "issuing"): (1, 0, 5)})
    services.requestors.add_usage({(monday, "desk", "disclosing"): (3, 0, 1), (monday, "other", "disclosing"): (9, 9, 9)})
    found = services.requestors.usage(ADMIN, "desk", monday, tuesday)
    assert found == (DayUsage(monday, "desk", "disclosing", 5, 1, 1), DayUsage(tuesday, "desk", "issuing", 1, 0, 5))
    assert services.requestors.usage(ADMIN, "desk", tuesday, tuesday + timedelta(days=1)) == found[1:]
    with pytest.raises(PermissionDeniedError):
        services.requestors.usage(NOBODY, "desk", monday, tuesday)
    with pytest.raises(NotFoundError):
        services.requestors.usage(ADMIN, "other", monday, tuesday)

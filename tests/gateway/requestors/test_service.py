"""Requestors: their life, keys, permissions, and that a change is in force within a second."""

import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from gateway.actor import Actor, Role
from gateway.authorization import PermissionDeniedError
from gateway.changes import Changes
from gateway.database import Database
from gateway.inputs import ConflictError, InvalidInputError, NotFoundError
from gateway.models import AuthMethod, Envelope, EnvelopeKind, Organisation, RequestorState
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor, RequestorDetails
from gateway.services import SharedServices
from idemix.scheme.identifiers import SchemeManagerId
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN, actor
from tests.support.factories.services import shared_services
from tests.support.processes import wait_until

DEMO = Permissions(disclose=("irma-demo.*",), issue=("irma-demo.RU.studentCard",))


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def services(database: Database, clock: SettableClock) -> SharedServices:
    return shared_services(database, clock=clock)


def active(services: SharedServices, name: str = "backend", method: AuthMethod = AuthMethod.TOKEN) -> str:
    """An active requestor; returns the secret of its key."""
    services.requestors.create(ADMIN, NewRequestor(name))
    created = services.requestors.add_key(ADMIN, name, NewKey(method))
    services.requestors.activate(ADMIN, name)
    assert created.secret is not None
    return created.secret


def organisation(services: SharedServices, name: str = "University") -> int:
    def work(session: Any) -> int:
        row = Organisation(name=name, created_at=START)
        session.add(row)
        session.flush()
        return row.id

    return services.database.write(work)


def refused(call: Callable[[], object]) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        call()
    return dict(caught.value.errors)


def envelopes(services: SharedServices) -> int:
    with services.database.read() as session:
        return session.scalar(select(func.count()).where(Envelope.kind == EnvelopeKind.HMAC_SECRET)) or 0


# The life of a requestor.


def test_new_requestor_is_a_draft(services: SharedServices) -> None:
    made = services.requestors.create(ADMIN, NewRequestor("backend", RequestorDetails("a@example.org")), reason="asked for")
    assert (made.name, made.contact, made.state, made.version) == ("backend", "a@example.org", RequestorState.DRAFT, 1)
    assert (made.keys, made.permissions, made.created_at) == ((), Permissions(), START)
    assert services.requestors.get(ADMIN, "backend") == made
    entry = services.audit.entries(ADMIN)[0]
    assert (entry.action, entry.object, entry.reason) == ("requestor.edit", "requestor:backend", "asked for")
    assert entry.changes == {"contact": [None, "a@example.org"], "state": [None, "draft"]}
    assert services.requestors.snapshot().requestors == {}


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewRequestor(""), "name"),
        (NewRequestor("x" * 101), "name"),
        (NewRequestor("a\x00b"), "name"),
        (NewRequestor("a\nb"), "name"),
        (NewRequestor("a\u202eb"), "name"),
        (NewRequestor(" a"), "name"),
        (NewRequestor("a", RequestorDetails("x" * 255)), "contact"),
        (NewRequestor("a", RequestorDetails("a\x1b[31m")), "contact"),
        (NewRequestor("a", RequestorDetails(organisation_id=99)), "organisation"),
    ],
    ids=range(9),
)
def test_wrong_fields_are_named(services: SharedServices, new: NewRequestor, field: str) -> None:
    assert list(refused(lambda: services.requestors.create(ADMIN, new))) == [field]
    assert services.requestors.count(ADMIN) == 0


def test_names_are_unique_and_case_counts(services: SharedServices) -> None:
    services.requestors.create(ADMIN, NewRequestor("backend"))
    assert refused(lambda: services.requestors.create(ADMIN, NewRequestor("backend"))) == {"name": "is the name of another requestor"}
    services.requestors.create(ADMIN, NewRequestor("Backend"))
    assert services.requestors.count(ADMIN) == 2


def test_suspension_and_return(services: SharedServices) -> None:
    active(services)
    suspended = services.requestors.suspend(ADMIN, "backend", reason="abuse")
    assert (suspended.state, suspended.suspended_reason) == (RequestorState.SUSPENDED, "abuse")
    assert refused(lambda: services.requestors.suspend(ADMIN, "backend", reason="")) == {"reason": "must be given"}
    returned = services.requestors.activate(ADMIN, "backend", reason="solved")
    assert (returned.state, returned.suspended_reason) == (RequestorState.ACTIVE, None)
    changes = [entry.changes["state"] for entry in services.audit.entries(ADMIN, action="requestor.suspend")]
    assert changes == [["suspended", "active"], ["active", "suspended"], ["draft", "active"]]


def test_change_on_a_version_that_is_gone_is_refused(services: SharedServices) -> None:
    seen = services.requestors.create(ADMIN, NewRequestor("backend"))
    services.requestors.update(ADMIN, "backend", RequestorDetails("new@example.org"), version=seen.version)
    for call in (
        lambda: services.requestors.update(ADMIN, "backend", RequestorDetails("other"), version=seen.version),
        lambda: services.requestors.set_permissions(ADMIN, "backend", DEMO, version=seen.version),
    ):
        with pytest.raises(ConflictError, match="was changed meanwhile"):
            call()
    assert services.requestors.get(ADMIN, "backend").contact == "new@example.org"


def test_change_of_nothing_leaves_no_trace(services: SharedServices) -> None:
    seen = services.requestors.create(ADMIN, NewRequestor("backend", RequestorDetails("a")))
    assert services.requestors.update(ADMIN, "backend", RequestorDetails("a")) == seen
    assert len(services.audit.entries(ADMIN)) == 1


def test_deleted_with_its_secrets(services: SharedServices) -> None:
    active(services, method=AuthMethod.HMAC)
    with pytest.raises(ConflictError, match="suspend it first"):
        services.requestors.delete(ADMIN, "backend", reason="gone")
    services.requestors.suspend(ADMIN, "backend", reason="gone")
    services.requestors.delete(ADMIN, "backend", reason="gone")
    assert (services.requestors.count(ADMIN), envelopes(services)) == (0, 0)
    with pytest.raises(NotFoundError, match="there is no requestor backend"):
        services.requestors.get(ADMIN, "backend")


# Keys.


def test_keys_overlap_and_end_one_by_one(services: SharedServices, clock: SettableClock) -> None:
    old = active(services)
    later = START + timedelta(days=1)
    new = services.requestors.add_key(
        ADMIN, "backend", NewKey(AuthMethod.TOKEN, label="new", not_before=later, expires_at=later + timedelta(30))
    )
    assert new.secret is not None
    services.requestors.refresh()

    def valid(token: str) -> bool:
        found = services.requestors.snapshot().by_token(token)
        return found is not None and found[1].is_valid(clock())

    assert (valid(old), valid(new.secret)) == (True, False)
    clock.now = later
    assert (valid(old), valid(new.secret)) == (True, True)
    first = services.requestors.get(ADMIN, "backend").keys[0]
    services.requestors.revoke_key(ADMIN, "backend", first.id, reason="replaced")
    services.requestors.refresh()
    assert (valid(old), valid(new.secret)) == (False, True)
    clock.advance(days=31)
    assert not valid(new.secret)


def test_secret_is_given_once_and_opens_in_the_snapshot(services: SharedServices) -> None:
    import base64

    secret = active(services, method=AuthMethod.HMAC)
    (key,) = services.requestors.snapshot().requestors["backend"].keys
    assert key.secret == base64.b64decode(secret)
    assert secret not in repr(services.requestors.get(ADMIN, "backend"))
    assert envelopes(services) == 1
    services.requestors.revoke_key(ADMIN, "backend", key.id)
    assert envelopes(services) == 0
    # Revoked again nothing happens.
    services.requestors.revoke_key(ADMIN, "backend", key.id)
    assert [entry.changes.keys() for entry in services.audit.entries(ADMIN, action="requestor.keys")] == [
        {f"key {key.id}"},
        {f"key {key.id}"},
    ]


def test_audit_has_fingerprints_and_no_secret(services: SharedServices) -> None:
    token = active(services)
    entries = services.audit.entries(ADMIN)
    assert token not in repr(entries)
    (key,) = services.requestors.get(ADMIN, "backend").keys
    assert key.fingerprint in repr(entries)


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewKey(AuthMethod.PUBLICKEY), "material"),
        (NewKey(AuthMethod.HMAC, "!"), "material"),
        (NewKey(AuthMethod.TOKEN, label="x" * 101), "label"),
        (NewKey(AuthMethod.TOKEN, label="a\x00"), "label"),
        (NewKey(AuthMethod.TOKEN, expires_at=START), "expires_at"),
        (NewKey(AuthMethod.TOKEN, not_before=START + timedelta(2), expires_at=START + timedelta(1)), "expires_at"),
    ],
    ids=range(6),
)
def test_wrong_keys_are_named(services: SharedServices, new: NewKey, field: str) -> None:
    services.requestors.create(ADMIN, NewRequestor("backend"))
    assert list(refused(lambda: services.requestors.add_key(ADMIN, "backend", new))) == [field]


def test_key_belongs_to_one_requestor_once(services: SharedServices) -> None:
    for name in ("a", "b"):
        services.requestors.create(ADMIN, NewRequestor(name))
    services.requestors.add_key(ADMIN, "a", NewKey(AuthMethod.TOKEN, "t" * 40))
    assert refused(lambda: services.requestors.add_key(ADMIN, "b", NewKey(AuthMethod.TOKEN, "t" * 40))) == {
        "material": "is the token of a requestor already"
    }
    assert refused(lambda: services.requestors.add_key(ADMIN, "a", NewKey(AuthMethod.TOKEN, "t" * 40))) == {
        "material": "is a key of this requestor already"
    }
    with pytest.raises(NotFoundError, match="there is no key 99"):
        services.requestors.revoke_key(ADMIN, "a", 99)


def test_weak_keys_are_told_and_marked(services: SharedServices) -> None:
    services.requestors.create(ADMIN, NewRequestor("backend"))
    created = services.requestors.add_key(ADMIN, "backend", NewKey(AuthMethod.TOKEN, "short"))
    assert created.key.weak
    assert "could be guessed" in created.warnings[0]
    assert created.secret is None


def test_last_use_only_moves_on(services: SharedServices) -> None:
    active(services)
    (key,) = services.requestors.get(ADMIN, "backend").keys
    services.requestors.keys_used({key.id: START + timedelta(seconds=5), 0: START, 999: START})
    services.requestors.keys_used({key.id: START})
    services.requestors.keys_used({})
    assert services.requestors.get(ADMIN, "backend").keys[0].last_used_at == START + timedelta(seconds=5)


# Permissions.


def test_permissions_are_replaced(services: SharedServices) -> None:
    services.requestors.create(ADMIN, NewRequestor("backend"))
    given = Permissions(disclose=("pbdf.*", "irma-demo.*"), host=("*.example.org",))
    assert services.requestors.set_permissions(ADMIN, "backend", given).permissions == Permissions(
        disclose=("irma-demo.*", "pbdf.*"), host=("*.example.org",)
    )
    changed = services.requestors.set_permissions(ADMIN, "backend", DEMO)
    assert changed.permissions == DEMO
    assert services.audit.entries(ADMIN)[0].changes == {
        "disclose_perms": [["irma-demo.*", "pbdf.*"], ["irma-demo.*"]],
        "host_perms": [["*.example.org"], None],
        "issue_perms": [None, ["irma-demo.RU.studentCard"]],
    }


@pytest.mark.parametrize(
    ("permissions", "field"),
    [
        (Permissions(disclose=("a.*.b",)), "disclose"),
        (Permissions(disclose=("*.*",)), "disclose"),
        (Permissions(disclose=("a.b.c",)), "disclose"),
        (Permissions(disclose=("a.b.c.d.*",)), "disclose"),
        (Permissions(sign=("a*",)), "sign"),
        (Permissions(issue=("a.b.c.d",)), "issue"),
        (Permissions(issue=("a.b.c.*",)), "issue"),
        (Permissions(issue=("",)), "issue"),
        (Permissions(revoke=("a.b",)), "revoke"),
        (Permissions(revoke=("a b.*",)), "revoke"),
        (Permissions(host=("[",)), "host"),
        (Permissions(host=("x" * 301,)), "host"),
        (Permissions(host=("a\x00",)), "host"),
    ],
    ids=str,
)
def test_malformed_permissions_are_named(services: SharedServices, permissions: Permissions, field: str) -> None:
    services.requestors.create(ADMIN, NewRequestor("backend"))
    assert list(refused(lambda: services.requestors.set_permissions(ADMIN, "backend", permissions))) == [field]
    assert services.requestors.get(ADMIN, "backend").permissions == Permissions()


@pytest.mark.parametrize("pattern", ["*", "a.*", "a.b.*", "a.b.c.*", "a.b.c.d"])
def test_every_level_of_an_attribute_can_be_granted(services: SharedServices, pattern: str) -> None:
    services.requestors.create(ADMIN, NewRequestor("backend"))
    assert services.requestors.set_permissions(ADMIN, "backend", Permissions(disclose=(pattern,))).permissions.disclose == (pattern,)


def test_new_permissions_must_name_what_exists(database: Database) -> None:
    demo = SchemeManagerId("irma-demo")
    configuration: Any = SimpleNamespace(schemes={demo: None}, issuers={}, credential_types={})
    services = shared_services(database, configuration=lambda: configuration)
    services.requestors.create(ADMIN, NewRequestor("backend"))
    assert services.requestors.set_permissions(ADMIN, "backend", Permissions(disclose=("irma-demo.*",))).version == 2
    errors = refused(lambda: services.requestors.set_permissions(ADMIN, "backend", Permissions(disclose=("irma-demo.*", "pbdf.*"))))
    assert "unknown scheme" in errors["disclose"]
    # What a requestor holds already may stay when its scheme has gone.
    configuration.schemes = {}
    kept = Permissions(disclose=("irma-demo.*",), sign=("*",))
    assert services.requestors.set_permissions(ADMIN, "backend", kept).permissions == kept


def test_global_permissions(services: SharedServices) -> None:
    assert services.requestors.global_permissions(ADMIN) == Permissions()
    given = Permissions(disclose=("*",), sign=("irma-demo.*",))
    assert services.requestors.set_global_permissions(ADMIN, given, reason="open") == given
    services.requestors.refresh()
    assert services.requestors.snapshot().global_permissions == given
    assert services.requestors.set_global_permissions(ADMIN, Permissions()) == Permissions()
    assert list(refused(lambda: services.requestors.set_global_permissions(ADMIN, Permissions(host=("*",))))) == ["host"]
    assert list(refused(lambda: services.requestors.set_global_permissions(ADMIN, Permissions(issue=("x",))))) == ["issue"]


# Lists and rights.


def test_lists_are_searched_and_paged(services: SharedServices) -> None:
    for name in ("delta", "alpha", "charlie_1", "bravo"):
        services.requestors.create(ADMIN, NewRequestor(name, RequestorDetails(f"{name[0].upper()}@example.org")))
    services.requestors.activate(ADMIN, "bravo")

    def names(**filters: Any) -> list[str]:
        return [requestor.name for requestor in services.requestors.list(ADMIN, **filters)]

    assert names() == ["alpha", "bravo", "charlie_1", "delta"]
    assert names(limit=2) == ["alpha", "bravo"]
    assert names(limit=2, after="bravo") == ["charlie_1", "delta"]
    assert names(search="RAV") == ["bravo"]
    assert names(search="d@EXAMPLE") == ["delta"]
    assert names(search="_") == ["charlie_1"]
    assert names(search="%") == []
    assert names(state=RequestorState.ACTIVE) == ["bravo"]


def test_requestors_of_an_organisation_are_its_own(services: SharedServices) -> None:
    mine, other = organisation(services), organisation(services, "Other")
    member = actor(Role.REQUESTOR_ADMIN, f"organisation:{mine}")
    services.requestors.create(member, NewRequestor("mine", RequestorDetails(organisation_id=mine)))
    services.requestors.create(ADMIN, NewRequestor("other", RequestorDetails(organisation_id=other)))
    services.requestors.create(ADMIN, NewRequestor("free"))
    assert [requestor.name for requestor in services.requestors.list(member)] == ["mine"]
    assert services.requestors.count(member) == 1
    services.requestors.activate(member, "mine")
    for call in (
        lambda: services.requestors.create(member, NewRequestor("x")),
        lambda: services.requestors.create(member, NewRequestor("x", RequestorDetails(organisation_id=other))),
        lambda: services.requestors.get(member, "other"),
        lambda: services.requestors.activate(member, "free"),
        # Neither given away nor taken over.
        lambda: services.requestors.update(member, "mine", RequestorDetails(organisation_id=other)),
        lambda: services.requestors.update(member, "other", RequestorDetails(organisation_id=mine)),
        lambda: services.requestors.set_global_permissions(member, Permissions()),
    ):
        with pytest.raises(PermissionDeniedError):
            call()


def test_rights(services: SharedServices) -> None:
    active(services)

    def calls(who: Actor) -> list[Callable[[], object]]:
        return [
            lambda: services.requestors.create(who, NewRequestor("x")),
            lambda: services.requestors.update(who, "backend", RequestorDetails()),
            lambda: services.requestors.activate(who, "backend"),
            lambda: services.requestors.suspend(who, "backend", reason="r"),
            lambda: services.requestors.delete(who, "backend", reason="r"),
            lambda: services.requestors.add_key(who, "backend", NewKey(AuthMethod.TOKEN)),
            lambda: services.requestors.revoke_key(who, "backend", 1),
            lambda: services.requestors.set_permissions(who, "backend", DEMO),
            lambda: services.requestors.set_global_permissions(who, DEMO),
        ]

    before = services.requestors.get(ADMIN, "backend")
    for role in set(Role) - {Role.ADMIN, Role.REQUESTOR_ADMIN}:
        for call in calls(actor(role)):
            with pytest.raises(PermissionDeniedError):
                call()
    assert services.requestors.get(ADMIN, "backend") == before
    services.requestors.list(actor(Role.AUDITOR))
    with pytest.raises(PermissionDeniedError):
        services.requestors.list(actor(Role.SIGNER))


# The snapshot.


def test_snapshot_has_active_requestors_only(services: SharedServices) -> None:
    token = active(services)
    services.requestors.set_permissions(ADMIN, "backend", DEMO)
    services.requestors.create(ADMIN, NewRequestor("draft"))
    snapshot = services.requestors.snapshot()
    assert set(snapshot.requestors) == {"backend"}
    assert snapshot.requestors["backend"].permissions == DEMO
    found = snapshot.by_token(token)
    assert found is not None
    assert found[0].name == "backend"
    assert snapshot.by_token("other") is None
    services.requestors.suspend(ADMIN, "backend", reason="abuse")
    services.requestors.refresh()
    assert services.requestors.snapshot().requestors == {}
    assert services.requestors.snapshot().by_token(token) is None
    # What was handed out before stays as it was.
    assert set(snapshot.requestors) == {"backend"}


def test_refresh_loads_what_changed(services: SharedServices) -> None:
    for name in ("a", "b"):
        active(services, name)
    before = services.requestors.snapshot().requestors
    services.requestors.set_permissions(ADMIN, "b", DEMO)
    services.requestors.refresh()
    after = services.requestors.snapshot().requestors
    assert after["a"] is before["a"]
    assert after["b"].permissions == DEMO


def test_broken_envelope_costs_its_key_alone(services: SharedServices, caplog: pytest.LogCaptureFixture) -> None:
    active(services, "broken", AuthMethod.HMAC)
    token = active(services, "whole")
    services.database.write(
        lambda session: session.execute(update(Envelope).where(Envelope.kind == EnvelopeKind.HMAC_SECRET).values(ciphertext=bytes(60)))
    )
    snapshot = services.requestors.snapshot()
    assert snapshot.requestors["broken"].keys == ()
    assert snapshot.by_token(token) is not None
    assert "of requestor broken cannot be used" in caplog.text


def test_change_in_one_process_is_in_force_in_another(database_url: str) -> None:
    here, there = Database(database_url), Database(database_url)
    console, gateway = shared_services(here), shared_services(there)
    token = active(console)
    changes = Changes(there)
    gateway.requestors.watch(changes)
    changes.start()
    assert gateway.requestors.snapshot().by_token(token) is not None
    console.requestors.suspend(ADMIN, "backend", reason="abuse")
    wait_until(lambda: gateway.requestors.snapshot().by_token(token) is None, "the suspension")
    console.requestors.activate(ADMIN, "backend")
    wait_until(lambda: gateway.requestors.snapshot().by_token(token) is not None, "the return")
    changes.stop()
    here.close()
    there.close()


def test_changes_by_several_at_once_are_all_made(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(3)]
    services = [shared_services(database) for database in databases]
    services[0].requestors.create(ADMIN, NewRequestor("backend"))
    failures: list[BaseException] = []

    def add(one: SharedServices) -> None:
        try:
            for _ in range(5):
                one.requestors.add_key(ADMIN, "backend", NewKey(AuthMethod.HMAC))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(one,)) for one in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    requestor = services[0].requestors.get(ADMIN, "backend")
    assert (len(requestor.keys), requestor.version) == (15, 16)
    assert services[0].audit.verify(ADMIN).holds
    for database in databases:
        database.close()

"""The register of issuer keys: in, out, and the way to use."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gateway.actor import Actor, Role
from gateway.authorization import PermissionDeniedError
from gateway.custody.errors import UnknownKeyError
from gateway.custody.issuer_keys import ISSUER_KEY_TRANSITIONS
from gateway.database import Database
from gateway.inputs import ConflictError, InvalidInputError, NotFoundError
from gateway.models import IssuerKeyState
from gateway.services import SharedServices
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from tests.support.clock import START
from tests.support.factories.actors import ADMIN, actor
from tests.support.factories.issuer_keys import EXPIRES_AT, issuer_key_1024
from tests.support.factories.services import shared_services

RU = "irma-demo.RU"
OWNER = actor(Role.ISSUER_OWNER, f"issuer:{RU}")
IN_ORDER = list(IssuerKeyState)


@pytest.fixture
def services(sqlite_database: Database) -> SharedServices:
    return shared_services(sqlite_database)


def bring(services: SharedServices, counter: int = 0, state: IssuerKeyState = IssuerKeyState.GENERATED, issuer: str = RU) -> None:
    pair = issuer_key_1024(counter)
    services.custody.issuer_keys.import_files(ADMIN, issuer, pair.private.to_xml(), pair.public.to_xml(), state=state)


def refused(call: Callable[[], object]) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        call()
    return dict(caught.value.errors)


def test_imported_key_is_in_the_register(database: Database) -> None:
    services = shared_services(database)
    pair = issuer_key_1024()
    key = services.custody.issuer_keys.import_files(OWNER, RU, pair.private.to_xml(), pair.public.to_xml(), reason="move")
    assert (key.issuer_id, key.counter, key.modulus_bits, key.bases, key.revocable) == (RU, 0, 1024, 6, True)
    assert (key.state, key.in_custody, key.created_at, key.expires_at) == (IssuerKeyState.GENERATED, True, START, EXPIRES_AT)
    assert key.fingerprint == pair.public.fingerprint()
    assert services.custody.issuer_keys.list(OWNER, RU) == (key,)
    assert services.custody.issuer_keys.get(OWNER, RU, 0) == key
    assert services.custody.issuer_keys.public_key(RU, 0) == pair.public.to_xml()
    (entry,) = services.audit.entries(ADMIN)
    assert (entry.action, entry.object, entry.reason) == ("issuer_key.import", f"issuer_key:{RU}-0", "move")
    assert entry.changes["fingerprint"] == [None, pair.public.fingerprint()]


def test_exported_key_is_the_imported_file_and_is_audited(services: SharedServices) -> None:
    bring(services)
    exported = services.custody.issuer_keys.export(OWNER, RU, 0, reason="backup")
    assert exported == issuer_key_1024().private.to_xml()
    entry = services.audit.entries(ADMIN)[0]
    assert (entry.action, entry.object, entry.reason) == ("issuer_key.export", f"issuer_key:{RU}-0", "backup")


def test_export_that_cannot_be_audited_does_not_happen(services: SharedServices, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(services)
    monkeypatch.setattr(services.audit, "record", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        services.custody.issuer_keys.export(ADMIN, RU, 0, reason="backup")


def test_export_needs_a_reason_and_a_key(services: SharedServices) -> None:
    bring(services)
    assert refused(lambda: services.custody.issuer_keys.export(ADMIN, RU, 0, reason=" ")) == {"reason": "must be given"}
    with pytest.raises(UnknownKeyError, match=f"no private key {RU}-7"):
        services.custody.issuer_keys.export(ADMIN, RU, 7, reason="backup")


def test_generated_key_waits_for_publication(services: SharedServices) -> None:
    told: list[float] = []
    register = services.custody.issuer_keys
    key = register.generate(OWNER, RU, counter=3, modulus_bits=1024, bases=5, expires_at=EXPIRES_AT, progress=told.append)
    assert (key.counter, key.modulus_bits, key.bases, key.state, key.expires_at) == (3, 1024, 5, IssuerKeyState.GENERATED, EXPIRES_AT)
    assert told
    public = PublicKey.from_xml(register.public_key(RU, 3))
    private = PrivateKey.from_xml(register.export(ADMIN, RU, 3, reason="test"))
    assert private.N == public.N
    with pytest.raises(UnknownKeyError, match="no active private key"):
        register.private_key(RU, 3)


def generate(services: SharedServices, **changed: Any) -> object:
    arguments: dict[str, Any] = {"counter": 0, "modulus_bits": 1024, "bases": 5, "expires_at": EXPIRES_AT, "issuer_id": RU}
    arguments |= changed
    return services.custody.issuer_keys.generate(ADMIN, **arguments)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"issuer_id": "irma-demo"}, "issuer"),
        ({"issuer_id": ""}, "issuer"),
        ({"issuer_id": "a.b.c"}, "issuer"),
        ({"counter": -1}, "counter"),
        ({"modulus_bits": 1536}, "modulus_bits"),
        ({"bases": 2}, "bases"),
        ({"bases": 1000}, "bases"),
        ({"expires_at": START}, "expires_at"),
    ],
    ids=str,
)
def test_wrong_fields_of_a_key_are_named(services: SharedServices, changed: dict[str, Any], field: str) -> None:
    assert list(refused(lambda: generate(services, **changed))) == [field]
    assert services.custody.issuer_keys.list(ADMIN) == ()


def test_number_of_a_key_is_used_once(services: SharedServices) -> None:
    bring(services)
    assert "a number is never used again" in refused(lambda: bring(services))["counter"]
    assert "a number is never used again" in refused(lambda: generate(services))["counter"]
    bring(services, issuer="irma-demo.MijnOverheid")


def test_files_that_do_not_belong_together_are_refused(services: SharedServices) -> None:
    here, there = issuer_key_1024(0), issuer_key_1024(1)
    register = services.custody.issuer_keys

    def errors(private: bytes, public: bytes) -> dict[str, str]:
        return refused(lambda: register.import_files(ADMIN, RU, private, public))

    assert errors(there.private.to_xml(), here.public.to_xml()) == {"private_key": "does not belong to the public key"}
    renumbered = here.private.to_xml().replace(b"<Counter>0<", b"<Counter>5<")
    assert errors(renumbered, here.public.to_xml()) == {"private_key": "must have the counter of the public key"}
    assert set(errors(b"<nonsense/>", b"")) == {"private_key", "public_key"}
    start, end = (here.private.to_xml().index(tag) for tag in (b"   <ECDSA>", b"</IssuerPrivateKey>"))
    plain = here.private.to_xml()[:start] + here.private.to_xml()[end:]
    assert "must support revocation" in errors(plain, here.public.to_xml())["private_key"]
    assert register.list(ADMIN) == ()


@pytest.mark.parametrize("start", IN_ORDER, ids=lambda state: state.value)
def test_life_of_a_key_goes_one_way(services: SharedServices, start: IssuerKeyState) -> None:
    register = services.custody.issuer_keys
    for counter, wanted in enumerate(IN_ORDER):
        bring(services, counter, start)
        if wanted is start or wanted in ISSUER_KEY_TRANSITIONS[start]:
            assert register.move(OWNER, RU, counter, wanted).state is wanted
        else:
            with pytest.raises(ConflictError, match=f"is {start.value}; it cannot become {wanted.value}"):
                register.move(OWNER, RU, counter, wanted)
            assert register.get(ADMIN, RU, counter).state is start


def test_each_move_is_dated_and_audited_once(services: SharedServices) -> None:
    bring(services)
    register = services.custody.issuer_keys
    for state in IN_ORDER[1:]:
        register.move(OWNER, RU, 0, state, reason="rotation")
        register.move(OWNER, RU, 0, state, reason="again")
    key = register.get(ADMIN, RU, 0)
    assert (key.published_at, key.seen_live_at, key.activated_at, key.retired_at) == (START,) * 4
    moves = [entry.changes["state"] for entry in services.audit.entries(ADMIN) if entry.action == "issuer_key.rotate"]
    assert moves == [["active", "retired"], ["seen_live", "active"], ["published", "seen_live"], ["generated", "published"]]


def test_only_a_key_that_was_never_published_can_be_deleted(services: SharedServices) -> None:
    register = services.custody.issuer_keys
    bring(services, 0)
    bring(services, 1, IssuerKeyState.PUBLISHED)
    register.delete(OWNER, RU, 0, reason="mistake")
    with pytest.raises(NotFoundError):
        register.get(ADMIN, RU, 0)
    with pytest.raises(UnknownKeyError):
        register.export(ADMIN, RU, 0, reason="test")
    with pytest.raises(ConflictError, match="is published"):
        register.delete(OWNER, RU, 1, reason="mistake")
    assert refused(lambda: register.delete(OWNER, RU, 1, reason="")) == {"reason": "must be given"}


def test_public_key_alone_can_be_registered(services: SharedServices) -> None:
    register = services.custody.issuer_keys
    key = register.register(OWNER, RU, issuer_key_1024().public.to_xml(), state=IssuerKeyState.ACTIVE)
    assert (key.in_custody, key.state, key.activated_at) == (False, IssuerKeyState.ACTIVE, START)
    assert register.active() == {}
    with pytest.raises(UnknownKeyError):
        register.private_key(RU, 0)
    assert "cannot be read" in refused(lambda: register.register(OWNER, RU, b"x", state=IssuerKeyState.ACTIVE))["public_key"]


def test_last_use_only_moves_on(services: SharedServices) -> None:
    register = services.custody.issuer_keys
    bring(services)
    register.used({(RU, 0): START + timedelta(minutes=1), ("unknown.issuer", 4): START})
    register.used({(RU, 0): START})
    register.used({})
    assert register.get(ADMIN, RU, 0).last_used_at == START + timedelta(minutes=1)


def test_rights(services: SharedServices) -> None:
    bring(services)
    pair = issuer_key_1024(1)
    register = services.custody.issuer_keys

    def calls(who: Actor) -> list[Callable[[], object]]:
        return [
            lambda: register.generate(who, RU, counter=9, modulus_bits=1024, bases=5, expires_at=EXPIRES_AT),
            lambda: register.import_files(who, RU, pair.private.to_xml(), pair.public.to_xml()),
            lambda: register.register(who, RU, pair.public.to_xml(), state=IssuerKeyState.ACTIVE),
            lambda: register.export(who, RU, 0, reason="test"),
            lambda: register.move(who, RU, 0, IssuerKeyState.PUBLISHED),
            lambda: register.delete(who, RU, 0, reason="test"),
        ]

    for who in (actor(Role.AUDITOR), actor(Role.SIGNER), actor(Role.ISSUER_OWNER, "issuer:irma-demo.X"), actor(Role.REQUESTOR_ADMIN)):
        for call in calls(who):
            with pytest.raises(PermissionDeniedError):
                call()


def test_only_active_keys_are_given_to_sign_with(services: SharedServices) -> None:
    register = services.custody.issuer_keys
    for counter, state in enumerate((IssuerKeyState.RETIRED, IssuerKeyState.ACTIVE, IssuerKeyState.SEEN_LIVE)):
        bring(services, counter, state)
    assert register.active() == {RU: {1: issuer_key_1024(1).public.fingerprint()}}
    assert register.private_key(RU, 1).N == issuer_key_1024(1).private.N
    for counter in (0, 2, 9):
        with pytest.raises(UnknownKeyError):
            register.private_key(RU, counter)
    register.move(ADMIN, RU, 2, IssuerKeyState.ACTIVE)
    register.move(ADMIN, RU, 1, IssuerKeyState.RETIRED)
    assert set(register.active()[RU]) == {2}


def test_a_retired_key_still_revokes(services: SharedServices) -> None:
    register = services.custody.issuer_keys
    for counter, state in enumerate((IssuerKeyState.RETIRED, IssuerKeyState.ACTIVE, IssuerKeyState.SEEN_LIVE)):
        bring(services, counter, state)
    assert register.revoking(RU) == {counter: issuer_key_1024(counter).public.fingerprint() for counter in (0, 1)}
    assert register.private_key(RU, 0, retired=True).N == issuer_key_1024(0).public.N
    for counter, retired in ((0, False), (2, True)):
        with pytest.raises(UnknownKeyError):
            register.private_key(RU, counter, retired=retired)

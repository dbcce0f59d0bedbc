"""Custody as a whole: envelopes, changing the key-encryption key, custody's own secrets, and that no secret lies in the open."""

import base64
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from gateway.actor import Role
from gateway.authorization import PermissionDeniedError
from gateway.custody.errors import BrokenEnvelopeError, MissingKekError
from gateway.custody.service import REWRAP_BATCH
from gateway.database import Database
from gateway.inputs import NotFoundError
from gateway.models import AuthMethod, Envelope, EnvelopeKind, IssuerKeyState
from gateway.requestors.directory import hash_token
from gateway.requestors.models import NewKey, NewRequestor
from gateway.services import SharedServices
from tests.support.factories.actors import ADMIN, actor
from tests.support.factories.issuer_keys import issuer_key_1024
from tests.support.factories.services import kek, ring, shared_services

SECRET = b"the secret of a requestor, 32 b."


@pytest.fixture
def services(database: Database) -> SharedServices:
    return shared_services(database)


def seal(services: SharedServices, subject: str = "requestor:1", secret: bytes = SECRET) -> int:
    return services.database.write(
        lambda session: services.custody.envelopes.seal(session, EnvelopeKind.HMAC_SECRET, subject, secret, fingerprint="f")
    )


def open_envelope(services: SharedServices, envelope_id: int, kind: EnvelopeKind = EnvelopeKind.HMAC_SECRET) -> bytes:
    envelopes = services.custody.envelopes
    with services.database.read() as session:
        return envelopes.open(envelopes.get(session, envelope_id, kind))


def change(services: SharedServices, envelope_id: int, **values: Any) -> None:
    services.database.write(lambda session: session.execute(update(Envelope).where(Envelope.id == envelope_id).values(**values)))


def test_sealed_opens(services: SharedServices) -> None:
    assert open_envelope(services, seal(services)) == SECRET


def test_each_envelope_of_a_subject_has_its_counter(services: SharedServices) -> None:
    ids = [seal(services, "requestor:1"), seal(services, "requestor:1"), seal(services, "requestor:2")]
    with services.database.read() as session:
        assert [session.get_one(Envelope, one).counter for one in ids] == [0, 1, 0]


def test_same_secret_never_looks_the_same(services: SharedServices) -> None:
    first, second = seal(services), seal(services)
    with services.database.read() as session:
        one, other = session.get_one(Envelope, first), session.get_one(Envelope, second)
        assert one.ciphertext[12:] != other.ciphertext[12:]
        assert one.wrapped_key != other.wrapped_key


@pytest.mark.parametrize(
    "values",
    [
        {"subject": "requestor:2"},
        {"counter": 7},
        {"kind": EnvelopeKind.SCHEME_KEY},
        {"ciphertext": bytes(60)},
        {"wrapped_key": bytes(60)},
    ],
    ids=str,
)
def test_envelope_that_was_changed_or_moved_does_not_open(services: SharedServices, values: dict[str, Any]) -> None:
    envelope_id = seal(services)
    change(services, envelope_id, **values)
    with pytest.raises(BrokenEnvelopeError, match="does not open: it was changed, or moved"):
        open_envelope(services, envelope_id, values.get("kind", EnvelopeKind.HMAC_SECRET))


def test_content_of_one_envelope_does_not_open_in_another(services: SharedServices) -> None:
    mine, other = seal(services, "requestor:1"), seal(services, "requestor:2")
    with services.database.read() as session:
        row = session.get_one(Envelope, other)
        values = {"ciphertext": row.ciphertext, "wrapped_key": row.wrapped_key}
    change(services, mine, **values)
    with pytest.raises(BrokenEnvelopeError):
        open_envelope(services, mine)


def test_envelope_of_another_kind_is_not_found(services: SharedServices) -> None:
    with pytest.raises(NotFoundError):
        open_envelope(services, seal(services), EnvelopeKind.JWT_KEY)


def test_discarded_is_gone(services: SharedServices) -> None:
    envelope_id = seal(services)
    services.database.write(lambda session: services.custody.envelopes.discard(session, envelope_id))
    with pytest.raises(NotFoundError):
        open_envelope(services, envelope_id)
    with pytest.raises(NotFoundError):
        services.database.write(lambda session: services.custody.envelopes.discard(session, envelope_id))


# The key-encryption key.


def test_start_names_each_missing_key(database: Database) -> None:
    for name in ("first", "second"):
        seal(shared_services(database, keys=ring(name)), f"requestor:{name}")
    now = shared_services(database, keys=ring("third"))
    with pytest.raises(MissingKekError) as caught:
        now.custody.check()
    assert caught.value.missing == {ring("first").current.id: 1, ring("second").current.id: 1}
    assert ring("first").current.id in str(caught.value)
    shared_services(database, keys=ring("third", "second", "first")).custody.check()


def test_rewrap_brings_all_under_the_current_key(database: Database) -> None:
    before = shared_services(database, keys=ring("old"))
    ids = [seal(before, f"requestor:{number}", SECRET + bytes([number])) for number in range(2 * REWRAP_BATCH + 3)]
    services = shared_services(database, keys=ring("new", "old"))
    assert services.custody.status(ADMIN).to_rewrap == len(ids)
    told: list[tuple[int, int]] = []
    assert services.custody.rewrap(ADMIN, progress=lambda done, total: told.append((done, total))) == len(ids)
    assert told == [(20, 43), (40, 43), (43, 43)]
    after = shared_services(database, keys=ring("new"))
    after.custody.check()
    assert [open_envelope(after, one) for one in ids] == [SECRET + bytes([number]) for number in range(len(ids))]
    assert after.custody.rewrap(ADMIN) == 0
    assert services.audit.verify(ADMIN).holds
    assert [entry.action for entry in services.audit.entries(ADMIN)] == ["custody.rewrap"] * 3


def test_rewrap_killed_half_way_goes_on(database: Database) -> None:
    class Killed(BaseException):
        pass

    before = shared_services(database, keys=ring("old"))
    ids = [seal(before, f"requestor:{number}") for number in range(2 * REWRAP_BATCH)]
    services = shared_services(database, keys=ring("new", "old"))

    def kill(_done: int, _total: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        services.custody.rewrap(ADMIN, progress=kill)
    assert services.custody.status(ADMIN).to_rewrap == REWRAP_BATCH
    # Both halves are readable in between, and the rest follows.
    assert {open_envelope(services, one) for one in ids} == {SECRET}
    assert services.custody.rewrap(ADMIN) == REWRAP_BATCH
    assert {open_envelope(shared_services(database, keys=ring("new")), one) for one in ids} == {SECRET}


def test_rewrap_killed_inside_a_batch_leaves_the_batch_as_it_was(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shared_services(database, keys=ring("old"))
    ids = [seal(before, f"requestor:{number}") for number in range(3)]
    services = shared_services(database, keys=ring("new", "old"))
    monkeypatch.setattr(services.audit, "record", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        services.custody.rewrap(ADMIN)
    monkeypatch.undo()
    assert services.custody.status(ADMIN).to_rewrap == 3
    assert {open_envelope(before, one) for one in ids} == {SECRET}


def test_rewrap_without_a_former_key_changes_nothing(database: Database) -> None:
    envelope_id = seal(shared_services(database, keys=ring("lost")))
    seal(shared_services(database, keys=ring("old")))
    services = shared_services(database, keys=ring("new", "old"))
    with pytest.raises(MissingKekError, match=ring("lost").current.id):
        services.custody.rewrap(ADMIN)
    assert services.custody.status(ADMIN).to_rewrap == 2
    assert services.custody.status(ADMIN).missing == {ring("lost").current.id: 1}
    assert open_envelope(shared_services(database, keys=ring("lost")), envelope_id) == SECRET


def test_rewrap_stops_when_asked(database: Database) -> None:
    seal(shared_services(database, keys=ring("old")))
    services = shared_services(database, keys=ring("new", "old"))
    assert services.custody.rewrap(ADMIN, is_cancelled=lambda: True) == 0
    assert services.custody.status(ADMIN).to_rewrap == 1


def test_rights(services: SharedServices) -> None:
    services.custody.status(actor(Role.AUDITOR))
    for role in set(Role) - {Role.ADMIN}:
        with pytest.raises(PermissionDeniedError):
            services.custody.rewrap(actor(role))


# Custody's own secrets.


def test_pepper_is_made_once_and_kept(database: Database) -> None:
    pepper = shared_services(database).custody.pepper()
    assert len(pepper) == 32
    assert shared_services(database).custody.pepper() == pepper


def test_jwt_key_is_made_once_and_kept(database: Database) -> None:
    key = shared_services(database).custody.jwt_key()
    assert key.key_size == 2048
    assert shared_services(database).custody.jwt_key().private_numbers() == key.private_numbers()


def test_pepper_made_by_two_at_once_is_one(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    barrier = threading.Barrier(len(databases))
    found: list[bytes] = []

    def ask(database: Database) -> None:
        custody = shared_services(database).custody
        barrier.wait(20)
        found.append(custody.pepper())

    threads = [threading.Thread(target=ask, args=(one,)) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    for database in databases:
        database.close()


# Nothing lies in the open.


def forms(secret: bytes) -> list[bytes]:
    """How a secret might show: raw, base64 in both alphabets, hexadecimal in both cases, decimal."""
    decimal = str(int.from_bytes(secret)).encode()
    texts = [base64.b64encode(secret).rstrip(b"="), base64.urlsafe_b64encode(secret).rstrip(b"="), secret.hex().encode()]
    return [secret, *texts, secret.hex().upper().encode(), decimal]


def test_no_secret_lies_in_the_database_file(sqlite_database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    database = Database(sqlite_database_url)
    services = shared_services(database, keys=ring("canary"))
    custody, requestors = services.custody, services.requestors
    canaries: dict[str, bytes] = {"key-encryption key": base64.b64decode(kek("canary")), "pepper": custody.pepper()}
    numbers = custody.jwt_key().private_numbers()
    canaries["JWT key"] = numbers.p.to_bytes(128)
    pair = issuer_key_1024()
    custody.issuer_keys.import_files(ADMIN, "irma-demo.RU", pair.private.to_xml(), pair.public.to_xml(), state=IssuerKeyState.ACTIVE)
    canaries |= {"prime p": int(pair.private.p).to_bytes(64), "prime q": int(pair.private.q).to_bytes(64)}
    custody.scheme_keys.generate(ADMIN, "irma-demo")
    sk = custody.scheme_keys.export(ADMIN, "irma-demo", reason="canary")
    der = base64.b64decode(b"".join(sk.splitlines()[1:-1]))
    canaries["scheme key"] = der[7:39]
    requestors.create(ADMIN, NewRequestor("backend"))
    requestors.activate(ADMIN, "backend")
    token = requestors.add_key(ADMIN, "backend", NewKey(AuthMethod.TOKEN)).secret
    secret = requestors.add_key(ADMIN, "backend", NewKey(AuthMethod.HMAC)).secret
    assert token is not None
    assert secret is not None
    canaries |= {"token": token.encode(), "HMAC secret": base64.b64decode(secret)}
    assert requestors.snapshot().by_token(token) is not None
    custody.issuer_keys.export(ADMIN, "irma-demo.RU", 0, reason="canary")
    custody.rewrap(ADMIN)
    database.write(lambda session: session.execute(text("UPDATE users SET name = name")))
    path = Path(sqlite_database_url.removeprefix("sqlite:///"))
    held = b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))
    held += caplog.text.encode()
    # The search would find what is there: the hash of the token is.
    assert hash_token(token, custody.pepper()) in held
    for name, canary in canaries.items():
        for form in forms(canary):
            assert form not in held, name
    database.close()


def test_rows_of_a_requestor_key_show_no_secret(services: SharedServices) -> None:
    services.requestors.create(ADMIN, NewRequestor("backend"))
    created = services.requestors.add_key(ADMIN, "backend", NewKey(AuthMethod.HMAC))
    assert created.secret is not None
    assert created.secret not in repr(created)

    def columns(session: Session) -> str:
        return repr([vars(row) for row in session.scalars(select(Envelope))])

    with services.database.read() as session:
        assert created.secret not in columns(session)

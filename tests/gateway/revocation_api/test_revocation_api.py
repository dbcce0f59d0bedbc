"""The endpoints under /irma/revocation: bodies, headers, errors."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from gmpy2 import mpz

from gateway.database import Database, sqlite_url, upgrade
from gateway.revocation.tables import RevocationTables
from gateway.schemes import FixedSchemes
from idemix import cbor
from idemix.revocation import EventList, IssuanceRecord, Update, updates_from_cbor
from idemix.scheme.identifiers import CredentialTypeId
from tests.gateway.revocation.conftest import Party, make_party  # noqa: F401 - a fixture
from tests.support.clock import START
from tests.support.gateways import irma_demo
from tests.support.sessions import ROOT

BASE = f"/irma/revocation/{ROOT}"
OTHER = CredentialTypeId("irma-demo.inz-revocable-id.id")


@pytest.fixture
def tables(tmp_path: Any) -> Iterator[RevocationTables]:
    url = sqlite_url(tmp_path / "authority.db")
    upgrade(url)
    database = Database(url)
    yield RevocationTables(database)
    database.close()


@pytest.fixture
def authority(make_party: Callable[..., Party], tables: RevocationTables) -> Party:  # noqa: F811 - the fixture
    return make_party(tables, {"authority": True})


def get(party: Party, path: str, **headers: str) -> Any:
    return party.gateway.client.get(path if path.startswith("/") else f"{BASE}/{path}", headers=headers)


def revoked(party: Party, count: int) -> None:
    """Revoke so many credentials."""
    for number in range(count):
        party.issue(f"key {number}")
        assert party.revoke(f"key {number}") == (200, "OK")


def error(answer: Any) -> tuple[int, str, str]:
    body = cbor.decode(answer.data, "error")
    assert answer.content_type == "application/octet-stream"
    assert body["status"] == answer.status_code
    return answer.status_code, body["error"], body.get("message", "")


@pytest.mark.feature("I9.1")
def test_updates(authority: Party, clock: Any) -> None:
    revoked(authority, 3)
    answer = get(authority, "update/2")
    assert (answer.status_code, answer.content_type, answer.headers["Cache-Control"]) == (200, "application/octet-stream", "max-age=60")
    ((counter, update),) = updates_from_cbor(answer.data).items()
    assert update.events is not None
    assert (counter, update.events.index, len(update.events.primes)) == (2, 2, 2)
    update.verify(irma_demo().public_key(ROOT.issuer, 2))
    clock.now += timedelta(seconds=45)
    one = get(authority, "update/0/2")
    assert one.headers["Cache-Control"] == "max-age=15"
    whole = Update.from_cbor(one.data, "update")
    assert whole.events is not None
    assert (whole.events.index, len(whole.events.primes)) == (0, 4)
    clock.now += timedelta(seconds=600)
    assert get(authority, "update/0/2").headers["Cache-Control"] == "max-age=0"


@pytest.mark.feature("I9.1")
def test_events_come_in_blocks(authority: Party, tables: RevocationTables) -> None:
    revoked(authority, 17)
    answer = get(authority, "events/2/0/16")
    assert answer.headers["Cache-Control"] == "max-age=3600"
    events = EventList.from_cbor(answer.data, "events")
    assert events == tables.events(ROOT, 2, 0, 16)
    assert len(events.primes) == 16
    rest = get(authority, "events/2/16/32")
    assert (len(EventList.from_cbor(rest.data, "events").primes), rest.headers["Cache-Control"]) == (2, "max-age=0")


@pytest.mark.feature("I9.1")
@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"/irma/revocation/{OTHER}/update/16", 400, "not supported by this server"),
        (f"/irma/revocation/{OTHER}/update/16/1", 400, "not supported by this server"),
        (f"/irma/revocation/{OTHER}/events/1/0/16", 400, "not supported by this server"),
        (f"/irma/revocation/{OTHER}/updateevents", 400, "not supported by this server"),
        ("/irma/revocation/garbage/update/1", 400, "not supported by this server"),
        ("update/1/7", 400, f"key counter: no revocation state of {ROOT} under key 7"),
        ("update/9223372036854775808", 400, "count: invalid limit"),
        ("update/1/99999999999999999999999", 400, "key counter: must be below 2^32"),
        ("events/2/0/15", 400, "events: illegal update interval"),
        ("events/2/16/16", 400, "events: illegal update interval"),
        ("events/2/32/16", 400, "events: illegal update interval"),
        ("events/2/16/32", 400, f"events: none of {ROOT} from 16 to 32 under key 2"),
        ("events/2/0/99999999999999999999999999984", 400, "events: illegal update interval"),
        ("update/x", 404, ""),
        ("update/-1", 404, ""),
        ("nothing", 404, ""),
        ("issuancerecord/2", 405, ""),
    ],
)
def test_errors_are_cbor(authority: Party, path: str, status: int, message: str) -> None:
    assert error(get(authority, path)) == (status, "INVALID_REQUEST", message)


def test_other_methods_and_origins(authority: Party) -> None:
    client = authority.gateway.client
    assert error(client.post(f"{BASE}/update/1"))[0] == 405
    assert client.head(f"{BASE}/update/1").status_code == 405
    assert get(authority, "update/1", Origin="https://app.example").headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.feature("I9.1")
def test_records_of_issuers(authority: Party, tables: RevocationTables) -> None:
    _, private = FixedSchemes(irma_demo()).current.issuer_keys.signing_key(ROOT.issuer)
    now = int(START.timestamp()) * 10**9
    record = IssuanceRecord("carol", str(ROOT), 2, mpz(1000003), now, now + 10**18, revoked_ns=now)
    path = f"{BASE}/issuancerecord"
    client = authority.gateway.client

    def post(data: bytes, counter: int = 2) -> Any:
        return client.post(f"{path}/{counter}", data=data)

    signed = record.sign(private)
    for _ in range(2):
        answer = post(signed)
        assert (answer.status_code, answer.data) == (200, b"")
    counts = tables.counts(ROOT)[2]
    assert (counts.records, counts.revoked) == (1, 0)
    assert authority.revoke("carol") == (200, "OK")

    other_type = IssuanceRecord("carol", str(OTHER), 2, mpz(1000003), now, now).sign(private)
    other_key = IssuanceRecord("carol", str(ROOT), 1, mpz(1000003), now, now).sign(private)
    assert error(post(other_type)) == (400, "INVALID_REQUEST", "issuance record of wrong credential type")
    assert error(post(other_key))[:2] == (403, "UNAUTHORIZED")
    assert error(post(signed[:-1] + bytes([signed[-1] ^ 1])))[:2] == (403, "UNAUTHORIZED")
    assert error(post(b"no CBOR"))[:2] == (403, "UNAUTHORIZED")
    assert error(post(b"x" * 20_000))[:2] == (403, "UNAUTHORIZED")
    assert error(post(signed, 77)) == (400, "INVALID_REQUEST", f"unknown public key: {ROOT.issuer}-77")
    assert error(client.post(f"/irma/revocation/{OTHER}/issuancerecord/2", data=signed))[2] == "not supported by this server"
    assert tables.counts(ROOT)[2].records == 1


def test_no_stream_where_events_are_off(make_party: Callable[..., Party], tables: RevocationTables) -> None:  # noqa: F811
    party = make_party(tables, {"authority": True}, sse=False)
    assert error(get(party, "updateevents")) == (400, "INVALID_REQUEST", "not supported by this server")


@pytest.mark.feature("I9.1")
def test_the_stream(authority: Party) -> None:
    answer = get(authority, "updateevents")
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    chunks = iter(answer.response)
    assert next(chunks) == b"event: open\n\n"
    authority.issue("alice")
    authority.revoke("alice")
    hub = authority.gateway.gateway.revocation_updates
    assert hub is not None
    hub.look()
    assert next(chunks).startswith(b'data: {"sacc":{"data":"')
    answer.close()

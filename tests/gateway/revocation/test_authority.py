"""An authority: issuing with a witness, proving, revoking, following; on SQLite and PostgreSQL."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from gmpy2 import mpz
from sqlalchemy import select

from gateway.audit.service import Audit
from gateway.database import Database
from gateway.models import RevocationRecord
from gateway.revocation.service import RENEWAL_SECONDS, Revocation
from gateway.revocation.tables import RevocationTables, key_hash
from gateway.schemes import FixedSchemes
from gateway.stores.base import StoreConflictError, StoreError
from idemix.revocation import EventList, Update
from idemix.session.errors import RevocationStateError
from idemix.wallet import UnsatisfiableRequestError, default_choice
from tests.gateway.revocation.conftest import Party
from tests.support.clock import START
from tests.support.factories.actors import ADMIN
from tests.support.gateways import irma_demo
from tests.support.sessions import BSN, ROOT, disclosure, issuance, root


def rows(tables: RevocationTables) -> list[RevocationRecord]:
    with tables.database.read() as session:
        return list(session.scalars(select(RevocationRecord).order_by(RevocationRecord.id)))


def chain(tables: RevocationTables) -> EventList:
    """The whole chain, which is verified."""
    ((counter, (_, update)),) = tables.latest(ROOT, 0).items()
    update.verify(irma_demo().public_key(ROOT.issuer, counter))
    assert update.events is not None
    return update.events


@pytest.mark.feature("I9.1", "I9.3")
def test_issue_prove_revoke_and_refuse(authority: Party, tables: RevocationTables) -> None:
    held = authority.issue("alice")
    assert held.witness is not None
    (row,) = rows(tables)
    assert row.prime == int(held.witness.e).to_bytes(len(row.prime), "big")
    assert row.key_hash == key_hash(ROOT, "alice")
    assert row.valid_until_ns > row.issued_ns

    ((attribute,),) = authority.disclose()["disclosed"]
    assert attribute["notrevoked"] is True
    assert "notrevokedbefore" not in attribute
    assert attribute["rawvalue"] == "299792458"

    assert authority.revoke("alice") == (200, "OK")
    assert [len(chain(tables).primes), rows(tables)[0].revoked_ns > 0] == [2, True]
    with pytest.raises(UnsatisfiableRequestError):
        authority.disclose()
    assert [one.is_revoked for one in authority.wallet.credentials] == [True]
    assert authority.revoke("alice") == (404, "UNKNOWN_REVOCATION_KEY")
    # Without a demand for a proof, a revoked credential still shows its attributes.
    assert authority.issue("alice") is not None
    assert authority.disclose()["disclosed"][0][0]["notrevoked"] is True


@pytest.mark.feature("I9.1", "I9.3")
def test_another_credential_stays_valid_and_fetches_what_its_request_lacks(
    make_party: Callable[..., Party], tables: RevocationTables
) -> None:
    authority = make_party(tables, {"authority": True})
    other = make_party(tables, {"authority": True})
    other.issue("bob")
    for number in range(20):
        authority.issue(f"key {number}")
        assert authority.revoke(f"key {number}") == (200, "OK")
    assert other.disclose()["disclosed"][0][0]["notrevoked"] is True
    # Sixteen events came with the request; the four before them were fetched in a block.
    assert [path.partition(f"{ROOT}/")[2] for path in other.servers.asked] == ["update/16/2", "events/2/0/16"]
    assert len(chain(tables).primes) == 21


@pytest.mark.feature("I9.3")
def test_a_proof_with_an_older_accumulator_than_was_sent_is_refused(authority: Party) -> None:
    authority.issue("alice")
    _, _, before = connected(authority)
    assert authority.revoke("alice") == (200, "OK")
    package, headers, after = connected(authority)
    # The wallet is told of the accumulator before the revocation, and so proves what was true then.
    after["request"]["revocation"] = before["request"]["revocation"]
    prepared = authority.wallet.answer(json.dumps(after).encode(), choose=default_choice)
    http = httpx.Client(transport=authority.servers)
    answer = http.post(f"{package['sessionPtr']['u']}/proofs", content=prepared.body, headers=headers)
    assert answer.json()["proofStatus"] == "INVALID"
    assert authority.gateway.result(package)["proofStatus"] == "INVALID"


def connected(party: Party) -> tuple[dict[str, Any], dict[str, str], dict[str, Any]]:
    """A disclosure session that an app has fetched: its package, the app's headers, what it got."""
    package = party.gateway.start(disclosure([[BSN]], revocation=[str(ROOT)]))
    headers = {"Authorization": "a" * 20, "X-IRMA-MinProtocolVersion": "2.8", "X-IRMA-MaxProtocolVersion": "2.8"}
    answer = httpx.Client(transport=party.servers).get(package["sessionPtr"]["u"], headers=headers)
    assert answer.status_code == 200, answer.text
    return package, headers, answer.json()


@pytest.mark.feature("I9.1")
def test_one_key_stands_for_many_credentials_and_a_moment_picks_one(authority: Party, tables: RevocationTables, clock: Any) -> None:
    for _ in range(3):
        authority.issue("family")
        clock.now += timedelta(seconds=1)
    issued = [row.issued_ns for row in rows(tables)]
    assert authority.revoke("family", issued=issued[1] + 1) == (404, "UNKNOWN_REVOCATION_KEY")
    assert authority.revoke("family", issued=issued[1]) == (200, "OK")
    assert [row.revoked_ns > 0 for row in rows(tables)] == [False, True, False]
    assert authority.revoke("family") == (200, "OK")
    assert all(row.revoked_ns for row in rows(tables))
    assert len(chain(tables).primes) == 4


def test_who_may_revoke_what(authority: Party, make_party: Callable[..., Party], tables: RevocationTables) -> None:
    authority.issue("alice")
    assert authority.revoke("alice", type="irma-demo.RU.studentCard") == (403, "UNAUTHORIZED")
    assert authority.revoke("alice", token="wrong") == (403, "UNAUTHORIZED")
    assert authority.revoke("alice", type="irma-demo.MijnOverheid.fullName") == (500, "REVOCATION")
    verifier = make_party(tables, {"revocation_server_url": "https://authority.example/irma"})
    assert verifier.revoke("alice") == (500, "REVOCATION")
    assert not any(row.revoked_ns for row in rows(tables))


def test_a_revocation_stands_in_the_audit_without_its_key(authority: Party, tables: RevocationTables) -> None:
    authority.issue("alice")
    authority.revoke("alice")
    (entry,) = [one for one in Audit(tables.database).entries(ADMIN) if one.action == "credential.revoke"]
    assert (entry.actor_name, entry.object) == ("requestor shop", f"credential_type:{ROOT}")
    assert "alice" not in repr(entry)


def test_a_request_without_revocation_key_is_refused(authority: Party) -> None:
    credential = {**root("x"), "revocationKey": ""}
    answer = authority.gateway.post(issuance(credential))
    assert (answer.status_code, answer.get_json()["error"]) == (400, "INVALID_REQUEST")
    assert "no revocationKey specified" in answer.text


class TestRecords:
    """A record is kept exactly if the credential was issued."""

    def test_none_for_a_credential_whose_answer_came_second(self, authority: Party, tables: RevocationTables, monkeypatch: Any) -> None:
        store = authority.gateway.gateway.store
        update, failures = store.update, [StoreConflictError("somebody was first")]

        def conflicting(session: Any, *arguments: Any, **named: Any) -> None:
            if session.status.is_finished and failures:
                raise failures.pop()
            update(session, *arguments, **named)

        monkeypatch.setattr(type(store), "update", lambda _self, *arguments, **named: conflicting(*arguments, **named))
        held = authority.issue("alice")
        (row,) = rows(tables)
        assert held.witness is not None
        assert int.from_bytes(row.prime, "big") == held.witness.e
        assert not failures

    def test_one_where_it_is_not_known_whether_the_answer_was_stored(
        self, authority: Party, tables: RevocationTables, monkeypatch: Any
    ) -> None:
        store = authority.gateway.gateway.store
        update = store.update

        def failing(_self: Any, session: Any, *arguments: Any, **named: Any) -> None:
            if session.status.is_finished and not session.error:
                raise StoreError("the connection broke")
            update(session, *arguments, **named)

        monkeypatch.setattr(type(store), "update", failing)
        with pytest.raises(Exception, match="INTERNAL_ERROR"):
            authority.issue("alice")
        assert len(rows(tables)) == 1

    def test_none_where_another_credential_of_the_session_cannot_be_signed(
        self, authority: Party, tables: RevocationTables, monkeypatch: Any
    ) -> None:
        record, left = Revocation.record, [2]

        def failing(self: Revocation, made: Any) -> None:
            left[0] -= 1
            if not left[0]:
                raise RevocationStateError("full")
            record(self, made)

        monkeypatch.setattr(Revocation, "record", failing)
        package = authority.gateway.start(issuance(root("a"), root("b", "2")))
        with pytest.raises(Exception, match="ISSUANCE_FAILED"):
            authority.client.run(package["sessionPtr"])
        assert left == [0]
        assert rows(tables) == []

    def test_expired_ones_are_deleted(self, authority: Party, tables: RevocationTables, clock: Any) -> None:
        authority.issue("alice")
        clock.now += timedelta(days=400)
        authority.revocation.work()
        assert rows(tables) == []


class TestChains:
    """A chain does not fork, whoever works on it."""

    def test_many_revoke_at_once(self, authority: Party, tables: RevocationTables) -> None:
        keys = [f"key {number}" for number in range(12)]
        for key in keys:
            authority.issue(key)
        others = [Revocation(RevocationTables(Database(tables.database.url)), lambda: FixedSchemes(irma_demo()).current) for _ in range(3)]
        revokers = [
            Revocation(
                other.tables,
                lambda: FixedSchemes(irma_demo()).current,
                {ROOT: replace(authority.revocation.settings(ROOT))},
                audit=Audit(other.tables.database),
                clock=authority.gateway.clock,
            )
            for other in others
        ]
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for key in keys[number::3]:
                    revokers[number].revoke(ADMIN, ROOT, key)
                    revokers[number].work()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for revoker in revokers:
            revoker.tables.database.close()
        assert failures == []
        events = chain(tables)
        assert sorted(events.primes[1:]) == sorted(int.from_bytes(row.prime, "big") for row in rows(tables))
        assert all(row.revoked_ns for row in rows(tables))

    def test_all_begin_one_chain(self, tables: RevocationTables, authority: Party) -> None:
        revokers = [
            authority.revocation,
            *(
                Revocation(
                    RevocationTables(Database(tables.database.url)),
                    lambda: FixedSchemes(irma_demo()).current,
                    {ROOT: authority.revocation.settings(ROOT)},
                    clock=authority.gateway.clock,
                )
                for _ in range(2)
            ),
        ]
        threads = [threading.Thread(target=revoker.work) for revoker in revokers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for revoker in revokers[1:]:
            revoker.tables.database.close()
        assert [len(chain(tables).primes), list(tables.heads(ROOT))] == [1, [2]]

    def test_accumulators_are_renewed_every_minute_by_one_of_all(self, authority: Party, tables: RevocationTables, clock: Any) -> None:
        authority.revocation.work()
        first = tables.heads(ROOT)[2]
        clock.now += timedelta(seconds=RENEWAL_SECONDS - 1)
        authority.revocation.work()
        assert tables.heads(ROOT)[2] == first
        clock.now += timedelta(seconds=1)
        authority.revocation.work()
        renewed = tables.heads(ROOT)[2]
        assert (renewed.index, renewed.time) == (0, first.time + RENEWAL_SECONDS)
        authority.revocation.work()
        assert tables.heads(ROOT)[2] == renewed
        public = irma_demo().public_key(ROOT.issuer, 2)
        assert replace(renewed.signed.verify(public), time=first.time) == first.signed.verify(public)

    def test_a_fork_is_refused(self, authority: Party, tables: RevocationTables) -> None:
        authority.issue("alice")
        public, private = FixedSchemes(irma_demo()).current.issuer_keys.signing_key(ROOT.issuer)
        first, later = tables.heads(ROOT)[2].signed.verify(public), int(START.timestamp()) + 100
        authority.revoke("alice")
        known = tables.heads(ROOT)[2].signed.verify(public)
        fork = Update.revoking(private, first, [mpz(11)], now=later).verify(public)
        for label, update, reason in (
            ("another event in the same place", Update.revoking(private, first, [mpz(11)], now=later), "align"),
            ("an event behind another", Update.revoking(private, fork, [mpz(13)], now=later), "align"),
            ("an event without the one before", Update.revoking(private, fork, [mpz(13), mpz(17)], now=later), "align"),
            ("no events", Update(Update.revoking(private, known, [mpz(11)], now=later).signed_accumulator), "missing"),
        ):
            with pytest.raises(RevocationStateError, match=reason):
                authority.revocation.add_update(ROOT, public, update)
            assert len(chain(tables).primes) == 2, label
        assert authority.revocation.add_update(ROOT, public, Update.revoking(private, known, [mpz(11)], now=later))
        assert len(chain(tables).primes) == 3

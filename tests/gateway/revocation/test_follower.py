"""Servers, issuers and verifiers that follow an authority."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.database import Database, sqlite_url, upgrade
from gateway.errors import InvalidRequestError
from gateway.revocation.servers import RevocationServers, ServersUnavailableError
from gateway.revocation.service import SYNC_INTERVAL
from gateway.revocation.tables import RevocationTables
from idemix.revocation import Update
from tests.gateway.revocation.conftest import Party
from tests.support.processes import wait_until
from tests.support.revocation import AppConnection
from tests.support.sessions import BSN, ROOT, disclosure, issuance, root

URL = "https://authority.example/irma"


@pytest.fixture
def tables(tmp_path: Any) -> Iterator[RevocationTables]:
    """Tables of the authority."""
    url = sqlite_url(tmp_path / "authority.db")
    upgrade(url)
    database = Database(url)
    yield RevocationTables(database)
    database.close()


class Follower:
    """A gateway that follows the authority of a test."""

    def __init__(self, party: Party, authority: Party) -> None:
        self.party = party
        self.connection = AppConnection(authority.gateway.app)
        party.client.wallet = authority.wallet
        party.revocation._servers = RevocationServers(self.connection)

    def asked(self) -> list[str]:
        """What it asked since last time."""
        asked = [url.partition(f"{ROOT}/")[2] for url in self.connection.gets]
        self.connection.gets.clear()
        return asked


@pytest.fixture
def follow(make_party: Callable[..., Party], authority: Party, sqlite_database: Database) -> Callable[..., Follower]:
    """Makes followers; `lasting` ones have tables of their own."""

    def make(settings: dict[str, Any], *, lasting: bool = False) -> Follower:
        party = make_party(RevocationTables(sqlite_database) if lasting else None, settings)
        return Follower(party, authority)

    return make


@pytest.mark.feature("I9.1")
def test_a_verifier_fetches_keeps_and_fetches_again(authority: Party, follow: Callable[..., Follower], clock: Any) -> None:
    verifier = follow({"revocation_server_url": URL, "tolerance": 120})
    authority.issue("alice")
    assert verifier.party.disclose()["disclosed"][0][0]["notrevoked"] is True
    assert verifier.asked() == ["update/16"]
    verifier.party.disclose()
    assert verifier.asked() == []
    clock.now += timedelta(seconds=61)
    authority.revocation.work()
    result = verifier.party.disclose()
    assert verifier.asked() == ["update/16"]
    assert "notrevokedbefore" not in result["disclosed"][0][0]


@pytest.mark.feature("I9.1")
def test_a_stale_proof_is_told_as_such(authority: Party, follow: Callable[..., Follower], clock: Any) -> None:
    verifier = follow({"revocation_server_url": URL, "tolerance": 120})
    authority.issue("alice")
    verifier.party.disclose()
    synced_at = int(clock.now.timestamp())
    verifier.connection.is_up = False
    clock.now += timedelta(seconds=600)
    ((attribute,),) = verifier.party.disclose()["disclosed"]
    assert (attribute["notrevoked"], attribute["notrevokedbefore"]) == (True, synced_at)
    tolerant = disclosure([[BSN]], revocation={str(ROOT): {"tolerance": 3600}})
    assert "notrevokedbefore" not in verifier.party.run(tolerant)[1]["disclosed"][0][0]


def test_a_verifier_that_knows_nothing_fails_the_session(authority: Party, follow: Callable[..., Follower]) -> None:
    verifier = follow({"revocation_server_url": URL})
    verifier.connection.is_up = False
    package = verifier.party.gateway.start(disclosure([[BSN]], revocation=[str(ROOT)]))
    with pytest.raises(Exception, match="REVOCATION"):
        verifier.party.client.run(package["sessionPtr"])
    assert verifier.party.gateway.result(package)["status"] == "CANCELLED"
    assert verifier.party.gateway.result(package)["error"]["error"] == "REVOCATION"


def test_a_verifier_without_settings_asks_the_servers_of_the_scheme(authority: Party, follow: Callable[..., Follower]) -> None:
    verifier = follow({})
    authority.issue("alice")
    assert verifier.party.disclose()["disclosed"][0][0]["notrevoked"] is True
    assert verifier.connection.gets[0].startswith("https://is.demo.staging.yivi.app/revocation/")


@pytest.mark.feature("I9.1")
def test_an_issuer_posts_its_records_to_the_authority(authority: Party, follow: Callable[..., Follower], tables: RevocationTables) -> None:
    issuer = follow({"revocation_server_url": URL})
    held = issuer.party.issue("bob")
    assert held.witness is not None
    assert issuer.connection.posts == [f"{URL}/revocation/{ROOT}/issuancerecord/2"]
    assert tables.counts(ROOT)[2].records == 1
    assert authority.revoke("bob") == (200, "OK")

    issuer.connection.is_up = False
    package = issuer.party.gateway.start(issuance(root("carol")))
    with pytest.raises(Exception, match="ISSUANCE_FAILED"):
        issuer.party.client.run(package["sessionPtr"])
    assert tables.counts(ROOT)[2].records == 1


@pytest.mark.feature("I9.1")
def test_a_server_keeps_the_whole_chain_and_serves_it(
    authority: Party, follow: Callable[..., Follower], tables: RevocationTables, clock: Any
) -> None:
    server = follow({"revocation_server_url": URL, "server": True}, lasting=True)
    for number in range(40):
        authority.issue(f"key {number}")
        authority.revoke(f"key {number}")
    server.party.revocation.work()
    assert server.asked() == ["update/16", "events/2/0/32"]
    assert server.party.revocation.latest(ROOT, 0)[0] == authority.revocation.latest(ROOT, 0)[0]
    assert server.party.revocation.events(ROOT, 2, 0, 16) == tables.events(ROOT, 2, 0, 16)
    server.party.revocation.work()
    assert server.asked() == []
    # Another process of the same server finds the work done.
    clock.now += timedelta(seconds=301)
    other = follow({"revocation_server_url": URL, "server": True}, lasting=True)
    assert other.party.revocation.tables.claim_sync(ROOT, int(clock.now.timestamp()), int(clock.now.timestamp()) + 30)
    server.party.revocation.work()
    assert server.asked() == []
    clock.now += max(SYNC_INTERVAL, timedelta(seconds=31))
    server.party.revocation.work()
    assert server.asked() == ["update/16"]
    with pytest.raises(InvalidRequestError):
        server.party.revocation.accept_record(ROOT, 2, b"x")


def test_answers_that_do_not_hold_are_not_taken(authority: Party, follow: Callable[..., Follower], monkeypatch: Any) -> None:
    verifier = follow({"revocation_server_url": URL})
    authority.revocation.work()
    real = verifier.connection.get
    monkeypatch.setattr(verifier.connection, "get", lambda url: real(url)[:-3] + b"xxx")
    with pytest.raises(Exception, match=r"update|events|revocation"):
        verifier.party.revocation.sync(ROOT)
    assert verifier.party.revocation.tables.heads(ROOT) == {}
    monkeypatch.setattr(verifier.connection, "get", lambda url: b"no CBOR")
    with pytest.raises(ServersUnavailableError, match="update/16"):
        verifier.party.revocation.sync(ROOT)


@pytest.mark.feature("I9.1")
def test_what_is_pushed_reaches_a_listener(authority: Party, follow: Callable[..., Follower]) -> None:
    listener = follow({"revocation_server_url": URL, "server": True, "sse": True}, lasting=True)
    listener.party.revocation.work()
    assert listener.party.revocation.tables.heads(ROOT)[2].index == 0
    hub = authority.gateway.gateway.revocation_updates
    assert hub is not None
    wait_until(lambda: bool(hub._streams), "the listener")
    listener.connection.gets.clear()
    authority.issue("alice")
    authority.revoke("alice")
    hub.look()
    wait_until(lambda: listener.party.revocation.tables.heads(ROOT)[2].index == 1, "the update")
    assert listener.connection.gets == []


def test_the_stream_has_each_update_with_its_events(authority: Party) -> None:
    hub = authority.gateway.gateway.revocation_updates
    assert hub is not None
    authority.revocation.work()
    stream = hub.open(ROOT)
    sent: list[bytes | None] = []
    stream.attach(sent.append)
    authority.issue("alice")
    hub.look()
    assert sent == [b"event: open\n\n"]
    authority.revoke("alice")
    hub.look()
    hub.look()
    assert sent[1] is not None
    update = Update.from_json(json.loads(sent[1].removeprefix(b"data: ")), "update")
    assert update.events is not None
    assert (len(sent), update.events.index, len(update.events.primes)) == (2, 1, 1)
    stream.close()
    assert not hub._streams

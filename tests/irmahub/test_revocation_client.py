"""Revocation updates over HTTP, from a server in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from idemix.errors import InvalidUpdateError, MissingEventsError
from idemix.revocation import Witness
from idemix.session.session import Session
from idemix.wallet import EventsNeededError, UnsatisfiableRequestError
from irmahub.revocation_client import MAX_ANSWER_BYTES, RevocationClient, UpdatesUnavailableError
from irmahub.wallet_client import WalletClient, WalletFile
from tests.support.revocation import MemoryAuthority
from tests.support.sessions import BSN, ROOT, World, disclosure, encode, issuance, root

ASKED = disclosure([[BSN]], revocation=[str(ROOT)])
SESSION_URL = "https://example.com/irma/session/token"


class Servers:
    """A gateway with one session and a revocation server, as an HTTP transport.

    Attributes:
        session: the session that is reached.
        requests: the paths that the revocation server was asked for.
        answers: what it answers instead, by path.
    """

    def __init__(self, world: World, authority: MemoryAuthority) -> None:
        self.world = world
        self.authority = authority
        self.session: Session | None = None
        self.requests: list[str] = []
        self.answers: dict[str, httpx.Response] = {}
        self.http = httpx.Client(transport=httpx.MockTransport(self.handle))

    def handle(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if "/revocation/" in path:
            return self._revocation(path.partition(f"/revocation/{ROOT}/")[2])
        assert self.session is not None
        if request.method == "GET":
            self.session, reply = self.world.engine.connect(
                self.session, min_version="2.8", max_version="2.8", authorization=request.headers["Authorization"]
            )
            return httpx.Response(200, content=encode(reply))
        if request.method == "DELETE":
            return httpx.Response(200)
        receive = self.world.engine.receive_proofs if path.endswith("/proofs") else self.world.engine.receive_commitments
        self.session, answer = receive(self.session, request.content, authorization=request.headers["Authorization"])
        return httpx.Response(200, content=encode(answer))

    def _revocation(self, path: str) -> httpx.Response:
        self.requests.append(path)
        if path in self.answers:
            return self.answers[path]
        match path.split("/"):
            case ["update", count, counter]:
                return httpx.Response(200, content=self.authority.newest(ROOT, int(counter), int(count)).to_cbor())
            case ["events", counter, start, stop]:
                return httpx.Response(200, content=self.authority.events(ROOT, int(counter), int(start), int(stop)).to_cbor())
        return httpx.Response(404)

    def run(self, client: WalletClient, request: dict[str, Any]) -> None:
        self.session = self.world.start(request)
        client.run({"u": SESSION_URL, "irmaqr": self.session.action.value})

    def revoke_others(self, count: int) -> None:
        public, private = self.world.keys.signing_key(ROOT.issuer)
        signed = self.authority.accumulator(ROOT, public.counter)
        accumulator = signed.verify(public)
        self.authority.advance(ROOT, [Witness.issue(private, signed, accumulator).e for _ in range(count)])


@pytest.fixture
def servers() -> Iterator[Servers]:
    world = World()
    made = Servers(world, world.with_authority())
    yield made
    made.http.close()


def test_events_are_fetched_in_blocks(servers: Servers) -> None:
    servers.revoke_others(40)
    configuration = servers.world.configuration
    key = configuration.public_key(ROOT.issuer, 2)
    client, kind = RevocationClient(servers.http), configuration.credential_types[ROOT]
    whole = client.update_from(kind, key, 0)
    assert whole == servers.authority.states[ROOT, 2]
    assert servers.requests == ["update/16/2", "events/2/0/32"]
    assert client.update_from(kind, key, 30).events == servers.authority.newest(ROOT, 2, 16).events
    assert servers.requests[2:] == ["update/16/2"]


def test_wallet_fetches_what_a_request_lacks(servers: Servers, tmp_path: Path) -> None:
    file = WalletFile(tmp_path / "wallet.json")
    file.save(servers.world.wallet)
    client = WalletClient(file, servers.world.configuration, http=servers.http, clock=servers.world.clock)
    servers.run(client, issuance(root("k")))
    servers.revoke_others(60)
    servers.run(client, ASKED)
    assert servers.session is not None
    assert servers.session.result.to_json()["proofStatus"] == "VALID"
    assert servers.requests == ["update/16/2", "events/2/0/32", "events/2/32/48"]
    # The new witness is in the file, and so is its end.
    assert file.load(servers.world.configuration).next_events(ROOT) == {2: 61}
    servers.authority.revoke(ROOT, "k")
    with pytest.raises(UnsatisfiableRequestError):
        servers.run(client, ASKED)
    assert [held.is_revoked for held in file.load(servers.world.configuration).credentials] == [True]


def test_witnesses_are_updated_now_and_then(servers: Servers) -> None:
    client = WalletClient(servers.world.wallet, http=servers.http)
    servers.run(client, issuance(root("k")))
    servers.authority.revoke(ROOT, "k")
    assert client.update_witnesses() == ()
    servers.world.clock.advance(days=1000)
    looks = [client.update_witnesses() for _ in range(200)]
    (revoked,) = (held for look in looks for held in look)
    assert revoked.is_revoked
    assert servers.requests == ["update/16/2"]


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(500), httpx.Response(200, content=b"\xa0"), httpx.Response(200, content=bytes(MAX_ANSWER_BYTES + 1))],
    ids=["a refusal", "another message", "too long"],
)
def test_server_that_gives_no_updates(servers: Servers, answer: httpx.Response) -> None:
    key = servers.world.configuration.public_key(ROOT.issuer, 2)
    servers.answers["update/16/2"] = answer
    with pytest.raises(UpdatesUnavailableError, match="update/16/2"):
        RevocationClient(servers.http).update_from(servers.world.configuration.credential_types[ROOT], key, 0)


def test_events_that_do_not_fit_are_refused(servers: Servers) -> None:
    servers.revoke_others(40)
    key = servers.world.configuration.public_key(ROOT.issuer, 2)
    kind = servers.world.configuration.credential_types[ROOT]
    other = MemoryAuthority(servers.world.configuration, servers.world.keys, servers.world.clock, ROOT)
    Servers(servers.world, other).revoke_others(40)
    servers.answers["events/2/0/32"] = httpx.Response(200, content=other.events(ROOT, 2, 0, 32).to_cbor())
    with pytest.raises(InvalidUpdateError):
        RevocationClient(servers.http).update_from(kind, key, 0)
    servers.answers["events/2/0/32"] = httpx.Response(200, content=servers.authority.events(ROOT, 2, 0, 8).to_cbor())
    with pytest.raises(MissingEventsError):
        RevocationClient(servers.http).update_from(kind, key, 0)


def test_events_that_stay_missing_end_the_session(servers: Servers) -> None:
    """A server whose own answer is older than the request's updates."""
    client = WalletClient(servers.world.wallet, http=servers.http)
    servers.run(client, issuance(root("k")))
    initial = servers.authority.states[ROOT, 2]
    servers.revoke_others(60)
    servers.answers["update/16/2"] = httpx.Response(200, content=initial.to_cbor())
    with pytest.raises(EventsNeededError, match="missing from 1 on"):
        servers.run(client, ASKED)

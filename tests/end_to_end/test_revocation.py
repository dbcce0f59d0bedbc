"""Revocation with real processes: two workers over PostgreSQL and Redis, the product's wallet, the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway.permissions import Permissions
from gateway.scheme_files import read_tree
from idemix.revocation import Update
from idemix.scheme.configuration import Configuration
from idemix.wallet import UnsatisfiableRequestError, Wallet
from irmahub.cli import command_line
from irmahub.demo.processes import answers
from irmahub.settings import Settings
from irmahub.wallet_client import WalletClient
from tests.support.installations import prepare_installation
from tests.support.postgresql import PostgreSQL
from tests.support.redis import running_redis
from tests.support.revocation import SchemeServers
from tests.support.sessions import BSN, ROOT, disclosure, issuance, root

ASKED = disclosure([[BSN]], revocation=[str(ROOT)])
HOLDERS = 8


@dataclass
class Installation:
    """An installation of two workers.

    Attributes:
        settings: its settings.
        environment: what its commands need.
        token: a requestor's token.
        configuration: the schemes.
        connections: of the wallets.
    """

    settings: Settings
    environment: dict[str, str]
    token: str
    configuration: Configuration
    connections: list[httpx.Client] = field(default_factory=list)

    def wallet(self) -> WalletClient:
        """A new wallet, whose way to the revocation servers of the scheme leads here."""
        transport = SchemeServers(httpx.HTTPTransport(), self.settings.gateway_url.rstrip("/"))
        self.connections.append(httpx.Client(transport=transport, timeout=20))
        return WalletClient(Wallet.create(self.configuration), http=self.connections[-1])

    def post(self, path: str, body: object) -> httpx.Response:
        """Ask on a connection of its own, so that any worker may take it."""
        return httpx.post(f"{self.settings.gateway_url}{path}", json=body, headers={"Authorization": self.token}, timeout=30)

    def run(self, client: WalletClient, request: object) -> dict[str, Any]:
        """Do a session; its result."""
        answer = self.post("session", request)
        assert answer.status_code == 200, answer.text
        client.run(answer.json()["sessionPtr"])
        result: dict[str, Any] = httpx.get(f"{self.settings.gateway_url}session/{answer.json()['token']}/result").json()
        return result

    def revoke(self, key: str) -> httpx.Response:
        return self.post("revocation", {"@context": "https://irma.app/ld/request/revocation/v1", "type": str(ROOT), "revocationKey": key})

    def chain(self) -> Update:
        """The whole chain as the gateway serves it; it is verified."""
        answer = httpx.get(f"{self.settings.gateway_url}irma/revocation/{ROOT}/update/0/2")
        update = Update.from_cbor(answer.content, "update")
        update.verify(self.configuration.public_key(ROOT.issuer, 2))
        return update


@pytest.fixture(scope="module")
def installation(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    data = tmp_path_factory.mktemp("data")
    with running_redis() as redis_server:
        environment = {
            "IRMAHUB_REDIS_URL": redis_server.url,
            "IRMAHUB_DATABASE_URL": postgresql.create("revoking"),
            "IRMAHUB_WORKERS": "2",
        }
        prepared = prepare_installation(data, environment, permissions=Permissions(disclose=("*",), issue=("*",), revoke=(str(ROOT),)))
        settings = prepared.settings
        configuration, problems = Configuration.load([read_tree(settings.schemes_directory / "irma-demo")], now=int(time.time()))
        assert not problems
        with (data / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "irmahub", "serve"], env=os.environ | prepared.environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            deadline = time.monotonic() + 90
            while not answers(f"{settings.gateway_url}health"):
                assert process.poll() is None, (data / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            made = Installation(settings, prepared.environment, prepared.token, configuration)
            yield made
            for connection in made.connections:
                connection.close()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        log_text = (data / "log").read_text()
        for word in ("holder 0", "299792458", "request.failed", "background.failed", "revocation.failed"):
            assert word not in log_text


@pytest.fixture
def command(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs `irmahub revocation …` on the installation; what it prints."""
    for name, value in installation.environment.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(command_line, ["revocation", *arguments])
        assert result.exit_code == status, result.output
        return result.output

    return run


@pytest.mark.feature("I9.1", "I9.3")
def test_two_workers_issue_prove_revoke_and_refuse(installation: Installation, command: Callable[..., str]) -> None:
    assert "no revocation server configured" in installation.post("session", issuance(root("too early"))).text
    assert installation.revoke("holder 0").json()["error"] == "REVOCATION"
    assert "authority" in command("enable", str(ROOT), "--tolerance", "300", "--reason", "pilot")
    # The workers hear of it within a second.
    deadline = time.monotonic() + 10
    while installation.post("session", issuance(root("probe"))).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)

    wallets = [installation.wallet() for _ in range(HOLDERS)]

    def hold(number: int) -> None:
        assert installation.run(wallets[number], issuance(root(f"holder {number}")))["proofStatus"] == "VALID"
        ((attribute,),) = installation.run(wallets[number], ASKED)["disclosed"]
        assert (attribute["notrevoked"], attribute.get("notrevokedbefore")) == (True, None)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hold, range(HOLDERS)))
        # All but the last are revoked, at the same time, by both workers; each twice.
        answered = list(pool.map(installation.revoke, [f"holder {number}" for number in range(HOLDERS - 1) for _ in range(2)]))
    assert sorted(answer.status_code for answer in answered) == [200] * (HOLDERS - 1) + [404] * (HOLDERS - 1)
    assert {answer.text for answer in answered if answer.status_code == 200} == {"OK"}

    events = installation.chain().events
    assert events is not None
    assert (events.index, len(events.primes)) == (0, HOLDERS)
    for client in wallets[:-1]:
        with pytest.raises(UnsatisfiableRequestError):
            installation.run(client, ASKED)
    assert installation.run(wallets[-1], ASKED)["disclosed"][0][0]["notrevoked"] is True

    (found,) = json.loads(command("status", str(ROOT), "--json"))
    (key,) = found["keys"]
    assert (key["events"], key["records"], key["revoked"], key["can_revoke"]) == (HOLDERS - 1, HOLDERS, HOLDERS - 1, True)
    revoked = json.loads(command("revoked", str(ROOT), "--json"))
    assert len(revoked) == HOLDERS - 1
    assert set(revoked[0]) == {"id", "key_counter", "issued_ns", "revoked_ns", "valid_until_ns"}
    assert "1 credentials are revoked" in command("revoke", str(ROOT), f"holder {HOLDERS - 1}", "--reason", "asked for")
    with pytest.raises(UnsatisfiableRequestError):
        installation.run(wallets[-1], ASKED)
    assert "nothing that is not revoked" in command("revoke", str(ROOT), "nobody", status=1)


@pytest.mark.feature("I9.1")
def test_an_accumulator_is_renewed_by_one_of_the_workers(installation: Installation) -> None:
    """Renewal comes a minute after the last signature; so what is looked at is that the chain is fresh, and does not fork."""
    update = installation.chain()
    accumulator = update.verify(installation.configuration.public_key(ROOT.issuer, 2))
    assert time.time() - accumulator.time < 65


@pytest.mark.feature("I9.1")
def test_a_listener_hears_of_a_revocation_by_any_worker(installation: Installation, command: Callable[..., str]) -> None:
    client = installation.wallet()
    installation.run(client, issuance(root("listened")))
    url = f"{installation.settings.gateway_url}irma/revocation/{ROOT}/updateevents"
    with httpx.stream("GET", url, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: open"
        assert installation.revoke("listened").status_code == 200
        for line in lines:
            if line.startswith("data: "):
                update = Update.from_json(json.loads(line.removeprefix("data: ")), "update")
                if update.events is not None:
                    break
    assert update.events is not None
    assert update.events.primes[-1] == installation.chain().events.primes[-1]  # type: ignore[union-attr]
    assert "is off" in command("disable", str(ROOT))
    assert "there is no" in command("disable", str(ROOT), status=1)

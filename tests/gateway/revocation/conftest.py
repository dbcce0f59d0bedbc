"""Gateways that revoke: an authority with its tables on SQLite and PostgreSQL, and a wallet that reaches it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.database import Database
from gateway.revocation.service import Revocation
from gateway.revocation.tables import RevocationTables
from idemix.wallet import HeldCredential, Wallet
from irmahub.wallet_client import SessionOutcome, WalletClient
from tests.support.gateways import TOKEN, TestGateway, irma_demo
from tests.support.revocation import SchemeServers
from tests.support.sessions import BSN, ROOT, disclosure, issuance, root

REVOCATION = "https://irma.app/ld/request/revocation/v1"
REQUESTOR = {"auth_method": "token", "key": TOKEN, "disclose_perms": ["*"], "issue_perms": ["*"], "revoke_perms": ["irma-demo.*"]}


@dataclass
class Party:
    """A gateway, a wallet, and the way between them.

    Attributes:
        gateway: issues, verifies and revokes.
        servers: leads the wallet there; the revocation servers of the scheme too.
        client: does the wallet's sessions.
    """

    gateway: TestGateway
    servers: SchemeServers
    client: WalletClient

    @property
    def revocation(self) -> Revocation:
        return self.gateway.gateway.revocation

    @property
    def wallet(self) -> Wallet:
        return self.client.wallet

    def run(self, request: Any) -> tuple[SessionOutcome, dict[str, Any]]:
        """Do a session; what the wallet and the requestor got."""
        package = self.gateway.start(request)
        return self.client.run(package["sessionPtr"]), self.gateway.result(package)

    def issue(self, revocation_key: str, bsn: str = "299792458") -> HeldCredential:
        outcome, result = self.run(issuance(root(revocation_key, bsn)))
        assert result["proofStatus"] == "VALID"
        (held,) = outcome.received
        return held

    def disclose(self, **fields: Any) -> dict[str, Any]:
        """Disclose the number with a proof of non-revocation; the result."""
        return self.run(disclosure([[BSN]], revocation=[str(ROOT)], **fields))[1]

    def revoke(self, key: str, token: str = TOKEN, **fields: Any) -> tuple[int, str]:
        """POST /revocation: status, and the text or name of the error."""
        body = {"@context": REVOCATION, "type": str(ROOT), "revocationKey": key, **fields}
        answer = self.gateway.client.post("/revocation", json=body, headers={"Authorization": token})
        return answer.status_code, answer.text if answer.status_code == 200 else answer.get_json()["error"]


@pytest.fixture
def make_party(make_gateway: Callable[..., TestGateway]) -> Callable[..., Party]:
    """Makes parties over tables of revocation; options are those of the configuration."""

    def make(tables: RevocationTables | None, settings: dict[str, Any], **options: Any) -> Party:
        parts = {} if tables is None else {"revocation": tables}
        gateway = make_gateway(
            parts, url="http://localhost/irma/", requestors={"shop": REQUESTOR}, revocation_settings={str(ROOT): settings}, **options
        )
        servers = SchemeServers(httpx.WSGITransport(gateway.app))
        client = WalletClient(Wallet.create(irma_demo(), clock=gateway.clock), http=httpx.Client(transport=servers))
        return Party(gateway, servers, client)

    return make


@pytest.fixture
def tables(database: Database) -> RevocationTables:
    """Tables on SQLite and on PostgreSQL."""
    return RevocationTables(database)


@pytest.fixture
def authority(make_party: Callable[..., Party], tables: RevocationTables) -> Party:
    """An authority, and a wallet."""
    return make_party(tables, {"authority": True})

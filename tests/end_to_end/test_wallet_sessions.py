"""The project's wallet does the longer kinds of session with a gateway, all over HTTP: requestor, page and wallet."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Queue
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from werkzeug.serving import WSGIRequestHandler, make_server

from idemix.wallet import Wallet
from irmahub.demo.processes import free_address
from irmahub.wallet_client import PairingFailedError, ServerRefusedError, WalletClient
from tests.support.gateways import CARD, DISCLOSURE, ISSUANCE, SIGNATURE, TOKEN, TestGateway, irma_demo, signing_key_pem
from tests.support.gateways import clock as clock
from tests.support.gateways import make_gateway as make_gateway
from tests.support.gateways import requestor_server as requestor_server
from tests.support.requestor_server import RequestorServer

NAME = "irma-demo.MijnOverheid.fullName"
NAMES = {"firstnames": "Johan Pieter", "firstname": "Johan", "familyname": "Stuivezand"}
NAMING = {"@context": ISSUANCE["@context"], "credentials": [{"credential": NAME, "attributes": NAMES}]}
OPTIONS_CONTEXT = "https://irma.app/ld/request/frontendoptions/v1"
PATIENCE_SECONDS = 30


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


@dataclass
class Site:
    """A gateway on a port of the loopback, seen from outside.

    Attributes:
        url: its address, with a slash at its end.
        wallet: a wallet that holds a student card.
    """

    url: str
    gateway: TestGateway
    wallet: Wallet

    def start(self, request: Any) -> dict[str, Any]:
        """Start a session as the requestor."""
        answer = httpx.post(f"{self.url}session", json=request, headers={"Authorization": TOKEN})
        assert answer.status_code == 200, answer.text
        package: dict[str, Any] = answer.json()
        return package

    def result(self, token: str) -> dict[str, Any]:
        """The signed result of a session, verified with the published key."""
        return self.verified(httpx.get(f"{self.url}session/{token}/result-jwt").text)

    def verified(self, signed: str) -> dict[str, Any]:
        """What a signed result says."""
        key: Any = load_pem_public_key(httpx.get(f"{self.url}publickey").content)
        claims: dict[str, Any] = jwt.decode(signed, key, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False})
        return claims

    def run(self, pointer: dict[str, str], **options: Any) -> Any:
        """Do a session with the wallet."""
        with WalletClient(self.wallet, **options) as client:
            return client.run(pointer)


@pytest.fixture
def site(make_gateway: Callable[..., TestGateway], requestor_server: RequestorServer) -> Iterator[Site]:
    address = free_address(0)
    static = {"callbackUrl": f"{requestor_server.url}static", "request": DISCLOSURE}
    gateway = make_gateway(url=f"{address.url}/irma/", jwt_privkey=signing_key_pem(), static_sessions={"poster": static})
    server = make_server(address.host, address.port, gateway.app, threaded=True, request_handler=_QuietHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        made = Site(f"{address.url}/", gateway, Wallet.create(irma_demo(), clock=gateway.clock))
        made.run(made.start(ISSUANCE)["sessionPtr"])
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.feature("I7.2")
def test_combined_issuance_and_disclosure(site: Site) -> None:
    package = site.start({**NAMING, "disclose": DISCLOSURE["disclose"]})
    outcome = site.run(package["sessionPtr"])
    assert [str(held.type.id) for held in outcome.received] == [NAME]
    result = site.result(package["token"])
    assert (result["type"], result["status"], result["proofStatus"]) == ("issuing", "DONE", "VALID")
    assert result["disclosed"][0][0]["rawvalue"] == "42"
    # The new credential is of the same holder: both are disclosed together.
    both = site.start({**DISCLOSURE, "disclose": [[[f"{CARD}.level"]], [[f"{NAME}.familyname"]]]})
    site.run(both["sessionPtr"])
    assert [group[0]["rawvalue"] for group in site.result(both["token"])["disclosed"]] == ["42", "Stuivezand"]


@pytest.mark.feature("I7.2")
def test_a_chain_of_three_sessions(site: Site, requestor_server: RequestorServer) -> None:
    last = {**SIGNATURE, "disclose": [[[f"{NAME}.firstname"]]]}
    requestor_server.answers = {
        "/2": json.dumps({"nextSession": {"url": f"{requestor_server.url}3"}, "request": NAMING}).encode(),
        "/3": json.dumps(last).encode(),
    }
    package = site.start({"nextSession": {"url": f"{requestor_server.url}2"}, "request": DISCLOSURE})
    outcome = site.run(package["sessionPtr"])
    assert len(outcome.outcomes) == 3
    assert [str(held.type.id) for held in outcome.received] == [NAME]
    results = [site.result(package["token"])]
    while "nextSession" in results[-1]:
        results.append(site.result(results[-1]["nextSession"]))
    assert [(result["type"], result["proofStatus"], result["status"]) for result in results] == [
        ("disclosing", "VALID", "DONE"),
        ("issuing", "VALID", "DONE"),
        ("signing", "VALID", "DONE"),
    ]
    # Each session shows again what the one before it showed, after what it asks itself.
    assert [[group[0]["rawvalue"] for group in result["disclosed"]] for result in results] == [["42"], ["42"], ["Johan", "42"]]
    calls = [site.verified(call.body) for call in requestor_server.calls]
    assert [(call["token"], call["status"]) for call in calls] == [(result["token"], "CONNECTED") for result in results[:2]]
    frontend = {"Authorization": package["frontendRequest"]["authorization"]}
    status = httpx.get(f"{package['sessionPtr']['u']}/frontend/status", headers=frontend).json()
    assert (status["status"], status["nextSession"]["irmaqr"]) == ("DONE", "issuing")
    assert httpx.get(f"{status['nextSession']['u']}/frontend/status", headers=frontend).json()["nextSession"]["irmaqr"] == "signing"


@pytest.mark.feature("I7.2")
def test_a_chain_breaks_where_the_earlier_attributes_are_not_shown_again(site: Site, requestor_server: RequestorServer) -> None:
    requestor_server.answers = {"/2": json.dumps(NAMING).encode()}
    first = site.start({"nextSession": {"url": f"{requestor_server.url}2"}, "request": DISCLOSURE})
    with WalletClient(site.wallet) as client:
        outcome, _ = client._one_session(first["sessionPtr"]["u"], ())
        assert outcome.next_session is not None
        # The app forgets what it chose: the next session is not answered as its requestor may expect.
        with pytest.raises(ServerRefusedError, match="INVALID_PROOFS"):
            client._one_session(outcome.next_session.url, ())
    following = site.result(site.result(first["token"])["nextSession"])
    assert (following["status"], following["error"]["error"]) == ("CANCELLED", "INVALID_PROOFS")


@pytest.mark.feature("I7.2")
def test_pairing(site: Site) -> None:
    package = site.start(DISCLOSURE)
    url, headers = package["sessionPtr"]["u"], {"Authorization": package["frontendRequest"]["authorization"]}
    wanted = httpx.post(f"{url}/frontend/options", json={"@context": OPTIONS_CONTEXT, "pairingMethod": "pin"}, headers=headers).json()
    codes: Queue[str] = Queue()
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(site.run, package["sessionPtr"], show_pairing_code=codes.put)
        assert codes.get(timeout=PATIENCE_SECONDS) == wanted["pairingCode"]
        assert httpx.get(f"{url}/request").json()["error"] == "PAIRING_REQUIRED"
        assert httpx.get(f"{url}/frontend/status", headers=headers).json() == {"status": "PAIRING"}
        assert httpx.post(f"{url}/frontend/pairingcompleted", headers=headers).status_code == 204
        outcome.result(PATIENCE_SECONDS)
    assert site.result(package["token"])["proofStatus"] == "VALID"


@pytest.mark.feature("I7.2")
def test_pairing_that_the_page_refuses(site: Site) -> None:
    package = site.start(DISCLOSURE)
    url, headers = package["sessionPtr"]["u"], {"Authorization": package["frontendRequest"]["authorization"]}
    httpx.post(f"{url}/frontend/options", json={"@context": OPTIONS_CONTEXT, "pairingMethod": "pin"}, headers=headers)
    with pytest.raises(PairingFailedError, match="CANCELLED"):
        site.run(package["sessionPtr"], show_pairing_code=lambda _code: httpx.delete(url))
    assert "disclosed" not in site.result(package["token"])


@pytest.mark.feature("I7.2")
def test_a_static_session_again_and_again(site: Site, requestor_server: RequestorServer) -> None:
    poster = {"u": f"{site.url}irma/session/poster", "irmaqr": "redirect"}
    for _ in range(2):
        site.run(poster)
    site.gateway.gateway.close()
    assert [call.path for call in requestor_server.calls] == ["/static/", "/static/"]
    results = [site.verified(call.body) for call in requestor_server.calls]
    assert [(result["status"], result["proofStatus"]) for result in results] == [("DONE", "VALID")] * 2
    assert len({result["token"] for result in results}) == 2

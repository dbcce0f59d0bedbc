"""The wallet over HTTP, against the gateway: every type of session, pairing, chains, refusals, and the file."""

import json
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from idemix.wallet import UnsatisfiableRequestError, Wallet
from irmahub.wallet_client import PairingFailedError, ServerRefusedError, WalletClient, WalletFile
from tests.support.gateways import CARD, DISCLOSURE, ISSUANCE, SIGNATURE, TestGateway, irma_demo
from tests.support.gateways import clock as clock
from tests.support.gateways import gateway as gateway
from tests.support.gateways import make_gateway as make_gateway
from tests.support.gateways import requestor_server as requestor_server
from tests.support.requestor_server import RequestorServer

Connect = Callable[..., WalletClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes a wallet client that reaches a gateway."""
    opened: list[httpx.Client] = []

    def make(gateway: TestGateway, **options: Any) -> WalletClient:
        http = httpx.Client(transport=httpx.WSGITransport(app=gateway.app))
        opened.append(http)
        return WalletClient(options.pop("wallet", None) or Wallet.create(irma_demo(), clock=gateway.clock), http=http, **options)

    yield make
    for http in opened:
        http.close()


@pytest.fixture
def holder(gateway: TestGateway, connect: Connect) -> WalletClient:
    """A wallet that holds a student card."""
    client = connect(gateway)
    client.run(gateway.start(ISSUANCE)["sessionPtr"])
    return client


@pytest.mark.feature("I12.1")
def test_issuance_is_kept_in_the_file(gateway: TestGateway, connect: Connect, tmp_path: Path) -> None:
    file = WalletFile(tmp_path / "deep" / "wallet.json")
    wallet = file.load(irma_demo(), clock=gateway.clock)
    file.save(wallet)
    client = connect(gateway, wallet=file, configuration=irma_demo(), clock=gateway.clock)
    outcome = client.run(gateway.start(ISSUANCE)["sessionPtr"])
    assert [str(held.type.id) for held in outcome.received] == [CARD]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    again = connect(gateway, wallet=file, configuration=irma_demo(), clock=gateway.clock)
    assert again.key_counters(CARD) == client.key_counters(CARD) == [2]
    again.run((package := gateway.start(DISCLOSURE))["sessionPtr"])
    assert gateway.result(package)["proofStatus"] == "VALID"


@pytest.mark.feature("I12.2")
@pytest.mark.parametrize(
    "request_", [DISCLOSURE, SIGNATURE, {**ISSUANCE, "disclose": DISCLOSURE["disclose"]}], ids=["disclosure", "signature", "combined"]
)
def test_sessions(gateway: TestGateway, holder: WalletClient, request_: dict[str, Any]) -> None:
    package = gateway.start(request_)
    holder.run(package["sessionPtr"])
    result = gateway.result(package)
    assert (result["status"], result["proofStatus"]) == ("DONE", "VALID")
    assert result["disclosed"][0][0]["rawvalue"] == "42"


def set_pairing(gateway: TestGateway, package: dict[str, Any]) -> str:
    """Ask for pairing as the frontend; gives the address of its endpoints."""
    frontend = "/irma/session/" + package["sessionPtr"]["u"].rpartition("/")[2] + "/frontend"
    body = {"@context": "https://irma.app/ld/request/frontendoptions/v1", "pairingMethod": "pin"}
    answer = gateway.client.post(f"{frontend}/options", json=body, headers={"Authorization": package["frontendRequest"]["authorization"]})
    assert answer.status_code == 200
    return frontend


def test_pairing(gateway: TestGateway, holder: WalletClient, connect: Connect) -> None:
    package = gateway.start(DISCLOSURE)
    frontend = set_pairing(gateway, package)
    codes: list[str] = []

    def complete(code: str) -> None:
        codes.append(code)
        headers = {"Authorization": package["frontendRequest"]["authorization"]}
        threading.Timer(0.3, lambda: gateway.app.test_client().post(f"{frontend}/pairingcompleted", headers=headers)).start()

    connect(gateway, wallet=holder.wallet, show_pairing_code=complete).run(package["sessionPtr"])
    assert len(codes) == 1
    assert codes[0].isdigit()
    assert gateway.result(package)["proofStatus"] == "VALID"


def test_pairing_that_the_frontend_cancels(gateway: TestGateway, holder: WalletClient, connect: Connect) -> None:
    package = gateway.start(DISCLOSURE)
    set_pairing(gateway, package)
    client = connect(gateway, wallet=holder.wallet, show_pairing_code=lambda _: gateway.client.delete(f"/session/{package['token']}"))
    with pytest.raises(PairingFailedError) as caught:
        client.run(package["sessionPtr"])
    assert caught.value.status == "CANCELLED"


def test_chain_discloses_the_earlier_attributes_again(
    make_gateway: Callable[..., TestGateway], connect: Connect, requestor_server: RequestorServer
) -> None:
    gateway = make_gateway(allow_unsigned_callbacks=True)
    client = connect(gateway)
    client.run(gateway.start(ISSUANCE)["sessionPtr"])
    requestor_server.answer = json.dumps(ISSUANCE).encode()
    first = gateway.start({"nextSession": {"url": requestor_server.url}, "request": DISCLOSURE})
    outcome = client.run(first["sessionPtr"])
    assert len(outcome.outcomes) == 2
    assert len(outcome.received) == 1
    second = gateway.client.get(f"/session/{gateway.result(first)['nextSession']}/result").get_json()
    assert second["proofStatus"] == "VALID"
    assert second["disclosed"][0][0]["rawvalue"] == "42"


def test_static_session(make_gateway: Callable[..., TestGateway], connect: Connect, requestor_server: RequestorServer) -> None:
    static = {"counter": {"callbackUrl": requestor_server.url, "request": DISCLOSURE}}
    gateway = make_gateway(allow_unsigned_callbacks=True, static_sessions=static)
    client = connect(gateway)
    client.run(gateway.start(ISSUANCE)["sessionPtr"])
    client.run({"u": "https://gateway.example/irma/session/counter", "irmaqr": "redirect"})
    gateway.gateway.close()
    assert [json.loads(call.body)["proofStatus"] for call in requestor_server.calls] == ["VALID"]


def test_a_request_that_nothing_satisfies_cancels_the_session(gateway: TestGateway, connect: Connect) -> None:
    package = gateway.start(DISCLOSURE)
    with pytest.raises(UnsatisfiableRequestError):
        connect(gateway).run(package["sessionPtr"])
    assert gateway.result(package)["status"] == "CANCELLED"


def test_declining_cancels_the_session(gateway: TestGateway, connect: Connect) -> None:
    package = gateway.start(DISCLOSURE)
    connect(gateway).decline(package["sessionPtr"])
    assert gateway.result(package)["status"] == "CANCELLED"


def test_refusals_name_the_remote_error(gateway: TestGateway, holder: WalletClient) -> None:
    package = gateway.start(DISCLOSURE)
    holder.run(package["sessionPtr"])
    with pytest.raises(ServerRefusedError) as caught:
        holder.run(package["sessionPtr"])
    assert (caught.value.status, caught.value.error) == (403, "UNEXPECTED_REQUEST")

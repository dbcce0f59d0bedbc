"""The time-stamp server over HTTP, with the wallet on one side and the gateway on the other."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from idemix.errors import IdemixError
from idemix.messages import SignedMessage
from idemix.timestamp.messages import StampRequest, StampResponse
from idemix.timestamp.server import TimestampServer
from idemix.verification import ProofStatus, verify_signed_message
from idemix.wallet import Wallet
from irmahub.demo.processes import free_address
from irmahub.timestamp_server import MAX_BODY_BYTES, TimestampApplication, serving
from irmahub.wallet_client import HttpTimestamps, ServerRefusedError, TimestampServerError, WalletClient
from tests.support.clock import START, SettableClock
from tests.support.gateways import ISSUANCE, SIGNATURE, TestGateway, irma_demo
from tests.support.gateways import clock as clock
from tests.support.gateways import make_gateway as make_gateway
from tests.support.timestamps import timestamp_server

#: The server that the scheme irma-demo names.
URL = "https://atumd.yivi.app/"


@pytest.fixture
def server() -> TimestampServer:
    return timestamp_server(URL)


@pytest.fixture
def http(server: TimestampServer) -> Iterator[httpx.Client]:
    """Reaches the server."""
    with httpx.Client(transport=httpx.WSGITransport(app=TimestampApplication(server, lambda: START)), base_url=URL) as client:
        yield client


def test_it_tells_of_itself_and_its_key(server: TimestampServer, http: httpx.Client) -> None:
    info = http.get("/")
    assert info.headers["Content-Type"] == "application/json"
    assert info.json() == {"MaxNonceSize": 128, "AcceptableLag": 60, "DefaultSigAlg": "ed25519", "RequiredProofOfWork": {}}
    key = server.private_key.public_key().public_bytes_raw().hex()
    assert http.get("/checkPublicKey", params={"alg": "ed25519", "pk": key}).json()["Trusted"] is True
    assert http.get("/checkPublicKey", params={"alg": "ed25519", "pk": "00"}).json()["Trusted"] is False


def test_it_stamps(http: httpx.Client) -> None:
    answer = http.post("/", content=StampRequest(b"nonce", algorithm="ed25519").print())
    stamp = StampResponse.parse(answer.content).stamp
    assert stamp is not None
    assert (stamp.time, stamp.server_url) == (int(START.timestamp()), URL)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/", b"x", 400),
        ("POST", "/", b"[]", 400),
        ("POST", "/", b"x" * (MAX_BODY_BYTES + 1), 413),
        ("GET", "/checkPublicKey?alg=ed25519&pk=x", b"", 400),
        ("GET", "/elsewhere", b"", 404),
        ("DELETE", "/", b"", 404),
    ],
)
def test_what_it_refuses(http: httpx.Client, method: str, path: str, body: bytes, status: int) -> None:
    assert http.request(method, path, content=body).status_code == status


@pytest.mark.feature("I8.2")
def test_a_wallet_signs_with_a_stamp_that_the_gateway_believes(
    make_gateway: Callable[..., TestGateway], server: TimestampServer, clock: SettableClock
) -> None:
    trusting = make_gateway(timestamp_keys={URL: [server.key]}, allow_unsigned_callbacks=True)
    strange = make_gateway(timestamp_keys={URL: [timestamp_server(URL, seed=2).key]})
    outcomes = []
    wallet = Wallet.create(irma_demo(), clock=clock)
    for gateway in (trusting, strange):
        mounts = {URL: httpx.WSGITransport(app=TimestampApplication(server, clock))}
        with httpx.Client(transport=httpx.WSGITransport(app=gateway.app), mounts=mounts) as http:
            client = WalletClient(wallet, http=http, stamps=True)
            if not wallet.credentials:
                client.run(gateway.start(ISSUANCE)["sessionPtr"])
            package = gateway.start(SIGNATURE)
            client.run(package["sessionPtr"])
            outcomes.append(gateway.result(package))
    assert [outcome["proofStatus"] for outcome in outcomes] == ["VALID", "INVALID_TIMESTAMP"]
    message = SignedMessage.from_json(json.loads(json.dumps(outcomes[0]["signature"])))
    clock.advance(days=3650)
    keys = trusting.gateway.config.timestamp_keys
    assert verify_signed_message(message, None, irma_demo(), now=clock(), timestamp_keys=keys).status is ProofStatus.VALID


def test_it_serves_in_a_thread() -> None:
    address = free_address(0)
    server = timestamp_server(f"{address.url}/")
    with httpx.Client(trust_env=False) as client:
        with serving(server, address):
            body = HttpTimestamps(client).post(server.url, StampRequest(b"nonce").print())
            assert StampResponse.parse(body).stamp is not None
            with pytest.raises(ServerRefusedError):
                HttpTimestamps(client).post(f"{server.url}elsewhere", b"{}")
        with pytest.raises(TimestampServerError) as refusal:
            HttpTimestamps(client).post(server.url, b"{}")
    assert isinstance(refusal.value, IdemixError)

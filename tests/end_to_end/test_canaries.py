"""Secrets and attribute values stay where they belong: canaries are planted in a whole installation, and looked for everywhere."""

import base64
import io
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from rich.console import Console

from console.accounts.models import NewApiToken, NewUser
from console.services import Services
from gateway.actor import Grant, Role, system_actor
from gateway.authorization import Action
from gateway.models import AuthMethod
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor
from idemix.clock import system_clock
from idemix.credential.attributes import encode_attribute
from irmahub.applications import services_of
from irmahub.demo import content
from irmahub.demo.processes import free_address
from irmahub.demo.runner import PERSONAL, Demo
from irmahub.settings import Settings
from irmahub.wallet_client import ServerRefusedError, WalletClient, WalletFile
from tests.support.processes import free_port, wait_until
from tests.support.requestor_server import RequestorServer, running_requestor_server

PASSWORD = f"canary-password-{secrets.token_hex(8)}"

#: Bodies whose purpose it is to hold an attribute value or a secret: results, what the app is asked to take, and a secret just made.
_PURPOSE = ("/result", "/result-jwt", "/getproof", "/request", "/keys")


@dataclass
class Recorder:
    """Keeps every HTTP answer that this process receives, with the path that gave it."""

    bodies: list[tuple[str, bytes]] = field(default_factory=list)

    def record(self, response: httpx.Response) -> httpx.Response:
        path = urlsplit(str(response.request.url)).path.rstrip("/")
        is_app_request = response.request.method == "GET" and path.rpartition("/")[0].endswith("/irma/session")
        if not path.endswith(_PURPOSE) and not is_app_request:
            headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items() if name != "set-cookie")
            self.bodies.append((f"{response.request.method} {path} {response.status_code}", headers.encode() + b"\n\n" + response.content))
        return response


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    send = httpx.Client.send

    def recording(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        response = send(client, request, **options)
        response.read()
        return recorder.record(response)

    monkeypatch.setattr(httpx.Client, "send", recording)
    return recorder


def _forms(secret: bytes) -> Iterator[bytes]:
    """How a secret could be written: raw, hexadecimal, decimal, and base64 wherever in a group of three bytes it begins."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield str(int.from_bytes(secret, "big")).encode()
    for before in range(3):
        # The characters that depend on neighbours are left off at both ends.
        text = base64.b64encode(bytes(before) + secret)[-(-before * 8 // 6) :].rstrip(b"=")[:-1]
        yield text
        yield text.translate(bytes.maketrans(b"+/", b"-_"))


def _number(value: int) -> bytes:
    return int(value).to_bytes((int(value).bit_length() + 7) // 8, "big")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.csrf_token = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.addresses.append(str(values["href"]))
        if tag == "input" and values.get("name") == "csrf_token":
            self.csrf_token = str(values["value"])


def _links(page: httpx.Response) -> _Links:
    links = _Links()
    links.feed(page.text)
    return links


def _visit_all_pages(console_url: str) -> int:
    """Sign in and open every page that a link leads to; return how many there were."""
    with httpx.Client(base_url=console_url, follow_redirects=True, timeout=30) as browser:
        token = _links(browser.get("/sign-in")).csrf_token
        browser.post("/sign-in", data={"csrf_token": token, "name": "canary", "password": PASSWORD})
        wrong = browser.post("/sign-in", data={"csrf_token": token, "name": "canary", "password": PASSWORD + "x"})
        assert PASSWORD not in wrong.text
        waiting, seen = ["/", "/nowhere", "/schemes/nowhere"], set()
        while waiting:
            address = waiting.pop()
            if address in seen:
                continue
            seen.add(address)
            page = browser.get(address)
            for link in _links(page).addresses if "html" in page.headers.get("content-type", "") else ():
                target = urljoin(str(page.url), link)
                if target.startswith(console_url):
                    waiting.append(target.removeprefix(console_url.rstrip("/")).partition("#")[0])
        return len(seen)


def _call_api(console_url: str, token: str) -> None:
    with httpx.Client(base_url=console_url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as api:
        for path in ("schemes", "issuer-keys", "requestors", "requestors/canary", "jobs", "audit", "tokens", "users", "nowhere"):
            api.get(f"/api/v1/{path}")
        api.post("/api/v1/requestors", json={"name": "", "state": "?"})
    httpx.get(f"{console_url}api/v1/schemes", headers={"Authorization": f"Bearer {token}x"})


def _session(gateway_url: str, wallet: WalletClient, headers: Mapping[str, str], request: bytes) -> dict[str, Any]:
    started = httpx.post(f"{gateway_url}session", content=request, headers=headers)
    assert started.status_code == 200, started.text
    package = started.json()
    wallet.run(package["sessionPtr"])
    result: dict[str, Any] = httpx.get(f"{gateway_url}session/{package['token']}/result").json()
    for endpoint in ("status", "result-jwt", "getproof"):
        httpx.get(f"{gateway_url}session/{package['token']}/{endpoint}")
    assert result["status"] == "DONE"
    return result


def _run_sessions(gateway_url: str, wallet: WalletClient, token: str, hmac_secret: bytes, value: str) -> None:
    """Issue, disclose and sign the canary value, and send it in every malformed way."""
    json_headers = {"Authorization": token, "Content-Type": "application/json"}
    attributes = {"fullName": value, "dateOfBirth": value, "over18": value}
    issuance = {"@context": "https://irma.app/ld/request/issuance/v2", "credentials": [{"credential": PERSONAL, "attributes": attributes}]}
    asked = [[[{"type": f"{PERSONAL}.fullName", "value": value}]]]
    disclosure = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": asked}
    signature = {"@context": "https://irma.app/ld/request/signature/v2", "message": "I agree.", "disclose": asked}
    _session(gateway_url, wallet, json_headers, json.dumps(issuance).encode())
    result = _session(gateway_url, wallet, json_headers, json.dumps(disclosure).encode())
    assert result["disclosed"][0][0]["rawvalue"] == value
    _session(gateway_url, wallet, json_headers, json.dumps(signature).encode())
    claims = {
        "iss": "canary-hmac",
        "iat": int(system_clock().timestamp()),
        "sub": "verification_request",
        "sprequest": {"request": disclosure},
    }
    text_headers = {"Content-Type": "text/plain"}
    _session(gateway_url, wallet, text_headers, jwt.encode(claims, hmac_secret, algorithm="HS256").encode())

    unknown = {**issuance, "credentials": [{"credential": PERSONAL, "attributes": {**attributes, "nickname": value}}]}
    refused = {**issuance, "credentials": [{"credential": f"{PERSONAL}x", "attributes": attributes}]}
    refused_value = {**disclosure, "disclose": [[[{"type": f"{PERSONAL}.fullName", "value": value, "notNull": value}]]]}
    for body in (unknown, refused, refused_value, {**issuance, "credentials": attributes}, {"request": attributes}):
        assert httpx.post(f"{gateway_url}session", json=body, headers=json_headers).status_code >= 400
    broken = json.dumps(issuance).encode()[:-3]
    assert httpx.post(f"{gateway_url}session", content=broken, headers=json_headers).status_code == 400
    wrong_token = {**json_headers, "Authorization": f"{token}x"}
    assert httpx.post(f"{gateway_url}session", json=issuance, headers=wrong_token).status_code == 403
    for secret in (hmac_secret + b"x", hmac_secret):
        late = {**claims, "iat": 1, "sprequest": {"request": issuance}}
        answer = httpx.post(f"{gateway_url}session", content=jwt.encode(late, secret, algorithm="HS256"), headers=text_headers)
        assert answer.status_code >= 400

    started = httpx.post(f"{gateway_url}session", json=disclosure, headers=json_headers).json()
    address = started["sessionPtr"]["u"]
    binding = {"Authorization": "canary-app-authorization"}
    versions = {"X-IRMA-MinProtocolVersion": "2.8", "X-IRMA-MaxProtocolVersion": "2.8"}
    assert httpx.get(address, headers={**binding, **versions}).status_code == 200
    for posted in (f'{{"proofs": ["{value}"]', json.dumps({"proofs": [{"A": value}], "indices": value}), json.dumps(value)):
        assert httpx.post(f"{address}/proofs", content=posted, headers=binding).status_code == 400
    for path in ("metrics", "health", "publickey", "session/nowhere/status"):
        httpx.get(f"{gateway_url}{path}")


def _run_calls(gateway_url: str, wallet: WalletClient, token: str, value: str, secret: str, shop: RequestorServer) -> list[str]:
    """Callbacks and a chain, to a server that answers and to one that does not; gives the secrets of the sessions.

    The addresses that the requestor gives hold a secret of its own.
    """
    headers = {"Authorization": token, "Content-Type": "application/json"}
    asked = [[[{"type": f"{PERSONAL}.fullName", "value": value}]]]
    disclosure = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": asked}
    signature = {"@context": "https://irma.app/ld/request/signature/v2", "message": value, "disclose": asked}
    nowhere = f"http://127.0.0.1:{free_port()}/{secret}?key={secret}"
    found: list[str] = []

    def start(request: Mapping[str, Any], **more: str) -> dict[str, Any]:
        answer = httpx.post(f"{gateway_url}session", json=request, headers={**headers, **more}, timeout=30)
        assert answer.status_code == 200, answer.text
        package: dict[str, Any] = answer.json()
        found.extend((package["token"], package["sessionPtr"]["u"].rpartition("/")[2], package["frontendRequest"]["authorization"]))
        return package

    # A chain, whose second request holds the value too, with callbacks; the id of a request that is none.
    shop.answer = json.dumps({"request": signature, "callbackUrl": f"{shop.url}{secret}"}).encode()
    chain = {"request": disclosure, "nextSession": {"url": f"{shop.url}next?key={secret}"}, "callbackUrl": f"{shop.url}end/{secret}"}
    package = start(chain, **{"X-Request-Id": value})
    wallet.run(package["sessionPtr"])
    result = httpx.get(f"{gateway_url}session/{package['token']}/result").json()
    assert result["status"] == "DONE"
    found.append(result["nextSession"])
    wait_until(lambda: len(shop.calls) >= 3, "the callbacks of the chain")
    # Calls that fail: nobody listens, the answer is no request, the requestor may not ask what it says.
    refused = {**disclosure, "disclose": [[[{"type": "canary.nobody.nothing.x", "value": value}]]]}
    for answer in (value.encode(), json.dumps(refused).encode()):
        shop.answer = answer
        broken = start({**chain, "callbackUrl": nowhere})
        with suppress(ServerRefusedError):
            wallet.run(broken["sessionPtr"])
        httpx.delete(f"{gateway_url}session/{broken['token']}")
    ended = start({"request": disclosure, "callbackUrl": nowhere})
    # Pairing: the code is a secret between two screens.
    address = ended["sessionPtr"]["u"]
    frontend = {"Authorization": ended["frontendRequest"]["authorization"]}
    pin = {"@context": "https://irma.app/ld/request/frontendoptions/v1", "pairingMethod": "pin"}
    assert httpx.post(f"{address}/frontend/options", json=pin, headers=frontend).status_code == 200
    assert httpx.post(f"{address}/frontend/options", content=value, headers=frontend).status_code == 400
    assert httpx.get(f"{address}/frontend/status", headers={"Authorization": f"{found[-1]}x"}).status_code == 403
    httpx.delete(f"{gateway_url}session/{ended['token']}")
    # What revokes is read, and refused or done; the key that names a credential is the requestor's.
    revocation = {"@context": "https://irma.app/ld/request/revocation/v1", "type": PERSONAL, "revocationKey": value}
    for body in (revocation, {**revocation, "issued": value}):
        assert httpx.post(f"{gateway_url}revocation", json=body, headers=headers).status_code >= 400
    return found


def _arguments_of_all_processes() -> bytes:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return b"\0".join(found)


def _secrets_of(services: Services, settings: Settings) -> dict[str, bytes]:
    """The secrets that the installation itself made."""
    found: dict[str, bytes] = {"pepper": services.custody.pepper()}
    for line in settings.kek_file.read_text().splitlines():
        if not line.startswith("#"):
            found["key-encryption key"] = base64.b64decode(line)
    issuer_key = services.custody.issuer_keys.private_key(f"{content.SCHEME}.{content.MUNICIPALITY}", 0)
    found["issuer key, p"], found["issuer key, q"] = _number(issuer_key.p), _number(issuer_key.q)
    result_key = services.custody.jwt_key()
    assert isinstance(result_key, rsa.RSAPrivateKey)
    found["key of results"] = _number(result_key.private_numbers().d)
    pem = services.custody.scheme_keys.export(system_actor("canary"), content.SCHEME, reason="to look for it")
    scheme_key = serialization.load_pem_private_key(pem, None)
    assert isinstance(scheme_key, ec.EllipticCurvePrivateKey)
    found["scheme key"] = _number(scheme_key.private_numbers().private_value)
    return found


@pytest.fixture
def shop() -> Iterator[RequestorServer]:
    with running_requestor_server() as server:
        yield server


@pytest.mark.feature("F3.2")
def test_no_secret_and_no_attribute_value_is_found_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: Recorder, shop: RequestorServer
) -> None:
    monkeypatch.setenv("IRMAHUB_LOG_LEVEL", "debug")
    metrics_address = free_address(0)
    monkeypatch.setenv("IRMAHUB_METRICS_ADDRESS", str(metrics_address))
    folder = tmp_path / "data"
    value = f"canary-value-{secrets.token_hex(8)}"
    with ExitStack() as stack:
        demo = Demo(folder, Console(file=io.StringIO()), stack)
        demo.run()
        settings = demo.settings
        services = services_of(settings)
        stack.callback(services.close)
        planted = _secrets_of(services, settings)

        actor = system_actor("canary")
        services.accounts.create_user(actor, NewUser("canary", "Canary", PASSWORD, grants=(Grant(Role.ADMIN),)))
        for name, method in (("canary", AuthMethod.TOKEN), ("canary-hmac", AuthMethod.HMAC)):
            services.requestors.create(actor, NewRequestor(name))
            everything = (f"{content.SCHEME}.*",)
            services.requestors.set_permissions(actor, name, Permissions(disclose=everything, sign=everything, issue=everything))
            secret = services.requestors.add_key(actor, name, NewKey(method)).secret
            assert secret is not None
            services.requestors.activate(actor, name)
            planted[f"{method.value} of a requestor"] = secret.encode() if method is AuthMethod.TOKEN else base64.b64decode(secret)
        log_in = services.accounts.log_in("canary", PASSWORD, address=None)
        api_token = services.accounts.create_api_token(log_in.actor, NewApiToken("canary", tuple(action.value for action in Action)))
        planted["API token"], planted["password"] = api_token.secret.encode(), PASSWORD.encode()
        planted["attribute value"], planted["attribute value, as it is signed"] = value.encode(), _number(encode_attribute(value))

        token, hmac_secret = planted["token of a requestor"].decode(), planted["hmac of a requestor"]
        probe = {"Authorization": token, "Content-Type": "application/json"}
        wait_until(
            lambda: httpx.post(f"{settings.gateway_url}session", content=b"{}", headers=probe).status_code == 400, "the new requestor"
        )
        with WalletClient(WalletFile(tmp_path / "wallet"), demo.published_configuration()) as wallet:
            _run_sessions(settings.gateway_url, wallet, token, hmac_secret, value)
            planted["secret in addresses"] = f"canary-address-{secrets.token_hex(8)}".encode()
            address_secret = planted["secret in addresses"].decode()
            session_secrets = _run_calls(settings.gateway_url, wallet, token, value, address_secret, shop)
        _call_api(settings.console_url, api_token.secret)
        assert _visit_all_pages(settings.console_url) > 20
        arguments = _arguments_of_all_processes()
        metrics = httpx.get(f"http://{metrics_address}/metrics", timeout=30)
        assert metrics.status_code == 200
        recorder.bodies.append(("metrics", metrics.content))

    places = {f"answer to {what}": body for what, body in recorder.bodies}
    places["arguments of the processes"] = arguments
    kept = [path for path in folder.rglob("*") if path.is_file() and path != settings.kek_file and path.name != "wallet.json"]
    places.update({str(path.relative_to(folder)): path.read_bytes() for path in kept})
    assert b"request.answered" in places["logs/serve.log"]
    assert b"callback.failed" in places["logs/serve.log"]
    assert b"irmahub_sessions_ended_total" in places["answer to metrics"]
    assert any(path.endswith(".db") for path in places)
    found = sorted(
        {
            f"{name} in {place}"
            for name, secret in planted.items()
            for form in _forms(secret)
            for place, text in places.items()
            if form in text
        }
    )
    assert found == []
    # Who starts a session or asks for its frontend gets these; nobody else does, and nothing keeps them.
    kept_places = {place: text for place, text in places.items() if not place.startswith("answer to") or place == "answer to metrics"}
    assert [place for place, text in kept_places.items() if any(secret.encode() in text for secret in session_secrets)] == []

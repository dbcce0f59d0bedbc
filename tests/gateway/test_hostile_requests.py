"""Ten thousand mutated requests, JWTs and messages of the app: each is answered or refused, in the reference's shape, by name.

`make test` runs a tenth of them, always the same; `make test-long` runs all.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from werkzeug.test import TestResponse

from tests.support.app_simulator import VERSIONS
from tests.support.gateways import DISCLOSURE, ISSUANCE, SIGNATURE, TOKEN, TestGateway, signing_key_pem
from tests.support.mutants import by_bytes, by_json_field

FULL_COUNT = 10_000
SAMPLE_COUNT = 1_000
SEED = 20_261_127

SECRET = b"0123456789abcdef0123456789abcdef"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EVERYTHING = {"disclose_perms": ["*"], "sign_perms": ["*"], "issue_perms": ["*"], "revoke_perms": ["*"]}
REQUESTORS = {
    "shop": {"auth_method": "token", "key": TOKEN, **EVERYTHING},
    "signer": {"auth_method": "hmac", "key": base64.b64encode(SECRET).decode(), **EVERYTHING},
    "rsa": {
        "auth_method": "publickey",
        "key": RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        **EVERYTHING,
    },
}
REQUESTS: tuple[Mapping[str, Any], ...] = (
    DISCLOSURE,
    ISSUANCE,
    SIGNATURE,
    {"request": DISCLOSURE, "callbackUrl": "https://shop.example/end", "validity": 60, "timeout": 30},
    {"request": ISSUANCE, "nextSession": {"url": "https://shop.example/next"}},
    {**DISCLOSURE, "clientReturnUrl": "https://shop.example/", "augmentReturnUrl": True, "host": "gateway.example"},
    {"type": "disclosing", "content": [{"label": "Level", "attributes": ["irma-demo.RU.studentCard.level"]}]},
    {"@context": "https://irma.app/ld/request/revocation/v1", "type": "irma-demo.MijnOverheid.root", "revocationKey": "key", "issued": 1},
)
CLAIMS = {
    "disclose": ("verification_request", "sprequest"),
    "message": ("signature_request", "absrequest"),
    "credentials": ("issue_request", "iprequest"),
}

#: Texts of the reference that name the field in their own way, or that are about no field: who may do what, and in which state.
_NAMING = (
    "Unknown requestor: ",
    "signature is invalid",
    "crypto/rsa: verification error",
    "illegal base64 data",
    "requestor name was not a string",
    "token is expired by ",
    "token used before issued",
    "token is not valid yet",
    "jwt too old",
)


@dataclass(frozen=True)
class Mutant:
    """One request that is sent.

    Attributes:
        what: which kind it is.
        send: sends it.
        is_misdirected: whether it goes to the endpoint of another kind of session, which is about no field.
    """

    what: str
    send: Callable[[], TestResponse]
    is_misdirected: bool = False


def compact(header: bytes, claims: bytes) -> bytes:
    """A JWT, signed as `alg` of its header says where that can be read."""
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, claims))
    if b"RS256" in header:
        signature = RSA_KEY.sign(text, padding.PKCS1v15(), hashes.SHA256())
    else:
        mac = HMAC(SECRET, hashes.SHA256())
        mac.update(text)
        signature = mac.finalize()
    return text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")


class Mutants:
    """Makes mutants for one gateway.

    Args:
        gateway: what they are sent to.
        random: decides everything.
    """

    def __init__(self, gateway: TestGateway, random: Random) -> None:
        self._gateway = gateway
        self._random = random
        self._client = gateway.client
        self._phone = gateway.phone()
        self._phone.answer(gateway.start(ISSUANCE)["sessionPtr"])
        self._proofs = self._recorded(DISCLOSURE, "proofs")
        self._signature = self._recorded(SIGNATURE, "proofs")
        self._commitments = self._recorded(ISSUANCE, "commitments")

    def _recorded(self, request: Any, endpoint: str) -> bytes:
        sent: list[bytes] = []
        phone = self._phone
        post = phone.post
        phone.post = lambda pointer, where, body: (sent.append(body), post(pointer, where, body))[1]  # type: ignore[method-assign]
        phone.answer(self._gateway.start(request)["sessionPtr"])
        phone.post = post  # type: ignore[method-assign]
        return sent[-1]

    def _changed(self, message: bytes) -> bytes:
        return (by_bytes if self._random.random() < 0.3 else by_json_field)(message, self._random)

    def next(self) -> Mutant:
        """The next one."""
        kind = self._random.choices((self._request, self._jwt, self._answer, self._connect, self._options, self._path), (4, 4, 3, 1, 1, 1))[
            0
        ]
        return kind()

    def _request(self) -> Mutant:
        body = self._changed(json.dumps(self._random.choice(REQUESTS)).encode())
        content_type = self._random.choices(("application/json", "text/plain", "application/xml", ""), (20, 1, 1, 1))[0]
        token = self._random.choices((TOKEN, "", "x"), (20, 1, 1))[0]
        headers = {"Content-Type": content_type} | ({"Authorization": token} if token else {})
        path = self._random.choices(("/session", "/revocation"), (9, 1))[0]
        return Mutant(f"request to {path}", lambda: self._client.post(path, data=body, headers=headers))

    def _jwt(self) -> Mutant:
        request = self._random.choice(REQUESTS[:3])
        subject, claim = next(value for key, value in CLAIMS.items() if key in request and (key != "disclose" or "message" not in request))
        algorithm, name = self._random.choice((("HS256", "signer"), ("RS256", "rsa")))
        header = json.dumps({"alg": algorithm, "typ": "JWT", **({"kid": name} if self._random.random() < 0.5 else {})}).encode()
        now = int(self._gateway.clock().timestamp())
        claims = json.dumps({"iss": name, "iat": now, "exp": now + 60, "sub": subject, claim: {"request": request}}).encode()
        part = self._random.randrange(4)
        if part == 0:
            header = self._changed(header)
        elif part in (1, 2):
            claims = self._changed(claims)
        token = compact(header, claims)
        if part == 3:
            token = by_bytes(token, self._random)
        return Mutant("jwt", lambda: self._client.post("/session", data=token, headers={"Content-Type": "text/plain"}))

    def _answer(self) -> Mutant:
        request, endpoint, message = self._random.choice(
            ((DISCLOSURE, "proofs", self._proofs), (SIGNATURE, "proofs", self._signature), (ISSUANCE, "commitments", self._commitments))
        )
        misdirected = self._random.random() < 0.05
        if misdirected:
            endpoint = "commitments" if endpoint == "proofs" else "proofs"
        pointer = self._gateway.start(request)["sessionPtr"]
        self._phone.connect(pointer)
        body = self._changed(message)
        return Mutant(f"app's {endpoint}", lambda: self._phone.post(pointer, endpoint, body), misdirected)

    def _connect(self) -> Mutant:
        path = self._phone.path(self._gateway.start(DISCLOSURE)["sessionPtr"])
        headers = {
            name: by_bytes(value.encode(), self._random).decode("latin-1").translate({10: None, 13: None, 0: None})
            for name, value in {"Authorization": "aaaaaaaaaaaaaaaaaaaa", **VERSIONS}.items()
            if self._random.random() < 0.9
        }
        return Mutant("app's first request", lambda: self._client.get(path, headers=headers))

    def _options(self) -> Mutant:
        package = self._gateway.start(DISCLOSURE)
        headers = {"Authorization": package["frontendRequest"]["authorization"]}
        options = {"@context": "https://irma.app/ld/request/frontendoptions/v1", "pairingMethod": "pin"}
        body = self._changed(json.dumps(options).encode())
        path = f"{self._phone.path(package['sessionPtr'])}/frontend/options"
        return Mutant("frontend's options", lambda: self._client.post(path, data=body, headers=headers))

    def _path(self) -> Mutant:
        token = self._gateway.start(DISCLOSURE)["token"]
        path = by_bytes(f"/session/{token}/status".encode(), self._random).decode("latin-1")
        method = self._random.choice(("GET", "POST", "DELETE", "PUT"))
        return Mutant("path", lambda: self._client.open("/" + path.lstrip("/").replace("?", ""), method=method))


def fault(answer: TestResponse, *, is_misdirected: bool = False) -> str | None:
    """What is wrong with an answer to a mutant, None where nothing is."""
    if answer.status_code < 400:
        return None
    if answer.status_code in (404, 405) and answer.get_json(silent=True) is None:
        return None  # Unknown paths and wrong methods are answered as by the reference, in plain text or empty.
    body = answer.get_json(silent=True)
    if not isinstance(body, dict) or body.get("status") != answer.status_code or not isinstance(body.get("error"), str):
        return "not in the reference's shape"
    if answer.status_code >= 500 and not _is_told(body):
        return "an error of the server"
    if body["error"] in ("INVALID_REQUEST", "MALFORMED_INPUT") and answer.status_code == 400 and not is_misdirected:
        told = answer.headers.get("X-Error-Hint") or body.get("message") or ""
        if ": " not in told and not told.startswith(_NAMING):
            return "names no field"
    return None


def _is_told(body: Mapping[str, Any]) -> bool:
    """Whether an error above 500 is one that the reference gives on purpose, with its reason."""
    return body["error"] in ("UNSUPPORTED", "NEXT_SESSION", "REVOCATION") or body.get("message") == "Credential index out of range"


def run(gateway: TestGateway, count: int) -> None:
    random = Random(SEED)
    mutants = Mutants(gateway, random)
    answered: dict[int, int] = {}
    faults: dict[str, str] = {}
    for _ in range(count):
        mutant = mutants.next()
        answer = mutant.send()
        answered[answer.status_code] = answered.get(answer.status_code, 0) + 1
        wrong = fault(answer, is_misdirected=mutant.is_misdirected)
        if wrong is not None:
            faults[f"{mutant.what}: {wrong}: {answer.status_code} {answer.text[:300]}"] = wrong
    assert sorted(faults)[:10] == []
    # The mutants reach the rules: some are still good, and most are refused.
    assert answered[200] > count // 50
    assert answered[400] > count // 4


@pytest.fixture
def hostile_gateway(make_gateway: Callable[..., TestGateway]) -> TestGateway:
    return make_gateway(requestors=REQUESTORS, jwt_privkey=signing_key_pem())


@pytest.mark.feature("E5.1")
@pytest.mark.feature("E5.2")
def test_a_thousand_mutants_are_answered_or_refused_by_name(hostile_gateway: TestGateway) -> None:
    run(hostile_gateway, SAMPLE_COUNT)


@pytest.mark.long
@pytest.mark.feature("E5.3")
def test_ten_thousand_mutants_are_answered_or_refused_by_name(hostile_gateway: TestGateway) -> None:
    run(hostile_gateway, FULL_COUNT)

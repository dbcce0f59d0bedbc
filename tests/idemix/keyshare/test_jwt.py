"""The keyshare server's JWTs."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from gmpy2 import mpz

from idemix.errors import (
    IdemixError,
    InvalidSignatureError,
    MalformedKeyError,
    MalformedProofError,
    MalformedSchemeError,
    UnknownIdentifierError,
)
from idemix.keyshare import ProofP, read_proof_p, sign_proof_p
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import SchemeManagerId
from idemix.scheme.keyshare_keys import read_keyshare_key
from tests.support.clock import START
from tests.support.keyshare import SCHEME, server_key
from tests.support.schemes import library_draft, signed
from tests.support.sessions import recorded_configuration

PROOF = ProofP(mpz(5), mpz(6), mpz(7))
NOW = int(START.timestamp())
CLAIMS = {"ProofP": PROOF.to_json(), "iat": NOW, "iss": "keyshare_server", "sub": "ProofP"}


def key(number: int) -> Any:
    return recorded_configuration().keyshare_key(SCHEME, number)


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header: object = None, claims: object = None, sign: Callable[[bytes], bytes] | None = None) -> str:
    """A JWT of JSON values, or of texts that stand for JSON."""
    header = {"alg": "RS256", "kid": "0", "typ": "JWT"} if header is None else header
    parts = [value if isinstance(value, str) else json.dumps(value) for value in (header, CLAIMS if claims is None else claims)]
    text = ".".join(encode(part.encode()) for part in parts)
    if sign is None:

        def sign(data: bytes) -> bytes:
            return server_key().sign(data, padding.PKCS1v15(), hashes.SHA256())

    return f"{text}.{encode(sign(text.encode()))}"


def read(text: str) -> ProofP:
    return read_proof_p(text, key, now=START)


@pytest.mark.parametrize("number", [0, 1])
def test_what_the_server_signs_is_read(number: int) -> None:
    text = sign_proof_p(PROOF, server_key(number), key_number=number, now=START)
    assert read(text) == PROOF
    header = json.loads(base64.urlsafe_b64decode(text.split(".")[0] + "=="))
    assert header == {"alg": "RS256", "kid": str(number), "typ": "JWT"}


@pytest.mark.parametrize(
    ("header", "sign"),
    [
        pytest.param({"alg": "RS256"}, None, id="no kid"),
        pytest.param({"alg": "RS256", "kid": "0", "x": 1}, None, id="a parameter nobody knows"),
        pytest.param({"alg": "RS512"}, lambda data: server_key().sign(data, padding.PKCS1v15(), hashes.SHA512()), id="a longer hash"),
        pytest.param(
            {"alg": "PS256"},
            lambda data: server_key().sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
            id="PSS",
        ),
    ],
)
def test_other_headers_for_rsa(header: object, sign: Callable[[bytes], bytes] | None) -> None:
    assert read(token(header, sign=sign)) == PROOF


@pytest.mark.parametrize(
    "claims",
    [{"exp": NOW + 1}, {"exp": 0}, {"exp": None}, {"nbf": NOW}, {"iat": None}, {"aud": "x", "jti": "y"}, {"z": [1]}],
)
def test_other_claims_do_no_harm(claims: dict[str, object]) -> None:
    assert read(token(claims={**CLAIMS, **claims})) == PROOF


REFUSED: dict[str, tuple[Callable[[], str], type[IdemixError], str | None]] = {
    "another key": (lambda: sign_proof_p(PROOF, server_key(1), key_number=0, now=START), InvalidSignatureError, None),
    "a changed proof": (lambda: changed(1), InvalidSignatureError, None),
    "a changed header": (lambda: changed(0, {"alg": "RS256", "kid": "0"}), InvalidSignatureError, None),
    "no signature": (lambda: token(sign=lambda _: b""), InvalidSignatureError, None),
    "a key that is not there": (lambda: token({"alg": "RS256", "kid": "2"}), MalformedSchemeError, None),
    "kid a number": (lambda: token({"alg": "RS256", "kid": 0}), MalformedProofError, "keyshare-jwt"),
    "kid null": (lambda: token({"alg": "RS256", "kid": None}), MalformedProofError, "keyshare-jwt"),
    "kid with a sign": (lambda: token({"alg": "RS256", "kid": "+0"}), MalformedProofError, "keyshare-jwt"),
    "kid with a leading zero": (lambda: token({"alg": "RS256", "kid": "00"}), MalformedProofError, "keyshare-jwt"),
    "kid a path": (lambda: token({"alg": "RS256", "kid": "../0"}), MalformedProofError, "keyshare-jwt"),
    "kid empty": (lambda: token({"alg": "RS256", "kid": ""}), MalformedProofError, "keyshare-jwt"),
    "no alg": (lambda: token({"kid": "0"}), MalformedProofError, None),
    "alg none": (lambda: token({"alg": "none"}, sign=lambda _: b""), MalformedProofError, None),
    "alg HS256": (lambda: token({"alg": "HS256"}), MalformedProofError, None),
    "alg ES256": (lambda: token({"alg": "ES256"}), MalformedProofError, None),
    "alg RS1": (lambda: token({"alg": "RS1"}), MalformedProofError, None),
    "alg a list": (lambda: token({"alg": ["RS256"]}), MalformedProofError, None),
    "alg of another hash": (lambda: token({"alg": "RS384"}), InvalidSignatureError, None),
    "crit": (lambda: token({"alg": "RS256", "crit": []}), MalformedProofError, "keyshare-jwt"),
    "b64": (lambda: token({"alg": "RS256", "b64": False}), MalformedProofError, "keyshare-jwt"),
    "header a list": (lambda: token([]), MalformedProofError, None),
    "alg twice": (lambda: token('{"alg":"RS256","alg":"RS256"}'), MalformedProofError, "doubled-key"),
    "ProofP twice": (lambda: token(claims=CLAIMS | {"proofp": {}}), MalformedProofError, "doubled-key"),
    "claims that go on": (lambda: token(claims=json.dumps(CLAIMS) + "{}"), MalformedProofError, "keyshare-jwt"),
    "expired": (lambda: token(claims={**CLAIMS, "exp": NOW}), InvalidSignatureError, None),
    "not yet issued": (lambda: token(claims={**CLAIMS, "iat": NOW + 1}), InvalidSignatureError, None),
    "not yet valid": (lambda: token(claims={**CLAIMS, "nbf": NOW + 1}), InvalidSignatureError, None),
    "iat a fraction": (lambda: token(claims={**CLAIMS, "iat": NOW + 0.5}), MalformedProofError, None),
    "aud a list": (lambda: token(claims={**CLAIMS, "aud": ["x"]}), MalformedProofError, None),
    "an access token": (lambda: token(claims={**CLAIMS, "sub": "auth_tok"}), MalformedProofError, "keyshare-jwt"),
    "no subject": (lambda: token(claims={**CLAIMS, "sub": None}), MalformedProofError, "keyshare-jwt"),
    "no proof": (lambda: token(claims={**CLAIMS, "ProofP": None}), MalformedProofError, None),
    "a proof of another kind": (lambda: token(claims={**CLAIMS, "ProofP": {"c": 1, "x": 1}}), MalformedProofError, "unknown-proof-key"),
    "two parts": (lambda: token().rpartition(".")[0], MalformedProofError, None),
    "four parts": (lambda: token() + ".x", MalformedProofError, None),
    "padded": (lambda: token() + "==", MalformedProofError, None),
    "a line end": (lambda: token() + "\n", MalformedProofError, "keyshare-jwt"),
    "not base64": (lambda: "é.é.é", MalformedProofError, None),
    "not UTF-8": (lambda: f"{encode(b'{}')}.{encode(bytes([0xff]))}.x", MalformedProofError, None),
    "empty": (lambda: "", MalformedProofError, None),
}  # fmt: skip


def changed(part: int, value: object = None) -> str:
    """A JWT of which one part is another's."""
    parts, others = token().split("."), token(value, {**CLAIMS, "ProofP": ProofP(mpz(5), mpz(8)).to_json()}).split(".")
    parts[part] = others[part]
    return ".".join(parts)


@pytest.mark.parametrize("label", REFUSED)
def test_refused(label: str) -> None:
    make, error, departure = REFUSED[label]
    with pytest.raises(error) as refusal:
        read(make())
    assert refusal.value.departure == departure


class TestKeys:
    """The keys come from the scheme's signed files."""

    def test_a_scheme_that_is_not_there(self) -> None:
        with pytest.raises(UnknownIdentifierError):
            recorded_configuration().keyshare_key(SchemeManagerId("nowhere"), 0)

    def configuration(self, files: dict[str, bytes], unlisted: dict[str, bytes]) -> Configuration:
        draft = library_draft(keyshare_server="https://example.com/kss", keyshare_attribute="tiny.Library.card.number")
        tree = signed(draft.with_files(files)).with_files(unlisted)
        configuration, problems = Configuration.load([tree], now=NOW)
        assert not problems
        return configuration

    def test_only_listed_files_are_keys(self) -> None:
        pem = recorded_configuration().tree(SCHEME)["kss-0.pem"]
        configuration = self.configuration({"kss-0.pem": pem, "kss-1.pem": b"no key"}, {"kss-2.pem": pem})
        tiny = SchemeManagerId("tiny")
        assert configuration.keyshare_key(tiny, 0) is configuration.keyshare_key(tiny, 0)
        with pytest.raises(MalformedKeyError):
            configuration.keyshare_key(tiny, 1)
        with pytest.raises(MalformedSchemeError) as refusal:
            configuration.keyshare_key(tiny, 2)
        assert refusal.value.departure == "unsigned-content"
        with pytest.raises(MalformedSchemeError):
            configuration.keyshare_key(tiny, 3)

    def test_a_key_of_another_kind_is_refused(self) -> None:
        with pytest.raises(MalformedKeyError, match="RSA"):
            read_keyshare_key(recorded_configuration().tree(SCHEME)["pk.pem"], "kss-0.pem")

"""Keys of requestors: what is read, what is made, what is weak and what is refused."""

import base64
import json
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from gateway.inputs import InvalidInputError
from gateway.models import AuthMethod, JwtAlgorithm
from gateway.requestors.directory import hash_token
from gateway.requestors.key_material import KeyMaterial, published_keys, read_or_make, read_public_key
from tests.support.clock import START

PEPPER = bytes(range(32))


def read(method: AuthMethod, material: str = "") -> KeyMaterial:
    return read_or_make(method, material, pepper=PEPPER)


def refused(method: AuthMethod, material: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        read(method, material)
    assert list(caught.value.errors) == ["material"]
    return caught.value.errors["material"]


@lru_cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(key: Any) -> str:
    text: str = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return text


def number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).rstrip(b"=").decode()


def jwk(**changed: Any) -> str:
    numbers = rsa_key().public_key().public_numbers()
    return json.dumps({"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)} | changed)


def test_made_tokens_have_256_bits_and_are_stored_as_hashes() -> None:
    first, second = read(AuthMethod.TOKEN), read(AuthMethod.TOKEN)
    assert first.made is not None
    assert first.made != second.made
    assert len(base64.urlsafe_b64decode(first.made + "=")) == 32
    assert first.token_hash == hash_token(first.made, PEPPER)
    assert (first.secret, first.public_key, first.warnings) == (None, None, ())
    assert first.made not in repr(first)


def test_fingerprint_of_a_token_is_not_its_hash() -> None:
    material = read(AuthMethod.TOKEN, "x" * 40)
    assert material.token_hash is not None
    assert not material.token_hash.hex().startswith(material.fingerprint)
    assert material.made is None


def test_short_tokens_work_and_are_flagged() -> None:
    assert "could be guessed" in read(AuthMethod.TOKEN, "secret").warnings[0]
    assert read(AuthMethod.TOKEN, "x" * 22).warnings == ()


@pytest.mark.parametrize("token", ["with\nline", " blank", "blank ", "naïve", "a\x00b"])
def test_tokens_that_no_header_carries_are_refused(token: str) -> None:
    assert "travels in a header" in refused(AuthMethod.TOKEN, token)


def test_made_secrets_have_256_bits() -> None:
    material = read(AuthMethod.HMAC)
    assert material.made is not None
    assert material.secret == base64.b64decode(material.made)
    assert len(material.secret) == 32
    assert material.token_hash is None
    assert material.warnings == ()


@pytest.mark.parametrize("text", ["+/+/" * 11, "-_-_" * 11, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "A" * 43])
def test_secrets_come_in_both_alphabets_padded_or_not(text: str) -> None:
    secret = read(AuthMethod.HMAC, text).secret
    assert secret is not None
    assert len(secret) >= 32


def test_short_secrets_are_flagged_and_empty_or_other_ones_refused() -> None:
    assert "fewer than 32 bytes" in read(AuthMethod.HMAC, "c2hvcnQ=").warnings[0]
    assert "must be base64" in refused(AuthMethod.HMAC, "not base64!")
    assert "must not be empty" in refused(AuthMethod.HMAC, "\n")


def test_public_keys_come_as_pem_certificate_or_jwk() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "backend")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(rsa_key().public_key()).serial_number(1)
    certificate = builder.not_valid_before(START).not_valid_after(START + timedelta(1)).sign(rsa_key(), SHA256())
    found = {read(AuthMethod.PUBLICKEY, text) for text in (pem(rsa_key()), jwk(), certificate.public_bytes(Encoding.PEM).decode())}
    (material,) = found
    assert material.public_key == pem(rsa_key())
    assert read_public_key(material.public_key).public_numbers() == rsa_key().public_key().public_numbers()
    assert material.warnings == ()


def test_small_keys_are_flagged_and_tiny_ones_refused() -> None:
    material = read(AuthMethod.PUBLICKEY, pem(rsa_key(1024)))
    assert material.warnings == ("the RSA key has 1024 bits, fewer than 2048; replace it",)
    tiny = json.dumps({"kty": "RSA", "n": number((1 << 511) + 1), "e": "AQAB"})
    assert "must have 1024 to 16384 bits" in refused(AuthMethod.PUBLICKEY, tiny) or "must be the PEM or JWK" in refused(
        AuthMethod.PUBLICKEY, tiny
    )
    huge = json.dumps({"kty": "RSA", "n": number((1 << 20_000) + 1), "e": "AQAB"})
    refused(AuthMethod.PUBLICKEY, huge)


def test_private_keys_are_refused_with_the_advice() -> None:
    private = rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for text in (private, jwk(d="AQAB")):
        assert "this is a private key; keep it to yourself" in refused(AuthMethod.PUBLICKEY, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "{",
        "{}",
        jwk(kty="EC"),
        jwk(n=7),
        jwk(e="!"),
        jwk(n=""),
        jwk(e="Ag"),
        '{"kty": "RSA", "n": ' + "[" * 50_000,
        "{" + "x" * 70_000,
        pem(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=range(14),
)
def test_everything_else_is_refused(text: str) -> None:
    assert refused(AuthMethod.PUBLICKEY, text)


def test_each_kind_of_key_has_its_one_algorithm() -> None:
    curve, edwards = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    point = curve.public_key().public_numbers()
    octets = base64.urlsafe_b64encode(edwards.public_key().public_bytes_raw()).rstrip(b"=").decode()
    coordinates = {
        name: base64.urlsafe_b64encode(value.to_bytes(32)).rstrip(b"=").decode() for name, value in (("x", point.x), ("y", point.y))
    }
    for texts, algorithm in (
        ((pem(rsa_key()), jwk(alg="RS256", use="sig")), JwtAlgorithm.RS256),
        ((pem(curve), json.dumps({"kty": "EC", "crv": "P-256", **coordinates})), JwtAlgorithm.ES256),
        ((pem(edwards), json.dumps({"kty": "OKP", "crv": "Ed25519", "x": octets})), JwtAlgorithm.EDDSA),
    ):
        found = {read(AuthMethod.PUBLICKEY, text) for text in texts}
        assert [one.algorithm for one in found] == [algorithm], algorithm
    assert read(AuthMethod.HMAC).algorithm is JwtAlgorithm.HS256
    assert read(AuthMethod.TOKEN).algorithm is None


def test_a_jwk_may_name_itself() -> None:
    assert read(AuthMethod.PUBLICKEY, jwk(kid="2026-11")).kid == "2026-11"
    assert read(AuthMethod.PUBLICKEY, jwk()).kid is None
    assert "kid of a JWK is text" in refused(AuthMethod.PUBLICKEY, jwk(kid=5))


@pytest.mark.parametrize(
    "text",
    [
        jwk(alg="PS256"),
        jwk(alg="HS256"),
        jwk(use="enc"),
        json.dumps({"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}),
        json.dumps({"kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ"}),
        json.dumps({"kty": "OKP", "crv": "Ed25519", "x": "AQ"}),
        json.dumps({"kty": "OKP", "crv": "X25519", "x": "AQ"}),
        json.dumps({"kty": "oct", "k": "AQ"}),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(x25519.X25519PrivateKey.generate()),
    ],
    ids=range(10),
)
def test_keys_for_something_else_are_refused(text: str) -> None:
    assert "must be the PEM or JWK of an RSA key" in refused(AuthMethod.PUBLICKEY, text)


def test_a_curve_that_nobody_knows_is_a_fault_of_the_key() -> None:
    # A SubjectPublicKeyInfo of an elliptic curve whose object identifier is 1.2.3.4.
    unknown = bytes.fromhex("301a300e06072a8648ce3d020106032a0304030800040102030405060708")[:28]
    text = f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(unknown).decode()}\n-----END PUBLIC KEY-----\n"
    assert "must be the PEM or JWK" in refused(AuthMethod.PUBLICKEY, text)
    brainpool = pem(ec.generate_private_key(ec.BrainpoolP256R1()))
    assert "must be the PEM or JWK" in refused(AuthMethod.PUBLICKEY, brainpool)


@pytest.mark.parametrize(
    "url",
    ["http://shop.example/jwks", "https:///jwks", "https://a@b/", "https://shop.example/#f", "https://shop.example/ä", "https://x:0/", ""],
)
def test_published_keys_stand_at_an_https_address(url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        published_keys(url)
    assert list(caught.value.errors) == ["jwks_url"]
    assert published_keys("https://shop.example/jwks.json?v=1").jwks_url == "https://shop.example/jwks.json?v=1"

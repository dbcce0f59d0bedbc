"""Keys of requestors: what is read, what is made, what is weak and what is refused."""

import base64
import json
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from gateway.inputs import InvalidInputError
from gateway.models import AuthMethod
from gateway.requestors.directory import hash_token
from gateway.requestors.key_material import KeyMaterial, read_or_make, read_public_key
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
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
    ids=range(14),
)
def test_everything_else_is_refused(text: str) -> None:
    assert refused(AuthMethod.PUBLICKEY, text)

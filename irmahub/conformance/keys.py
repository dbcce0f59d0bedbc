"""Vectors of system parameters and key files (keys.json)."""

import base64
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from gmpy2 import mpz

from idemix.errors import MalformedKeyError
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.params import params_for
from irmahub.conformance.core import Case, Context, Departed, expect_equal, judge

_PARAMETER_NAMES = {
    "Ln": "l_n",
    "Lm": "l_m",
    "Lh": "l_h",
    "Lstatzk": "l_statzk",
    "Le": "l_e",
    "LePrime": "l_e_prime",
    "LeCommit": "l_e_commit",
    "LmCommit": "l_m_commit",
    "LRA": "l_ra",
    "LsCommit": "l_s_commit",
    "Lv": "l_v",
    "LvCommit": "l_v_commit",
    "LvPrime": "l_v_prime",
    "LvPrimeCommit": "l_v_prime_commit",
}


def matches(document: Mapping[str, Any]) -> bool:
    """Whether the file holds key files."""
    return "parse_variants" in document or "system_parameters" in document


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:  # noqa: ARG001 - every shape is called alike
    """Yield the cases of the file."""
    for bits, record in document.get("system_parameters", {}).items():
        yield Case("system_parameters", bits, functools.partial(_parameters, int(bits), record))
    for record in document.get("keys", []):
        yield Case("keys", record["name"], functools.partial(_key, record))
    for record in document.get("parse_variants", []):
        yield Case("parse_variants", record["name"], functools.partial(_variant, record))


def _parameters(bits: int, record: Mapping[str, int]) -> None:
    parameters = params_for(bits)
    for name, value in record.items():
        expect_equal(name, getattr(parameters, _PARAMETER_NAMES[name]), value)


def _key(record: Mapping[str, Any]) -> None:
    public = PublicKey.from_xml(record["public_xml"].encode())
    _compare_public(public, record["public"])
    written = public.to_xml()
    if "public_xml_reserialised" in record:
        expect_equal("public XML", written.decode(), record["public_xml_reserialised"])
    expect_equal("public key read again", PublicKey.from_xml(written), public)
    if "private_xml" not in record:
        return
    private = PrivateKey.from_xml(record["private_xml"].encode())
    _compare_private(private, record["private"])
    expect_equal("private XML", private.to_xml().decode(), record["private_xml_reserialised"])


def _compare_public(key: PublicKey, recorded: Mapping[str, Any]) -> None:
    numbers = {"n": key.N, "Z": key.Z, "S": key.S, "G": key.G, "H": key.H}
    for name, value in numbers.items():
        if name in recorded:
            expect_equal(name, value, mpz(recorded[name]))
    expect_equal("R", key.R, tuple(mpz(value) for value in recorded["R"]))
    plain = {
        "bits": key.N.bit_length(),
        "counter": key.counter,
        "expiry": key.expires_at,
        "epoch_length": key.epoch_length,
        "revocation_supported": key.supports_revocation,
        "Lm": key.params.l_m,
    }
    for name, number in plain.items():
        if name in recorded:
            expect_equal(name, number, recorded[name])
    if "ecdsa_base64_der" in recorded:
        expect_equal("ECDSA", key.ecdsa, base64.b64decode(recorded["ecdsa_base64_der"]))
        point = load_der_public_key(key.ecdsa or b"")
        assert isinstance(point, ec.EllipticCurvePublicKey)  # noqa: S101 - reading the key has checked it
        numbers_of_point = point.public_numbers()
        expect_equal("ECDSA point", (numbers_of_point.x, numbers_of_point.y), (int(recorded["ecdsa_x"]), int(recorded["ecdsa_y"])))


def _compare_private(key: PrivateKey, recorded: Mapping[str, Any]) -> None:
    numbers = {"p": key.p, "q": key.q, "p_prime": key.p >> 1, "q_prime": key.q >> 1, "n": key.N, "order": key.order}
    for name, value in numbers.items():
        expect_equal(name, value, mpz(recorded[name]))
    expect_equal("counter", key.counter, recorded["counter"])
    expect_equal("expiry", key.expires_at, recorded["expiry"])
    if "ecdsa_base64_der" in recorded:
        expect_equal("ECDSA", key.ecdsa, base64.b64decode(recorded["ecdsa_base64_der"]))
        scalar = load_der_private_key(key.ecdsa or b"", password=None)
        assert isinstance(scalar, ec.EllipticCurvePrivateKey)  # noqa: S101 - reading the key has checked it
        expect_equal("ECDSA scalar", scalar.private_numbers().private_value, int(recorded["ecdsa_d"]))


def _variant(record: Mapping[str, Any]) -> Departed | None:
    verdict = record["verdict"]
    key: PublicKey | PrivateKey
    try:
        if record["kind"] == "public":
            key = PublicKey.from_xml(record["xml"].encode())
        else:
            key = PrivateKey.from_xml(record["xml"].encode(), demo=record["demo"])
    except MalformedKeyError as error:
        return judge(record, accepted=verdict == "accepted", crashed=verdict == "panic", error=error)
    outcome = judge(record, accepted=verdict == "accepted", crashed=verdict == "panic", error=None)
    if isinstance(key, PublicKey) and "parsed" in record:
        recorded = record["parsed"]
        for name, value in (("S", key.S), ("Z", key.Z)):
            expect_equal(name, value, mpz(recorded[name]))
        expect_equal("bases", len(key.R), recorded["bases"])
        expect_equal("counter", key.counter, recorded["counter"])
        expect_equal("expiry", key.expires_at, recorded["expiry"])
        expect_equal("bits", key.N.bit_length(), recorded["bits"])
        expect_equal("revocation", key.supports_revocation, recorded["revocation_supported"])
    return outcome

"""Vectors of attributes and metadata (attributes.json)."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from gmpy2 import mpz

from gateway.scheme_files import read_configuration
from idemix.challenge import signature_nonce
from idemix.cl.signature import attribute_exponent
from idemix.credential.attributes import (
    credential_hash,
    decode_attribute,
    decode_attribute_bytes,
    decode_random_blind,
    encode_attribute,
)
from idemix.credential.metadata import WEEK_SECONDS, MetadataAttribute, credential_type_hash, floor_to_week
from idemix.errors import IdemixError, MalformedAttributeError
from idemix.params import params_for
from idemix.request.attribute_list import attribute_list
from idemix.request.issuance import CredentialRequest
from idemix.scheme.configuration import Configuration
from irmahub.conformance.core import Case, Context, Departed, Mismatch, expect_equal, judge

Record = Mapping[str, Any]

#: Moduli whose parameters have these lengths of attribute.
_MODULUS_BITS = {"exponent_lm256": 2048, "exponent_lm512": 4096}


def matches(document: Record) -> bool:
    """Whether the file holds attributes."""
    return "string_to_integer" in document or "metadata_encode" in document


def cases(document: Record, context: Context) -> Iterator[Case]:
    """Yield the cases of the file."""
    groups = {
        "string_to_integer": _encode,
        "integer_to_string": _decode,
        "metadata_encode": _metadata_encode,
        "metadata_decode": _metadata_decode,
        "credential_type_hash": _type_hash,
        "epoch_floor": _floor,
        "validity": _validity,
        "signature_nonce": _signature_nonce,
    }
    for group, run in groups.items():
        for record in document.get(group, []):
            yield Case(group, record["name"], functools.partial(run, record))

    @functools.cache
    def configuration() -> Configuration:
        return read_configuration(context.schemes / "testdata" / "irma_configuration", now=0)[0]

    for record in document.get("attribute_lists", []):
        yield Case("attribute_lists", record["name"], lambda record=record: _attribute_list(record, configuration()))


def _encode(record: Record) -> None:
    version = record["metadata_version"]
    integer = encode_attribute(record["value"], version)
    expect_equal("integer", integer, mpz(record["integer"]))
    expect_equal("bits", integer.bit_length(), record["bits"])
    expect_equal("decoded", decode_attribute(integer, version), record["decoded"])
    expect_equal("round trip", decode_attribute(integer, version) == record["value"], record["roundtrip"])
    for name, bits in _MODULUS_BITS.items():
        expect_equal(name, attribute_exponent(integer, params_for(bits)), mpz(record[name]))


def _decode(record: Record) -> None:
    integer = mpz(record["integer"])
    if record.get("random_blind"):
        expect_equal("base 62", decode_random_blind(integer), record["decoded_base62"])
        return
    data = decode_attribute_bytes(integer, record["metadata_version"])
    expect_equal("bytes", None if data is None else data.hex(), record["decoded_utf8_hex"])


def _metadata_encode(record: Record) -> Departed | None:
    try:
        metadata = MetadataAttribute.create(
            record["credential_type"],
            signed_at=record["signing_time"],
            expires_at=record["expiry"],
            key_counter=record["key_counter"],
            version=record["version"],
        )
    except MalformedAttributeError as error:
        return _judge_metadata(record, error)
    judge(record, accepted="error" not in record, error=None)
    expect_equal("integer", metadata.encode(), mpz(record["integer"]))
    _compare_metadata(metadata, record["decoded"])
    return None


def _metadata_decode(record: Record) -> Departed | None:
    integer = mpz(record["integer"])
    try:
        metadata = MetadataAttribute.decode(integer)
    except MalformedAttributeError as error:
        return _judge_metadata(record, error)
    expect_equal("bytes", integer.to_bytes(24, "big").hex(), record["bytes_hex"])
    # Of the signing date's three bytes the first is passed over, so it does not come back.
    expect_equal("encoded again", metadata.encode().to_bytes(24, "big").hex(), record["bytes_hex"][:2] + "00" + record["bytes_hex"][4:])
    _compare_metadata(metadata, record["decoded"])
    return None


def _judge_metadata(record: Record, error: MalformedAttributeError) -> Departed | None:
    """Judge a refusal. Numbers that do not fit the 24 bytes are refused by rule in every case: `spec/attributes.md`, section 2."""
    if "error" not in record and error.departure == "metadata-range":
        return Departed(error.departure)
    return judge(record, accepted="error" not in record, error=error)


def _compare_metadata(metadata: MetadataAttribute, recorded: Record) -> None:
    ours = {
        "version": metadata.version,
        "signing_date": metadata.signed_at,
        "validity_weeks": metadata.validity_weeks,
        "expiry": metadata.expires_at,
        "key_counter": metadata.key_counter,
        "credential_type_hash_hex": metadata.credential_type_hash.hex(),
    }
    expect_equal("fields", ours, {name: recorded[name] for name in ours})


def _type_hash(record: Record) -> None:
    expect_equal("hash", credential_type_hash(record["credential_type"]).hex(), record["hash_hex"])


def _floor(record: Record) -> None:
    floor = floor_to_week(record["unix"])
    expect_equal("floor", floor, record["floor_to_epoch_boundary"])
    expect_equal("floor as text", str(floor), record["timestamp_floor"])
    expect_equal("remainder", floor % WEEK_SECONDS, 0)


def _validity(record: Record) -> None:
    metadata = MetadataAttribute.decode(mpz(record["metadata"]))
    expect_equal("expiry", metadata.expires_at, record["expiry"])
    expect_equal("is valid", metadata.is_valid_on(record["moment"]), record["is_valid_on"])
    expect_equal("has expired", metadata.expires_at < record["moment"], record["expired_in_proof_check"])


def _signature_nonce(record: Record) -> None:
    if record["timestamp"] is not None:
        raise Mismatch("a case with a time stamp, which this shape has not had")
    expect_equal("nonce", signature_nonce(mpz(record["nonce"]), record["message"]), mpz(record["signature_nonce"]))


def _attribute_list(record: Record, configuration: Configuration) -> Departed | None:
    request = CredentialRequest.read(record["credential_request"], "credential_request")
    credential_type = configuration.credential_types.get(request.credential_type)
    if credential_type is None:
        expect_equal("error", "unknownIdentifier", record.get("error_type"))
        return None
    version, e = record["metadata_version"], record["revocation_attribute"]
    try:
        integers = attribute_list(
            request,
            credential_type,
            signed_at=record["issued_at"],
            version=version,
            revocation_attribute=None if e is None else mpz(e),
        )
    except IdemixError as error:
        return judge(record, accepted="error" not in record, error=error)
    judge(record, accepted="error" not in record, error=None)
    recorded = tuple(None if value is None else mpz(value) for value in record["integers_without_secret_key"])
    expect_equal("integers", integers, recorded)
    expect_equal("hash", credential_hash(integers), record["credential_hash"])
    info = record["credential_info"]
    metadata = MetadataAttribute.decode(integers[0] or mpz(0))
    expect_equal("signing", (metadata.signed_at, metadata.expires_at), (info["SignedOn"], info["Expires"]))
    values = {}
    for kind, integer in zip(credential_type.attributes, integers[1:], strict=True):
        if not kind.revocation:
            text = None if integer is None else decode_attribute(integer, version)
            values[str(kind.id)] = None if text is None else {"": text, "en": text, "nl": text}
    expect_equal("values", values, info["Attributes"])
    return None

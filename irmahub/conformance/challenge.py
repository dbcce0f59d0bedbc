"""Vectors of hashes and of integers in JSON (challenge.json)."""

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from gmpy2 import mpz

from idemix.challenge import commitment_der, create_challenge, hash_bytes, hash_commit, hash_integer, hash_number
from idemix.errors import MalformedProofError
from idemix.integers import decode_integer, encode_integer, integer_from_bytes
from idemix.json_text import parse_json
from irmahub.conformance.core import Case, Context, Departed, Mismatch, expect_equal, judge
from irmahub.conformance.reasons import expect_class


def matches(document: Mapping[str, Any]) -> bool:
    """Whether the file holds hashes of integers."""
    return "hash_commit" in document


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:  # noqa: ARG001 - every shape is called alike
    """Yield the cases of the file."""
    groups = {
        "hash_commit": _hash_commit,
        "create_challenge": _create_challenge,
        "int_hash_sha256": _hash_integer,
        "get_hash_number": _hash_number,
        "bigint_json": _integer_json,
    }
    for group, run in groups.items():
        for record in document.get(group, []):
            yield Case(group, record["name"], functools.partial(run, record))


def _hash_commit(record: Mapping[str, Any]) -> None:
    values = [mpz(value) for value in record["values"]]
    if "der_hex" in record:
        expect_equal("DER", commitment_der(values, record["issig"]).hex(), record["der_hex"])
    expect_equal("hash", hash_commit(values, record["issig"]), mpz(record["hash"]))


def _create_challenge(record: Mapping[str, Any]) -> None:
    contributions = [mpz(value) for value in record["contributions"]]
    challenge = create_challenge(mpz(record["context"]), mpz(record["nonce"]), contributions, record["issig"])
    expect_equal("challenge", challenge, mpz(record["challenge"]))


def _hash_integer(record: Mapping[str, Any]) -> None:
    data = bytes.fromhex(record["input_hex"])
    expect_equal("hash of bytes", hash_bytes(data), mpz(record["hash"]))
    if data[:1] != b"\0":
        expect_equal("hash of the integer", hash_integer(integer_from_bytes(data)), mpz(record["hash"]))


def _hash_number(record: Mapping[str, Any]) -> None:
    values = [mpz(record[name]) for name in ("a", "b") if record[name] is not None]
    expect_equal("result", hash_number(values, record["index"], record["bitlen"]), mpz(record["result"]))


def _integer_json(record: Mapping[str, Any]) -> Departed | None:
    if "marshal_error" in record:
        try:
            encode_integer(mpz(record["value"]))
        except ValueError:
            return None
        raise Mismatch("wrote a negative integer")
    try:
        parsed = parse_json(record["json"], "value")
        value = None if parsed is None else decode_integer(parsed, "value")
    except MalformedProofError as error:
        if "error" in record:
            expect_class(record["error"], error)
        return judge(record, accepted="error" not in record, error=error)
    outcome = judge(record, accepted="error" not in record, error=None)
    expect_equal("value", value, None if record["value"] is None else mpz(record["value"]))
    if value is not None and "reserialised" in record:
        expect_equal("JSON", json.dumps(encode_integer(value)), record["reserialised"])
    return outcome

"""Vectors of CL signatures (cl.json)."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from gmpy2 import mpz

from idemix.cl.signature import CLSignature, represent_to_bases
from idemix.errors import IdemixError
from idemix.keys.public import PublicKey
from irmahub.conformance.core import Case, Context, Departed, expect_equal, judge


class _GivenBits:
    """A source of randomness that gives one recorded integer."""

    def __init__(self, value: mpz) -> None:
        self._value = value

    def bits(self, length: int) -> mpz:  # noqa: ARG002 - the record has chosen
        return self._value

    def below(self, bound: int | mpz) -> mpz:  # noqa: ARG002
        return self._value


def matches(document: Mapping[str, Any]) -> bool:
    """Whether the file holds CL signatures."""
    return "represent_to_bases" in document or any(
        "messages" in record for record in document.get("cases", []) if isinstance(record, Mapping)
    )


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:  # noqa: ARG001 - every shape is called alike
    """Yield the cases of the file."""
    keys = {name: PublicKey.from_xml(key["public_xml"].encode()) for name, key in document["public_keys"].items()}
    for record in document.get("cases", []):
        yield Case("cases", record["name"], functools.partial(_signature, record, keys))
    for record in document.get("represent_to_bases", []):
        yield Case("represent_to_bases", record["name"], functools.partial(_represent, record, keys))


def _read(record: Mapping[str, str | None]) -> CLSignature:
    keyshare_p = record.get("KeyshareP")
    return CLSignature(
        A=mpz(record["A"] or 0),
        e=mpz(record["e"] or 0),
        v=mpz(record["v"] or 0),
        keyshare_p=None if keyshare_p is None else mpz(keyshare_p),
    )


def _signature(record: Mapping[str, Any], keys: Mapping[str, PublicKey]) -> Departed | None:
    key = keys[record["public_key"]]
    signature = _read(record["signature"])
    if "r" in record:
        base = _read(record["base_signature"])
        expect_equal("randomized signature", base.randomize(key, _GivenBits(mpz(record["r"]))), signature)
    error: IdemixError | None = None
    try:
        signature.verify(key, [mpz(message) for message in record["messages"]])
    except IdemixError as refusal:
        error = refusal
    verdict = record["expected"]["verdict"]
    return judge(record, accepted=verdict == "valid", crashed=verdict == "panic", error=error)


def _represent(record: Mapping[str, Any], keys: Mapping[str, PublicKey]) -> None:
    exponents = {index: mpz(value) for index, value in enumerate(record["exponents"])}
    expect_equal("product", represent_to_bases(keys[record["public_key"]], exponents), mpz(record["result"]))

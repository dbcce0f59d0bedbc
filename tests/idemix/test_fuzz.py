"""Hostile input: mutants of proof lists, commitments, keys, revocation updates and requests.

None may be accepted that is not equal in meaning to the original, and none may end in anything but the documented errors.
`make fuzz` runs 100,000; `make test` a sample that is always the same.
"""

import json
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from gmpy2 import mpz

from idemix.cl.signature import sign
from idemix.credential.credential import Credential, generate_secret_key
from idemix.errors import IdemixError, MalformedKeyError, MalformedProofError, MalformedRequestError, VerificationError
from idemix.issuance.messages import IssueCommitmentMessage
from idemix.json_text import parse_json
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.proofs import CommitmentBuilder, ProofD, ProofList, ProofU, build_proof_list, verify_proof_list
from idemix.rangeproof import AT_LEAST, Statement
from idemix.request import parse_session_request
from idemix.revocation import Accumulator, Update
from tests.idemix.revocation.chain import make_chain
from tests.support.keys import key_pair
from tests.support.mutants import by_bytes, by_json_field, by_xml_element
from tests.support.randomness import SeededRandom
from tests.support.sessions import STUDENT_CARD, disclosure, issuance, signature

FULL_COUNT = 100_000
SAMPLE_COUNT = 2_000
#: No mutant may take longer; an honest proof list takes some milliseconds.
MOST_SECONDS = 2.0

RANDOM = SeededRandom("fuzz")
PAIR = key_pair("issuer-1024")
KEY = PAIR.public
SECRET = generate_secret_key(RANDOM)
BLIND = {3, 5}
#: The bases of the revocation attribute, and of the attribute that a range proof is about.
REVOCATION, RANGE = 4, 6
CHAIN = make_chain(3)
WITNESS = CHAIN.witnesses[-1]
#: Three events, the last of which leads to the accumulator.
UPDATE = CHAIN.update(1, 3)
# The credential uses every base: an attribute of value 0 after the last would make no difference.
VALUES = (SECRET, *(WITNESS.e if index == REVOCATION else mpz(1000 + index) for index in range(1, len(KEY.R))))
SESSION = {"context": mpz(1), "nonce": mpz(31415926), "is_signature": False}
PROOFS = build_proof_list(
    [
        Credential(KEY, sign(PAIR.private, KEY, VALUES, RANDOM), VALUES).disclosure_builder(
            {1, 2}, RANDOM, {RANGE: [Statement(AT_LEAST, mpz(18))]}, witness=WITNESS, revocation_index=REVOCATION
        ),
        CommitmentBuilder.create(KEY, SECRET, BLIND, RANDOM),
    ],
    **SESSION,
    random=RANDOM,
)


def verify(proofs: ProofList, key: PublicKey = KEY) -> None:
    verify_proof_list(
        proofs, [key, key], **SESSION, blind_indices=[None, BLIND], revocation_indices=[REVOCATION, None], require_metadata=True
    )


def read_proofs(data: bytes) -> list[ProofD | ProofU]:
    proofs = ProofList.from_json(parse_json(data, "proofs"))
    verify(proofs)
    return list(map(meaning_of, proofs))


def meaning_of(proof: ProofD | ProofU) -> ProofD | ProofU:
    """The proof without the length of roots in its range proofs: it bounds responses, and is part of no statement or equation."""
    if isinstance(proof, ProofU):
        return proof
    parts = {
        index: tuple(replace(part, structure=replace(part.structure, l_d=0)) for part in parts)
        for index, parts in proof.range_proofs.items()
    }
    return replace(proof, range_proofs=parts)


def read_commitments(data: bytes) -> list[ProofD | ProofU]:
    """What a commitment message proves. The holder's nonce, its indices and the keyshare servers' JWTs are bound by no proof."""
    proofs = IssueCommitmentMessage.from_json(parse_json(data, "commitments")).proofs
    verify(proofs)
    return list(map(meaning_of, proofs))


def read_public_key(data: bytes) -> tuple[object, ...]:
    """What of a key the proofs depend on: no other number lets them verify. A scheme's index binds the file as a whole."""
    key = PublicKey.from_xml(data)
    verify(PROOFS, key)
    return key.N, key.Z, key.S, key.R, key.G, key.H, key.ecdsa, key.counter


def read_private_key(data: bytes) -> tuple[mpz, ...]:
    """The factors, in either order: the key is the same."""
    key = PrivateKey.from_xml(data)
    return tuple(sorted((key.p, key.q)))


def read_update_json(data: bytes) -> Accumulator:
    return checked(Update.from_json(parse_json(data, "update"), "update"))


def read_update_cbor(data: bytes) -> Accumulator:
    return checked(Update.from_cbor(data, "update"))


def checked(update: Update) -> Accumulator:
    """The accumulator. An update may hold fewer events, from a later one on: the rest is as true."""
    accumulator = update.verify(KEY)
    events, original = tuple(update.events or ()), tuple(UPDATE.events or ())
    assert events == original[len(original) - len(events) :]
    return accumulator


def read_request(data: bytes) -> bool:
    """Whether what is read is what is written; a request is bound by no proof, but by a requestor's signature."""
    read = parse_session_request(data)
    return parse_session_request(json.dumps(read.to_json())) == read


@dataclass(frozen=True)
class Target:
    """What is mutated, how it is read to its meaning, and the errors in which it may end."""

    original: bytes
    read: Callable[[bytes], Any]
    by_field: Callable[[bytes, Random], bytes]
    errors: tuple[type[IdemixError], ...]


PROOF_ERRORS = (MalformedProofError, VerificationError)


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


TARGETS = {
    "proof list": Target(compact(PROOFS.to_json()), read_proofs, by_json_field, PROOF_ERRORS),
    "commitments": Target(
        compact(IssueCommitmentMessage(mpz(2718281828), PROOFS, {"irma-demo": "a.b.c"}, ()).to_json()),
        read_commitments,
        by_json_field,
        PROOF_ERRORS,
    ),
    "public key": Target(KEY.to_xml(), read_public_key, by_xml_element, (MalformedKeyError, *PROOF_ERRORS)),
    "revocation update": Target(compact(UPDATE.to_json()), read_update_json, by_json_field, PROOF_ERRORS),
    "revocation update in CBOR": Target(UPDATE.to_cbor(), read_update_cbor, by_bytes, PROOF_ERRORS),
    "private key": Target(PAIR.private.to_xml(), read_private_key, by_xml_element, (MalformedKeyError,)),
    "disclosure request": Target(
        compact(disclosure([["irma-demo.RU.studentCard.level"], [{"type": "irma-demo.RU.studentCard.studentID", "value": "5"}]])),
        read_request,
        by_json_field,
        (MalformedRequestError,),
    ),
    "signature request": Target(
        compact(signature("message", [["irma-demo.RU.studentCard.level"]])), read_request, by_json_field, (MalformedRequestError,)
    ),
    "issuance request": Target(compact({"request": issuance(STUDENT_CARD)}), read_request, by_json_field, (MalformedRequestError,)),
}
#: How the mutants are divided: proofs most, since there every number counts.
SHARES = {"proof list": 6, "commitments": 4, "public key": 3, "revocation update": 2, "private key": 2}


def fuzz(name: str, count: int, seed: int) -> None:
    """Read `count` mutants of a target."""
    target = TARGETS[name]
    meaning = target.read(target.original)
    random = Random(f"{seed} {name}")
    for number in range(count):
        mutate = by_bytes if random.random() < 0.5 else target.by_field
        mutant = mutate(target.original, random)
        start = time.thread_time()
        try:
            accepted = target.read(mutant)
        except target.errors:
            pass
        except Exception as error:
            error.add_note(f"{name}, seed {seed}, mutant {number}: {mutant!r}")
            raise
        else:
            assert accepted == meaning, f"{name}, seed {seed}, mutant {number} is accepted: {mutant!r}"
        assert time.thread_time() - start < MOST_SECONDS, f"{name}, seed {seed}, mutant {number}: {mutant!r}"


def count_of(name: str, total: int) -> int:
    return -(-total * SHARES.get(name, 1) // sum(SHARES.get(each, 1) for each in TARGETS))


@pytest.mark.parametrize("name", TARGETS)
def test_a_sample_of_mutants(name: str) -> None:
    fuzz(name, count_of(name, SAMPLE_COUNT), seed=20261127)


@pytest.mark.long
@pytest.mark.feature("I13.1")
@pytest.mark.feature("I13.2")
@pytest.mark.parametrize("name", TARGETS)
def test_a_hundred_thousand_mutants(name: str) -> None:
    fuzz(name, count_of(name, FULL_COUNT), seed=int(os.environ.get("IRMAHUB_FUZZ_SEED") or secrets.randbits(32)))


def test_every_kind_of_mutant_differs_from_its_original() -> None:
    """The mutators do change what they are given, nearly always."""
    for name, target in TARGETS.items():
        for mutate in (by_bytes, target.by_field):
            random = Random(f"mutators {name}")
            changed = sum(mutate(target.original, random) != target.original for _ in range(100))
            assert changed > 75, (name, mutate.__name__)


@pytest.mark.parametrize(
    ("where", "pattern", "value"),
    [
        ("proof list", rb'"v_response":"[^"]*"', b'"v_response":"' + b"////" * 100_000 + b'"'),
        ("proof list", rb'"e_response":"[^"]*"', b'"e_response":' + b"9" * 1_000_000),
        ("proof list", rb'"A":"[^"]*"', b'"A":"' + b"////" * 100_000 + b'"'),
        ("proof list", rb'"a_disclosed":\{', b'"a_disclosed":{"9999":"",'),
        ("proof list", rb"^\[", b"[" * 100_000),
        ("proof list", rb'"Cs":\["[^"]*"', b'"Cs":["' + b"////" * 100_000 + b'"'),
        ("proof list", rb'"rangeproofs":\{"6":\[', b'"rangeproofs":{"6":[' + b"{}," * 100_000),
        ("proof list", rb'"beta":"[^"]*"', b'"beta":"' + b"////" * 100_000 + b'"'),
        ("proof list", rb'"data":"[^"]*"', b'"data":"' + b"////" * 100_000 + b'"'),
        ("revocation update", rb'"e":\["[^"]*"', b'"e":["' + b"////" * 100_000 + b'"'),
        ("revocation update", rb'"e":\["', b'"e":[' + b'"Aw==",' * 100_000 + b'"'),
        ("commitments", rb'"U":"[^"]*"', b'"U":"' + b"////" * 100_000 + b'"'),
        ("public key", rb"<n>\d+</n>", b"<n>" + b"9" * 1_000_000 + b"</n>"),
        ("private key", rb"<p>\d+</p>", b"<p>" + b"9" * 100_000 + b"</p>"),
    ],
)
def test_what_is_too_large_is_refused_before_any_arithmetic(
    where: str, pattern: bytes, value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reached(*_: object) -> None:
        raise AssertionError("arithmetic was reached")

    monkeypatch.setattr(ProofList, "contributions", reached)
    monkeypatch.setattr("idemix.cbor.verify", reached)
    monkeypatch.setattr("gmpy2.is_prime", reached)
    target = TARGETS[where]
    changed, count = re.subn(pattern, lambda _: value, target.original, count=1)
    assert count == 1
    with pytest.raises(target.errors):
        target.read(changed)

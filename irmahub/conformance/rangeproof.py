"""Vectors of disclosures with range proofs (rangeproof.json)."""

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from gmpy2 import mpz

from idemix.arith.randomness import SYSTEM_RANDOM
from idemix.cl.signature import CLSignature
from idemix.errors import IdemixError
from idemix.json_text import parse_json
from idemix.keys.public import PublicKey
from idemix.proofs import ProofD, ProofList, verify_proof_list
from idemix.proofs.proof_d import DisclosureBuilder
from idemix.rangeproof import FOUR_SQUARES, RangeProver, Statement, ThreeSquares
from irmahub.conformance.core import Case, Context, Departed, Mismatch, expect_equal, judge
from irmahub.conformance.reasons import expect_class

Record = Mapping[str, Any]

#: What the recorder disclosed, and how large its table of sums of three squares was.
_DISCLOSED = frozenset({1})
_THREE_SQUARES = ThreeSquares(1000)


def matches(document: Mapping[str, Any]) -> bool:
    """Proof lists as in proofs.json, but of no kind."""
    return any("prooflist_json" in case and "kind" not in case for case in document.get("cases", ()) if isinstance(case, Mapping))


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:  # noqa: ARG001 - every shape is called alike
    """Yield the cases of the file."""
    keys = {name: PublicKey.from_xml(key["public_xml"].encode()) for name, key in document["public_keys"].items()}
    for record in document["cases"]:
        run = _verify if "prooflist_json" in record else _prove
        yield Case("cases", record["name"], functools.partial(run, record, keys[record["public_key"]]))


def _verify(record: Record, key: PublicKey) -> Departed | None:
    """Verify a recorded proof list; where it is valid and original, compare what it states and state the same ourselves."""
    verdict = record["expected"]["verdict"]
    verdict_of_ours = functools.partial(judge, record, accepted=verdict == "valid", crashed=verdict == "panic")
    try:
        proofs = ProofList.from_json(parse_json(record["prooflist_json"], "proofs"))
        verify_proof_list(proofs, [key], context=mpz(record["context"]), nonce=mpz(record["nonce"]), is_signature=False)
    except IdemixError as error:
        if record["negative"]:
            expect_class(record["expected"]["error"], error)
        return verdict_of_ours(error=error)
    outcome = verdict_of_ours(error=None)
    if "statements" in record:
        _compare_statements(record, proofs[0])
        expect_equal("JSON", json.dumps(proofs.to_json(), separators=(",", ":")), record["prooflist_json"])
        for statement in record["statements"]:
            _state_again(record, key, _statement(statement))
    return outcome


def _compare_statements(record: Record, proof: object) -> None:
    if not isinstance(proof, ProofD):
        raise Mismatch("not a disclosure proof")
    proven = [range_proof.structure for range_proof in proof.range_proofs[record["attribute_index"]]]
    for structure, stated in zip(proven, map(_statement, record["statements"]), strict=True):
        expect_equal("statement", (structure.proven.sign, structure.proven.bound), (stated.sign, stated.bound))
        proves = structure.proves(stated.sign, stated.bound, stated.factor)
        expect_equal("proves its statement", proves, record["expected"]["proves_statement"])
    for other in record["expected"]["other_statements"]:
        proves = proven[0].proves(other["sign"], mpz(other["bound"]), other["factor"])
        expect_equal(f"proves {other}", proves, other["proves"])


def _state_again(record: Record, key: PublicKey, statement: Statement) -> None:
    """Prove the same, and rebuild from our proof what we committed to."""
    index = record["attribute_index"]
    attribute = mpz(record["attributes"][index])
    challenge, randomizer = SYSTEM_RANDOM.bits(key.params.l_h), SYSTEM_RANDOM.bits(key.params.l_m_commit)
    committed = RangeProver.create(key, index, attribute, statement).commit(randomizer)
    proof = committed.respond(challenge)
    proof.check_structure(key, "our proof")
    rebuilt = proof.contributions(key, index, challenge, randomizer + challenge * attribute)
    expect_equal("contributions of our proof", rebuilt, committed.contributions)


def _prove(record: Record, key: PublicKey) -> Departed | None:
    """Try to prove what the recorder could not."""
    statements = {record["attribute_index"]: [_statement(statement) for statement in record["statements"]]}
    attributes = [mpz(value) for value in record["attributes"]]
    try:
        DisclosureBuilder.create(key, CLSignature(key.Z, mpz(1), mpz(0)), attributes, _DISCLOSED, statements=statements)
    except IdemixError as error:
        expect_class(record["expected"]["error"], error)
        return None
    raise Mismatch("made a proof that the reference cannot make")


def _statement(statement: Mapping[str, Any]) -> Statement:
    squares = _THREE_SQUARES if statement["squares"] == _THREE_SQUARES.count else FOUR_SQUARES
    return Statement(statement["sign"], mpz(statement["bound"]), statement["factor"], squares)

"""The keyshare server's side in the vectors of proof lists: its commitments, its proof, its refusals."""

import base64
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gmpy2 import mpz

from idemix.cl.signature import CLSignature
from idemix.errors import IdemixError
from idemix.keys.public import PublicKey
from idemix.keyshare import ProofP, merge_proofs
from idemix.keyshare.holder import challenge_inputs, join
from idemix.keyshare.messages import ResponseRequest, commitments_hash
from idemix.keyshare.server import commit_to_key, respond, respond_old
from idemix.proofs import CommitmentBuilder, DisclosureBuilder, ProofD, ProofList
from idemix.proofs.builder import Committed, CommittedList
from irmahub.conformance.core import Case, Context, Mismatch, expect_equal
from irmahub.conformance.reasons import expect_class

Keys = Mapping[str, PublicKey]
Record = Mapping[str, Any]

_KIND = "keyshare_server"


def matches(document: Mapping[str, Any]) -> bool:
    """Whether the file holds refusals of the keyshare server; the rest of it belongs to another module."""
    return any(record.get("kind") == _KIND for record in document.get("cases", []) if isinstance(record, Mapping))


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:  # noqa: ARG001 - every shape is called alike
    """Yield the cases of this kind."""
    keys = {name: PublicKey.from_xml(key["public_xml"].encode()) for name, key in document["public_keys"].items()}
    records = {record["name"]: record for record in document["cases"]}
    for record in document["cases"]:
        if record["kind"] == _KIND:
            yield Case("cases", record["name"], functools.partial(_refusals, record, records[record["base"]], keys))


def compare_exchange(record: Record, keys: Keys, proofs: ProofList) -> None:
    """Do the keyshare server's part of a recorded session anew, and compare with the record.

    Args:
        record: a valid case; one without a keyshare server is passed over.
        keys: the public keys by name.
        proofs: the merged proofs.
    """
    inputs = record.get("inputs", {})
    if "proofP_json" not in inputs:
        return
    public_keys = [keys[name] for name in record["public_keys"]]
    if "challenge" in inputs:
        secret, randomizer = mpz(inputs["keyshare_secret"]), mpz(inputs["keyshare_randomizer"])
        part = respond_old(secret, randomizer, mpz(inputs["challenge"]), public_keys[-1])
        before = ProofList.from_json(json.loads(inputs["prooflist_before_merge_json"]))
    else:
        part = _answer(record, keys, public_keys, proofs)
        # There is no unmerged list on record: what is merged takes the place of the holder's response, whatever that was.
        before = ProofList(tuple(replace(proof, c=mpz(0)) for proof in proofs))
    expect_equal("ProofP", part, ProofP.from_json(json.loads(inputs["proofP_json"])))
    expect_equal("ProofP as JSON", json.dumps(part.to_json(), separators=(",", ":")), inputs["proofP_json"])
    is_shared = [group != "." for group in record["keyshare_servers"]]
    merged = merge_proofs(before, [part if shared else None for shared in is_shared], public_keys)
    for ours, recorded, shared in zip(merged, proofs, is_shared, strict=True):
        if shared:
            expect_equal("merged proof", ours, recorded)


def _answer(record: Record, keys: Keys, public_keys: Sequence[PublicKey], proofs: ProofList) -> ProofP:
    """Go through the newer protocol message by message, each compared with the record, to the server's proof."""
    inputs = record["inputs"]
    secret, randomizer = mpz(inputs["keyshare_secret"]), mpz(inputs["keyshare_randomizer"])
    hashed, request = _messages(inputs)
    names = [element.key for element in request.inputs]
    committed = _first_moves(inputs, proofs, public_keys)
    expect_equal("holder's first moves", challenge_inputs(committed, names), request.inputs)
    expect_equal("hash of the commitments", commitments_hash(request.inputs), hashed)
    for name, commitment in inputs["keyshare_commitments"].items():
        expect_equal("P", commit_to_key(secret, keys[name]), mpz(commitment["P"]))
        expect_equal("commitment", commit_to_key(randomizer, keys[name]), mpz(commitment["Pcommit"]))
    parts = [None if name is None else commit_to_key(randomizer, keys[str(name)]) for name in names]
    contributions = join(committed, parts, public_keys).contributions
    expect_equal("joint first moves", contributions, tuple(map(mpz, record["expected"]["detail"]["contributions"])))
    expect_equal("response request", json.dumps(request.to_json(), separators=(",", ":")), inputs["response_request_json"])
    return respond(secret, randomizer, hashed, request, keys)


def _first_moves(inputs: Record, proofs: ProofList, public_keys: Sequence[PublicKey]) -> CommittedList:
    """Make the holder's first moves from its recorded state; the attributes are not among it."""
    secret_randomizer = mpz(inputs["user_secret_randomizer"])
    committed: list[Committed] = []
    for builder, proof, key in zip(inputs["builders"], proofs, public_keys, strict=True):
        if isinstance(proof, ProofD):
            state = builder["prover_state"]
            randomizers = {int(index): mpz(value) for index, value in state["attribute_randomizers"].items() if index != "0"}
            signature = CLSignature(mpz(state["randomized_A"]), mpz(state["randomized_e"]), mpz(state["randomized_v"]))
            numbers = (mpz(state["e_randomizer"]), mpz(state["v_randomizer"]))
            committed.append(
                DisclosureBuilder(key, signature, (), frozenset(proof.a_disclosed), *numbers, randomizers).commit(secret_randomizer)
            )
        else:
            state = builder["commitment"]
            numbers = (mpz(state["secret"]), mpz(state["v_prime"]), mpz(state["v_prime_randomizer"]))
            committed.append(CommitmentBuilder(key, *numbers, {}, {}, mpz(state["keyshare_P"])).commit(secret_randomizer))
    return CommittedList(tuple(committed))


def _refusals(record: Record, base: Record, keys: Keys) -> None:
    """Make each recorded fault, which the server must refuse."""
    inputs = base["inputs"]
    secret, randomizer = mpz(inputs["keyshare_secret"]), mpz(inputs["keyshare_randomizer"])
    hashed, request = _messages(inputs)
    for check in record["checks"]:
        if "commitment hash" in check["error"]:
            changed, known = bytes([hashed[0] ^ 1]) + hashed[1:], keys
        elif "missing public key" in check["error"]:
            changed, known = hashed, {}
        else:
            raise Mismatch(f"an error of no known kind: {check['error']!r}")
        try:
            respond(secret, randomizer, changed, request, known)
        except IdemixError as error:
            expect_class(check["error"], error)
        else:
            raise Mismatch(f"{check['what']}: answered")


def _messages(inputs: Record) -> tuple[bytes, ResponseRequest]:
    """The holder's two messages to the server. The recorder names keys by texts, where IRMA has identifiers."""
    hashed = base64.b64decode(json.loads(inputs["commitment_request_json"])["hashedComms"])
    request = ResponseRequest.from_json(json.loads(inputs["response_request_json"]))
    return hashed, replace(request, inputs=tuple(replace(item, key=item.key and str(item.key)) for item in request.inputs))

"""Vectors of proof lists and issuance answers (proofs.json)."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gmpy2 import mpz

from idemix.challenge import create_challenge
from idemix.cl.commitment import commit
from idemix.cl.signature import CLSignature
from idemix.errors import IdemixError, MalformedError
from idemix.issuance.builder import CredentialBuilder
from idemix.issuance.messages import IssueCommitmentMessage, IssueSignatureMessage
from idemix.json_text import parse_json
from idemix.keys.public import PublicKey
from idemix.proofs import CommitmentBuilder, DisclosureBuilder, ProofD, ProofList, ProofU, verify_proof_list
from idemix.proofs.builder import Committed, CommittedList
from irmahub.conformance.core import Case, Context, Departed, Mismatch, expect_equal, judge
from irmahub.conformance.keyshare import compare_exchange
from irmahub.conformance.reasons import expect_class

Keys = Mapping[str, PublicKey]
Record = Mapping[str, Any]


def matches(document: Mapping[str, Any]) -> bool:
    """Whether the file holds proof lists of the kinds of this module."""
    return any(record.get("kind") in _KINDS for record in document.get("cases", []) if isinstance(record, Mapping))


def cases(document: Mapping[str, Any], context: Context) -> Iterator[Case]:  # noqa: ARG001 - every shape is called alike
    """Yield the cases of the file."""
    keys = {name: PublicKey.from_xml(key["public_xml"].encode()) for name, key in document["public_keys"].items()}
    for record in document["cases"]:
        run = _KINDS.get(record["kind"])
        if run is not None:
            yield Case("cases", record["name"], functools.partial(run, record, keys))


def _prooflist(record: Record, keys: Keys) -> Departed | None:
    verdict = record["expected"]["verdict"]
    detail = record["expected"].get("detail") or {}
    public_keys = [keys[name] for name in record["public_keys"]]
    context, nonce, is_signature = mpz(record["context"]), mpz(record["nonce"]), record["issig"]
    verdict_of_ours = functools.partial(judge, record, accepted=verdict == "valid", crashed=verdict == "panic")
    try:
        proofs = ProofList.from_json(parse_json(record["prooflist_json"], "proofs"))
    except MalformedError as error:
        if verdict != "valid":
            expect_class(record["expected"]["reason"], error)
        return verdict_of_ours(error=error)
    if verdict == "parse_error":
        raise Mismatch("read what the reference cannot read")
    if "proof_types" in detail:
        expect_equal("kinds of proof", [type(proof).__name__ for proof in proofs], detail["proof_types"])
    revocation_indices = [_revocation_index(proof) for proof in proofs]
    error: IdemixError | None = None
    try:
        verify_proof_list(
            proofs,
            public_keys,
            context=context,
            nonce=nonce,
            is_signature=is_signature,
            keyshare_groups=record["keyshare_servers"],
            blind_indices=_blind_indices(record, proofs),
            revocation_indices=revocation_indices,
        )
    except IdemixError as refusal:
        error = refusal
        if record["negative"]:
            expect_class(record["expected"]["reason"], refusal)
    if detail.get("contributions") and _is_computable(proofs, public_keys, revocation_indices):
        contributions = proofs.contributions(public_keys, revocation_indices)
        expect_equal("contributions", contributions, [mpz(value) for value in detail["contributions"]])
        challenge = create_challenge(context, nonce, contributions, is_signature)
        expect_equal("challenge", challenge, mpz(detail["reconstructed_challenge"]))
        for proof, recorded in zip(proofs, detail["per_proof"], strict=True):
            expect_equal("challenge is equal", proof.c == challenge, recorded["challenge_equal"])
    outcome = verdict_of_ours(error=error)
    if verdict == "valid" and "crafted-" in record["name"]:
        expect_equal("JSON", proofs.to_json(), json.loads(record["prooflist_json"]))
    elif verdict == "valid" and "base" not in record:
        expect_equal("JSON", json.dumps(proofs.to_json(), separators=(",", ":")), record["prooflist_json"])
    if "crafted-" not in record["name"]:
        _recompute(record, detail, proofs, public_keys)
    if verdict == "valid":
        compare_exchange(record, keys, proofs)
    return outcome


def _revocation_index(proof: ProofD | ProofU) -> int | None:
    """The base of the revocation attribute: in the recorded proofs that are about one it is the highest hidden attribute."""
    return max(proof.a_responses, default=None) if isinstance(proof, ProofD) and proof.nonrev_proof is not None else None


def _is_computable(proofs: ProofList, public_keys: list[PublicKey], revocation_indices: list[int | None]) -> bool:
    """Whether the list passes our checks of structure, so that its equations may be computed."""
    try:
        for proof, key, revocation_index in zip(proofs, public_keys, revocation_indices, strict=True):
            if isinstance(proof, ProofD):
                proof.check_structure(key, revocation_index=revocation_index)
            else:
                proof.check_structure(key)
    except (IdemixError, ValueError):
        return False
    return True


def _blind_indices(record: Record, proofs: ProofList) -> list[frozenset[int] | None] | None:
    """Return the bases of random blind attributes where the record tells them; it counts without the secret key."""
    if "blind" not in record.get("inputs", {}):
        return None
    blind = frozenset(index + 1 for index in record["inputs"]["blind"] or [])
    return [blind if isinstance(proof, ProofU) else None for proof in proofs]


def _recompute(record: Record, detail: Record, proofs: ProofList, public_keys: list[PublicKey]) -> None:
    """Make the proofs anew from the prover's recorded state, where there is one, and compare."""
    inputs = record.get("inputs", {})
    if record["expected"]["verdict"] != "valid" or not {"credentials", "commitment", "commitments"} & inputs.keys():
        return
    if {"accumulator", "witness"} & inputs.keys():
        return
    credentials = iter(inputs.get("credentials", []))
    commitments = iter(inputs.get("commitments", [inputs["commitment"]] if "commitment" in inputs else []))
    committed: list[Committed] = [
        _disclosure(next(credentials), key)
        if kind == "ProofD"
        else _commitment_builder(state := next(commitments), key).commit(mpz(state["secret_randomizer"]))
        for kind, key in zip(detail["proof_types"], public_keys, strict=True)
    ]
    prover = CommittedList(tuple(committed))
    challenge = create_challenge(mpz(record["context"]), mpz(record["nonce"]), prover.contributions, record["issig"])
    expect_equal("proofs made from the prover's state", prover.respond(challenge), proofs)


def _integers(values: Mapping[str, str] | None) -> dict[int, mpz]:
    return {int(index): mpz(value) for index, value in (values or {}).items()}


def _disclosure(record: Record, key: PublicKey) -> Committed:
    state = record["prover_state"]
    randomizers = _integers(state["attribute_randomizers"])
    secret_randomizer = randomizers.pop(0, mpz(0))
    builder = DisclosureBuilder(
        public_key=key,
        signature=CLSignature(mpz(state["randomized_A"]), mpz(state["randomized_e"]), mpz(state["randomized_v"])),
        attributes=tuple(mpz(value) for value in record["credential"]["attributes"]),
        disclosed=frozenset(record["disclosed"]),
        e_randomizer=mpz(state["e_randomizer"]),
        v_randomizer=mpz(state["v_randomizer"]),
        attribute_randomizers=randomizers,
    )
    return builder.commit(secret_randomizer)


def _commitment_builder(state: Record, key: PublicKey) -> CommitmentBuilder:
    return CommitmentBuilder(
        public_key=key,
        secret_key=mpz(state["secret"]),
        v_prime=mpz(state["v_prime"]),
        v_prime_randomizer=mpz(state["v_prime_randomizer"]),
        shares=_integers(state.get("m_user")),
        share_randomizers=_integers(state.get("m_user_randomizers")),
    )


def _issuance_response(record: Record, keys: Keys) -> Departed | None:
    verdict = record["expected"]["verdict"]
    key = keys[record["public_keys"][0]]
    builder = CredentialBuilder(_commitment_builder(record["app"], key), mpz(record["context"]), mpz(record["nonce2"]))
    state = builder.commitment
    expect_equal("U", commit(key, state.secret_key, state.v_prime, state.shares), mpz(record["U"]))
    verdict_of_ours = functools.partial(judge, record, accepted=verdict == "valid", crashed=verdict == "panic")
    attributes = [None if value is None else mpz(value) for value in record["attributes"]]
    try:
        message = IssueSignatureMessage.from_json(parse_json(record["signature_message_json"], "signature message"))
        signature, values = builder.construct(message, attributes)
    except IdemixError as error:
        if record["negative"]:
            expect_class(record["expected"]["reason"], error)
        return verdict_of_ours(error=error)
    outcome = verdict_of_ours(error=None)
    credential = record["expected"]["credential"]
    expect_equal("attributes", values, tuple(mpz(value) for value in credential["attributes"]))
    recorded = credential["signature"]
    expect_equal("signature", signature, CLSignature(mpz(recorded["A"]), mpz(recorded["e"]), mpz(recorded["v"])))
    expect_equal("message", _without_null(message.to_json()), _without_null(json.loads(record["signature_message_json"])))
    if "commitment_message_json" in record:
        posted = json.loads(record["commitment_message_json"])
        commitments = IssueCommitmentMessage.from_json(posted).to_json()
        expect_equal("commitment message", commitments, {name: value for name, value in posted.items() if name in commitments})
    return outcome


def _without_null(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: element for name, element in value.items() if element is not None}


def _response_sizes(record: Record, keys: Keys) -> Departed | None:
    """The bounds of single responses, each in a proof that is in order apart from it."""
    departed: Departed | None = None
    for check in record["checks"]:
        value = mpz(check["value"])
        proof_u = {"U": mpz(4), "c": mpz(0), "v_prime_response": mpz(0), "s_response": mpz(0), "m_user_responses": {}}
        proof_d = {
            "c": mpz(0),
            "A": mpz(4),
            "e_response": mpz(0),
            "v_response": mpz(0),
            "a_responses": {0: mpz(0)},
            "a_disclosed": {1: mpz(0)},
        }
        field = check["field"]
        proof: ProofU | ProofD
        if field == "a_response":
            proof = ProofD(**{**proof_d, "a_responses": {0: value}})
        elif field in proof_u:
            proof = ProofU(**{**proof_u, field: value})
        else:
            proof = ProofD(**{**proof_d, field: value})
        error: IdemixError | None = None
        try:
            proof.check_structure(keys[check["public_key"]])
        except IdemixError as refusal:
            error = refusal
        departed = judge(record, accepted=check["accepted"], error=error) or departed
    return departed


_KINDS: Mapping[str, Callable[[Record, Keys], Departed | None]] = {
    "prooflist": _prooflist,
    "issuance_response": _issuance_response,
    "response_sizes": _response_sizes,
}

"""Proofs of non-revocation: made, verified, refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.challenge import create_challenge
from idemix.cl.signature import sign
from idemix.credential.credential import Credential, generate_secret_key
from idemix.departures import DEPARTURES
from idemix.errors import (
    InvalidProofError,
    InvalidSignatureError,
    InvalidWitnessError,
    MalformedKeyError,
    MalformedProofError,
    VerificationError,
)
from idemix.integers import decode_integer, encode_integer
from idemix.keys.generate import KeyPair
from idemix.keys.public import PublicKey
from idemix.proofs import ProofD, ProofList, build_proof_list, verify_proof_list
from idemix.revocation import NonRevocationBuilder, Update, Witness
from tests.idemix.revocation.chain import OTHER, PAIR, PRIVATE, PUBLIC, TIME, make_chain
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

SESSION: dict[str, Any] = {"context": mpz(1), "nonce": mpz(4711), "is_signature": False}
CHAIN = make_chain(3)
KEPT = CHAIN.witnesses[-1]
RANDOM = SeededRandom("non-revocation")
SECRET = generate_secret_key(RANDOM)
#: Where the revocation attribute of these credentials is.
INDEX = 3


def credential(pair: KeyPair, witness: Witness, *, index: int = INDEX) -> Credential:
    values = [SECRET, mpz(1001), mpz(1002), mpz(1003), mpz(1004)]
    values[index] = witness.e
    return Credential(pair.public, sign(pair.private, pair.public, values, RANDOM), tuple(values))


def prove(witness: Witness, held: Credential | None = None, **changes: Any) -> ProofList:
    held = held or credential(PAIR, witness)
    builder = held.disclosure_builder({1, 2}, RANDOM, witness=witness, revocation_index=changes.pop("index", INDEX))
    return build_proof_list([builder], **{**SESSION, **changes}, random=RANDOM)


def verify(proofs: ProofList, key: PublicKey = PUBLIC, index: int | None = INDEX, **changes: Any) -> None:
    verify_proof_list(proofs, [key], **{**SESSION, **changes}, revocation_indices=[index], require_metadata=True)


PROOF = prove(KEPT)


def parsed(value: Any) -> ProofList:
    return ProofList.from_json(json.loads(json.dumps(value)))


@pytest.mark.feature("I9.1")
@settings(deadline=None, max_examples=15)
@given(st.integers(0, 3), st.integers(0, 1 << 32), st.booleans())
def test_kept_proves_and_revoked_does_not(index: int, seed: int, is_signature: bool) -> None:
    """Whatever the accumulator: who is not revoked proves it, and who is has no witness to prove with."""
    update = CHAIN.update(0, index)
    kept = KEPT.update(PUBLIC, update)
    proofs = prove(kept, is_signature=is_signature, nonce=mpz(seed))
    verify(parsed(proofs.to_json()), is_signature=is_signature, nonce=mpz(seed))
    for witness in CHAIN.witnesses[:index]:
        with pytest.raises(InvalidWitnessError):
            prove(replace(witness, signed_accumulator=update.signed_accumulator))


@pytest.mark.parametrize("name", ["issuer-1024", "issuer-2048"])
def test_lengths_of_keys(name: str) -> None:
    pair = key_pair(name)
    update = Update.initial(pair.private, now=TIME)
    witness = Witness.issue(pair.private, update.signed_accumulator, update.verify(pair.public))
    verify(prove(witness, credential(pair, witness)), pair.public)


def test_json_is_that_of_the_reference() -> None:
    (value,) = PROOF.to_json()
    assert list(value) == ["c", "A", "e_response", "v_response", "a_responses", "a_disclosed", "nonrev_proof"]
    assert list(value["nonrev_proof"]) == ["C_r", "C_u", "responses", "sacc"]
    assert list(value["nonrev_proof"]["responses"]) == ["beta", "delta", "epsilon", "zeta"]
    assert parsed(PROOF.to_json()) == PROOF


def test_revocation_attribute_may_stand_anywhere() -> None:
    held = credential(PAIR, KEPT, index=4)
    verify(prove(KEPT, held, index=4), index=4)


def test_responses_fit_their_bounds_at_their_longest() -> None:
    """The longest numbers that an honest prover can come by."""

    class Longest(SeededRandom):
        def bits(self, length: int) -> mpz:
            return (mpz(1) << length) - 1

        def below(self, bound: int | mpz) -> mpz:
            return mpz(bound) - 1

    builder = NonRevocationBuilder.create(PUBLIC, KEPT, Longest())
    challenge = (mpz(1) << 256) - 1
    proof = builder.commit().respond(challenge)
    proof.check_structure(PUBLIC, builder.alpha_randomizer + challenge * KEPT.e, "proof")


def test_commitment_that_is_not_reduced_is_hashed_as_it_came() -> None:
    """The reference's app leaves C_u = u · H^r as it is where it had prepared the proof before."""
    held = credential(PAIR, KEPT)
    builder = held.disclosure_builder({1, 2}, RANDOM, witness=KEPT, revocation_index=INDEX)
    committed = builder.commit(RANDOM.bits(592))
    assert builder.non_revocation is not None
    assert committed.non_revocation is not None
    C_r, _, *rest = committed.non_revocation.contributions
    C_u = KEPT.u * PUBLIC.revocation_product(H=builder.non_revocation.r_2)
    assert C_u > PUBLIC.N
    changed = replace(committed, non_revocation=replace(committed.non_revocation, contributions=(C_r, C_u, *rest)))
    challenge = create_challenge(SESSION["context"], SESSION["nonce"], changed.contributions, is_signature=False)
    proofs = parsed(ProofList((changed.respond(challenge),)).to_json())
    verify(proofs)
    reduced = proofs.to_json()
    reduced[0]["nonrev_proof"]["C_u"] = encode_integer(C_u % PUBLIC.N)
    with pytest.raises(InvalidProofError, match="challenge mismatch"):
        verify(parsed(reduced))


def test_witness_of_another_credential_proves_nothing() -> None:
    """Two credentials of one holder: the signature of the revoked one with the witness of the other."""
    revoked = credential(PAIR, CHAIN.witnesses[0])
    with pytest.raises(InvalidWitnessError):
        revoked.disclosure_builder({1, 2}, RANDOM, witness=KEPT, revocation_index=INDEX)
    with pytest.raises(InvalidWitnessError):
        credential(PAIR, KEPT).disclosure_builder({1, 2, INDEX}, RANDOM, witness=KEPT, revocation_index=INDEX)
    with pytest.raises(InvalidWitnessError):
        credential(PAIR, KEPT).disclosure_builder({1, 2}, RANDOM, witness=KEPT, revocation_index=None)
    # A dishonest prover leaves the check out: the responses are about two different numbers.
    builder = revoked.disclosure_builder({1, 2}, RANDOM)
    non_revocation = NonRevocationBuilder.create(PUBLIC, KEPT, RANDOM)
    randomizers = {**builder.attribute_randomizers, INDEX: non_revocation.alpha_randomizer}
    forged = replace(builder, attribute_randomizers=randomizers, non_revocation=non_revocation)
    with pytest.raises(InvalidProofError, match="challenge mismatch"):
        verify(build_proof_list([forged], **SESSION, random=RANDOM))


def test_attribute_comes_from_the_credential_type() -> None:
    """A prover has the witness of a prime that stands at another hidden attribute; its responses are as short as they should be."""
    held = credential(PAIR, KEPT, index=4)
    proofs = prove(KEPT, held, index=4)
    with pytest.raises(InvalidProofError) as refusal:
        verify(proofs, index=3)
    assert refusal.value.departure == "response-size"
    with pytest.raises(MalformedProofError, match="not hidden"):
        verify(proofs, index=2)
    with pytest.raises(MalformedProofError, match="not hidden"):
        verify(proofs, index=5)
    with pytest.raises(MalformedProofError) as unknown:
        verify(proofs, index=None)
    assert unknown.value.departure == "revocation-attribute"
    with pytest.raises(MalformedProofError, match="revocation indices"):
        verify_proof_list(proofs, [PUBLIC], **SESSION, revocation_indices=[])


def test_proof_from_another_session_or_without_one() -> None:
    other = prove(KEPT, nonce=mpz(1))
    (value,), (foreign,) = PROOF.to_json(), other.to_json()
    with pytest.raises(InvalidProofError, match="challenge mismatch"):
        verify(parsed([{**value, "nonrev_proof": foreign["nonrev_proof"]}]))
    with pytest.raises(InvalidProofError, match="challenge mismatch"):
        verify(parsed([{**value, "nonrev_proof": None}]))
    (plain,) = build_proof_list([credential(PAIR, KEPT).disclosure_builder({1, 2}, RANDOM)], **SESSION, random=RANDOM).to_json()
    with pytest.raises(InvalidProofError):
        verify(parsed([{**plain, "nonrev_proof": value["nonrev_proof"]}]))


def test_accumulator_is_signed_with_the_key_of_the_proof() -> None:
    plain = replace(PUBLIC, G=None, H=None, ecdsa=None)
    with pytest.raises(MalformedProofError, match="does not support revocation"):
        verify(PROOF, plain)
    with pytest.raises(InvalidSignatureError):
        verify(PROOF, replace(PUBLIC, counter=PUBLIC.counter + 1))
    with pytest.raises(InvalidSignatureError):
        verify(PROOF, replace(PUBLIC, ecdsa=OTHER.public.ecdsa))
    (value,) = PROOF.to_json()
    newer = CHAIN.updates[1].signed_accumulator.to_json()
    with pytest.raises(InvalidProofError, match="challenge mismatch"):
        verify(parsed([{**value, "nonrev_proof": {**value["nonrev_proof"], "sacc": newer}}]))


def test_signature_on_the_accumulator_is_checked_before_the_arithmetic() -> None:
    proof = PROOF[0]
    assert isinstance(proof, ProofD)
    with pytest.raises(InvalidSignatureError):
        proof.check_structure(replace(PUBLIC, ecdsa=OTHER.public.ecdsa), revocation_index=INDEX)


def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda proof: proof.__setitem__(name, value)


def put_response(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda proof: proof["responses"].__setitem__(name, value)


def integer(value: int) -> str:
    return encode_integer(mpz(value))


PARAMS = PUBLIC.params
CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str | None]] = {
    "C_r is 0": (put("C_r", ""), "element-range"),
    "C_r is 1": (put("C_r", "AQ=="), "element-range"),
    "C_r beyond n": (put("C_r", integer(int(PUBLIC.N) + 4)), "element-range"),
    "C_r a factor of n": (put("C_r", integer(int(PRIVATE.p))), "element-range"),
    "C_u is 0": (put("C_u", ""), "element-range"),
    "C_u beyond n²": (put("C_u", integer(int(PUBLIC.N) ** 2 + 4)), "element-range"),
    "C_u a factor of n": (put("C_u", integer(int(PRIVATE.q))), "element-range"),
    "beta too long": (put_response("beta", integer(1 << PARAMS.l_er_nonrev_commit + 1)), "response-size"),
    "delta too long": (put_response("delta", integer(1 << PARAMS.l_er_nonrev_commit + 1)), "response-size"),
    "epsilon too long": (put_response("epsilon", integer(1 << PARAMS.l_r_nonrev_commit + 1)), "response-size"),
    "zeta too long": (put_response("zeta", integer(1 << PARAMS.l_r_nonrev_commit + 1)), "response-size"),
    "beta negative": (put_response("beta", -5), None),
    "beta missing": (lambda proof: proof["responses"].pop("beta"), None),
    "another response for alpha": (put_response("alpha", "AQ=="), "alpha-response"),
    "another response": (put_response("eta", "AQ=="), "unknown-proof-key"),
    "responses missing": (put("responses", None), None),
    "responses a list": (put("responses", []), None),
    "C_r missing": (put("C_r", None), None),
    "C_u missing": (lambda proof: proof.pop("C_u"), None),
    "sacc missing": (put("sacc", None), None),
    "nu given": (put("nu", "AQ=="), "unknown-proof-key"),
    "C_R in another case": (put("C_R", "AQ=="), "unknown-proof-key"),
    "sacc with the accumulator beside it": (lambda proof: proof["sacc"].__setitem__("Accumulator", {}), "unknown-proof-key"),
}


@pytest.mark.parametrize(("change", "rule"), CHANGES.values(), ids=CHANGES.keys())
def test_broken_rule_is_refused(change: Callable[[dict[str, Any]], Any], rule: str | None) -> None:
    value = PROOF.to_json()
    change(value[0]["nonrev_proof"])
    with pytest.raises((MalformedProofError, InvalidProofError)) as refusal:
        verify(parsed(value))
    assert refusal.value.departure == rule
    assert rule is None or isinstance(refusal.value, DEPARTURES[rule].error)


def test_response_for_alpha_may_be_repeated() -> None:
    """As the reference writes a proof once it has verified it."""
    value = PROOF.to_json()
    value[0]["nonrev_proof"]["responses"]["alpha"] = value[0]["a_responses"][str(INDEX)]
    verify(parsed(value))
    assert parsed(value).to_json() == PROOF.to_json()


def test_response_of_the_revocation_attribute_is_shorter_than_others() -> None:
    value = PROOF.to_json()
    value[0]["a_responses"][str(INDEX)] = integer(1 << 580)
    with pytest.raises(InvalidProofError) as refusal:
        verify(parsed(value))
    assert refusal.value.departure == "response-size"


NUMBERS = ["C_r", "C_u", "beta", "delta", "epsilon", "zeta"]


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(NUMBERS), st.integers(0, 1023))
def test_number_with_a_bit_changed_is_refused(name: str, bit: int) -> None:
    value = PROOF.to_json()
    place = value[0]["nonrev_proof"] if name.startswith("C") else value[0]["nonrev_proof"]["responses"]
    place[name] = encode_integer(decode_integer(place[name], "") ^ (mpz(1) << bit))
    with pytest.raises(InvalidProofError):
        verify(parsed(value))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_proof_with_a_byte_changed_is_refused(data: st.DataObject) -> None:
    """By any of the documented errors; a change that only JSON notices is no change."""
    text = bytearray(json.dumps(PROOF.to_json()).encode())
    position = data.draw(st.integers(0, len(text) - 1))
    text[position] = data.draw(st.integers(32, 126))
    try:
        value = json.loads(text)
        proofs = ProofList.from_json(value)
    except (ValueError, MalformedProofError):
        return
    if proofs == PROOF:
        return
    with pytest.raises((VerificationError, MalformedProofError)):
        verify(proofs)


def test_two_proofs_from_one_commitment_would_give_e_away() -> None:
    """Why a builder is used once: this is how."""
    builder = NonRevocationBuilder.create(PUBLIC, KEPT, RANDOM)
    committed = builder.commit()
    first, second = mpz(1000), mpz(3000)
    epsilon = (committed.respond(second).epsilon - committed.respond(first).epsilon) // (second - first)
    beta = (committed.respond(second).beta - committed.respond(first).beta) // (second - first)
    assert beta // epsilon == KEPT.e


def test_repr_shows_no_secret() -> None:
    builder = NonRevocationBuilder.create(PUBLIC, KEPT, RANDOM)
    assert str(builder.r_2) not in repr(builder)
    assert str(KEPT.e) not in repr(builder.commit())


def test_key_without_bases_for_revocation() -> None:
    with pytest.raises(MalformedKeyError, match="no G and H"):
        replace(PUBLIC, G=None).revocation_product(G=5)

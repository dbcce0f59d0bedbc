"""Proofs that a dishonest holder can make so that their equations hold, and that are refused all the same.

Each is checked first against the equation as the reference computes it, in plain arithmetic, so that what refuses is the
rule and not the arithmetic.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.challenge import create_challenge
from idemix.cl.signature import attribute_exponent, sign
from idemix.credential.credential import Credential, generate_secret_key
from idemix.errors import ChallengeMismatchError, MalformedProofError, ProofCountError, ResponseSizeError
from idemix.json_text import parse_json
from idemix.params import SECRET_KEY_BITS, SECRET_RANDOMIZER_BITS
from idemix.proofs import CommitmentBuilder, DisclosureBuilder, ProofD, ProofList, ProofU, build_proof_list, verify_proof_list
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

CONTEXT, NONCE = mpz(1), mpz(20261127)
SESSION = {"context": CONTEXT, "nonce": NONCE, "is_signature": False}
RANDOM = SeededRandom("crafted")
PAIR = key_pair("issuer-1024")
KEY = PAIR.public
SECRET = generate_secret_key(RANDOM)
VALUES = (SECRET, mpz(1001), mpz(1002), mpz(1003))
CREDENTIAL = Credential(KEY, sign(PAIR.private, KEY, VALUES, RANDOM), VALUES)
BLIND = {3, 5}


def product(terms: Mapping[int, mpz]) -> mpz:
    result = mpz(1)
    for index, exponent in terms.items():
        result = result * pow(KEY.R[index], exponent, KEY.N) % KEY.N
    return result


def equation_holds(proof: ProofD | ProofU) -> bool:
    """What the reference checks: the challenge, over the commitment that the responses rebuild."""
    N, c = KEY.N, proof.c
    if isinstance(proof, ProofU):
        first = proof.U
        rebuilt = pow(proof.U, -c, N) * pow(KEY.S, proof.v_prime_response, N) * pow(KEY.R[0], proof.s_response, N)
        rebuilt = rebuilt * product(proof.m_user_responses) % N
    else:
        first = proof.A
        shown = product({index: attribute_exponent(value, KEY.params) for index, value in proof.a_disclosed.items()})
        known = KEY.Z * pow(pow(proof.A, mpz(1) << (KEY.params.l_e - 1), N) * shown, -1, N) % N
        rebuilt = pow(known, -c, N) * pow(proof.A, proof.e_response, N) * pow(KEY.S, proof.v_response, N)
        rebuilt = rebuilt * product(proof.a_responses) % N
    return create_challenge(CONTEXT, NONCE, [first, rebuilt], is_signature=False) == c


def disclosure() -> ProofD:
    proof = build_proof_list([CREDENTIAL.disclosure_builder({1, 2}, RANDOM)], **SESSION, random=RANDOM)[0]
    assert isinstance(proof, ProofD)
    assert equation_holds(proof)
    verify_proof_list(ProofList((proof,)), [KEY], **SESSION, require_metadata=True)
    return proof


def test_a_proof_with_a_challenge_of_its_own() -> None:
    """Whoever may choose the challenge of one proof can choose its responses and what it discloses; the others then answer to it."""
    forged = replace(disclosure(), c=mpz(7), a_disclosed={1: VALUES[1], 2: mpz(31337)})
    committed = CREDENTIAL.disclosure_builder({1, 2}, RANDOM).commit(RANDOM.bits(SECRET_RANDOMIZER_BITS))
    contributions = [*committed.contributions, *forged.contributions(KEY)]
    honest = committed.respond(create_challenge(CONTEXT, NONCE, contributions, is_signature=False))
    with pytest.raises(ChallengeMismatchError, match=r"proofs\[1\]"):
        verify_proof_list(ProofList((honest, forged)), [KEY, KEY], **SESSION, keyshare_groups=["a", "b"])


def test_an_attribute_both_disclosed_and_hidden() -> None:
    """With the difference to its value in the response, the holder could disclose anything."""
    builder = CREDENTIAL.disclosure_builder({1}, RANDOM)
    committed = builder.commit(RANDOM.bits(SECRET_RANDOMIZER_BITS))
    honest = committed.respond(create_challenge(CONTEXT, NONCE, committed.contributions, is_signature=False))
    pretended = mpz(31337)
    response = honest.a_responses[2] - honest.c * pretended
    assert response > 0
    proof = replace(honest, a_responses={**honest.a_responses, 2: response}, a_disclosed={**honest.a_disclosed, 2: pretended})
    assert equation_holds(proof)
    with pytest.raises(MalformedProofError) as refusal:
        verify_proof_list(ProofList((proof,)), [KEY], **SESSION)
    assert refusal.value.departure == "overlapping-indices"


@pytest.mark.parametrize("extra", [1, 2, 4])
def test_a_share_for_an_attribute_that_is_not_random_blind(extra: int) -> None:
    """It would be added to the value that the issuer signs."""
    builder = CommitmentBuilder.create(KEY, SECRET, BLIND | {extra}, RANDOM)
    proofs = build_proof_list([builder], **SESSION, random=RANDOM)
    assert isinstance(proofs[0], ProofU)
    assert equation_holds(proofs[0])
    with pytest.raises(MalformedProofError) as refusal:
        verify_proof_list(proofs, [KEY], **SESSION, blind_indices=[BLIND])
    assert refusal.value.departure == "blind-indices"


def test_a_negative_index() -> None:
    """With the response 0 it changes nothing in the equation."""
    proof = disclosure()
    value = proof.to_json()
    value["a_responses"]["-1"] = ""
    with pytest.raises(MalformedProofError) as refusal:
        ProofList.from_json(parse_json(json.dumps([value]), "proofs"))
    assert refusal.value.departure == "index-form"
    negative = replace(proof, a_responses={**proof.a_responses, -1: mpz(0)})
    assert equation_holds(negative)
    with pytest.raises(MalformedProofError, match="index -1"):
        verify_proof_list(ProofList((negative,)), [KEY], **SESSION)


@pytest.mark.parametrize("field", ["e_response", "v_response", "a_responses[3]", "a_responses[0]"])
def test_an_oversized_response(field: str) -> None:
    """A randomizer that is too long shows as a response that is."""
    params = KEY.params
    excess = mpz(1) << 8
    lengths = {"e_response": params.l_e_commit, "v_response": params.l_v_commit}
    length = lengths.get(field, params.l_m_commit)
    randomizer = RANDOM.bits(length) + (excess << length)
    builder: DisclosureBuilder = CREDENTIAL.disclosure_builder({1, 2}, RANDOM)
    if field == "e_response":
        builder = replace(builder, e_randomizer=randomizer)
    elif field == "v_response":
        builder = replace(builder, v_randomizer=randomizer)
    elif field == "a_responses[3]":
        builder = replace(builder, attribute_randomizers={3: randomizer})
    committed = builder.commit(randomizer if field == "a_responses[0]" else RANDOM.bits(SECRET_RANDOMIZER_BITS))
    proof = committed.respond(create_challenge(CONTEXT, NONCE, committed.contributions, is_signature=False))
    assert equation_holds(proof)
    with pytest.raises(ResponseSizeError, match=field.replace("[", r"\[")) as refusal:
        verify_proof_list(ProofList((proof,)), [KEY], **SESSION)
    assert refusal.value.departure == "response-size"


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["issuer-1024", "issuer-2048"]), st.integers(0, 1 << 32), st.integers(0, (1 << 256) - 1))
def test_honest_responses_fit_with_the_keyshare_servers_part(name: str, seed: int, challenge: int) -> None:
    """Whatever the challenge: the secret key's response is the sum of the holder's and the server's."""
    pair, random = key_pair(name), SeededRandom(seed)
    secret, share = generate_secret_key(random), random.bits(SECRET_KEY_BITS)
    values = (secret, random.bits(pair.public.params.l_m), random.bits(700), random.bits(pair.public.params.l_m))
    builders = [
        DisclosureBuilder.create(pair.public, sign(pair.private, pair.public, values, random), values, {1}, random),
        CommitmentBuilder.create(pair.public, secret, BLIND, random),
    ]
    randomizer = random.bits(SECRET_RANDOMIZER_BITS)
    disclosed, committed = (builder.commit(randomizer).respond(mpz(challenge)) for builder in builders)
    assert isinstance(disclosed, ProofD)
    assert isinstance(committed, ProofU)
    servers_response = random.bits(SECRET_RANDOMIZER_BITS) + challenge * share
    disclosed.check_structure(pair.public)
    committed.check_structure(pair.public, BLIND)
    merged = {**disclosed.a_responses, 0: disclosed.a_responses[0] + servers_response}
    replace(disclosed, a_responses=merged).check_structure(pair.public)
    replace(committed, s_response=committed.s_response + servers_response).check_structure(pair.public, BLIND)


def test_a_list_of_too_many_proofs_is_not_read() -> None:
    value = disclosure().to_json()
    assert len(ProofList.from_json([value] * 256)) == 256
    with pytest.raises(ProofCountError) as refusal:
        ProofList.from_json([value] * 257)
    assert refusal.value.departure == "proof-count"

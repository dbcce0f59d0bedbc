"""Issuance: commit, sign, construct."""

import json
from dataclasses import replace

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.credential.credential import Credential, generate_secret_key
from idemix.errors import InvalidProofError, InvalidSignatureError, InvalidWitnessError, MalformedAttributeError, MalformedProofError
from idemix.issuance.builder import CredentialBuilder
from idemix.issuance.issuer import sign_credential
from idemix.issuance.messages import IssueCommitmentMessage, IssueSignatureMessage
from idemix.json_text import parse_json
from idemix.messages import DisclosedIndex
from idemix.proofs import ProofList, ProofU, build_proof_list, verify_proof_list
from idemix.revocation import Update, Witness
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

PAIR = key_pair("issuer-1024")
KEY = PAIR.public
CONTEXT, NONCE, NONCE2 = mpz(1), mpz(11), mpz(22)
ATTRIBUTES: list[mpz | None] = [mpz(1001), mpz(1002), None, mpz(1) << 300, None]
BLIND = {3, 5}


def start(random: SeededRandom, blind: set[int]) -> tuple[CredentialBuilder, ProofList]:
    builder = CredentialBuilder.create(KEY, generate_secret_key(random), context=CONTEXT, nonce2=NONCE2, blind_indices=blind, random=random)
    return builder, build_proof_list([builder], context=CONTEXT, nonce=NONCE, is_signature=False, random=random)


def answer(proofs: ProofList, attributes: list[mpz | None], blind: set[int], random: SeededRandom) -> IssueSignatureMessage:
    verify_proof_list(proofs, [KEY], context=CONTEXT, nonce=NONCE, is_signature=False, blind_indices=[blind])
    proof = proofs[0]
    assert isinstance(proof, ProofU)
    return sign_credential(PAIR.private, KEY, proof.U, attributes, nonce2=NONCE2, context=CONTEXT, blind_indices=blind, random=random)


BUILDER, PROOFS = start(SeededRandom("issue"), BLIND)
MESSAGE = answer(PROOFS, ATTRIBUTES, BLIND, SeededRandom("issuer"))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 1 << 300).map(mpz), min_size=1, max_size=7), st.sets(st.integers(2, 7)), st.integers(0, 1 << 32))
def test_what_is_issued_verifies(values: list[mpz], blind: set[int], seed: int) -> None:
    random = SeededRandom(seed)
    blind = {index for index in blind if index <= len(values)}
    attributes = [None if index in blind else value for index, value in enumerate(values, start=1)]
    builder, proofs = start(random, blind)
    message = answer(proofs, attributes, blind, random)
    received = IssueSignatureMessage.from_json(parse_json(json.dumps(message.to_json()), "message"))
    assert received == message
    signature, all_values = builder.construct(received, attributes)
    Credential(KEY, signature, all_values).verify()
    assert all_values[0] == builder.commitment.secret_key
    for index in range(1, len(all_values)):
        if index in blind:
            assert all_values[index] == message.m_issuer[index] + builder.commitment.shares[index]
            assert all_values[index].bit_length() <= KEY.params.l_m
        else:
            assert all_values[index] == values[index - 1]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        pytest.param(replace(MESSAGE, m_issuer={}), MalformedProofError, id="no shares"),
        pytest.param(replace(MESSAGE, m_issuer={**MESSAGE.m_issuer, 4: mpz(1)}), MalformedProofError, id="a share too much"),
        pytest.param(replace(MESSAGE, m_issuer={**MESSAGE.m_issuer, 3: mpz(1)}), InvalidSignatureError, id="another share"),
        pytest.param(replace(MESSAGE, m_issuer={**MESSAGE.m_issuer, 3: mpz(1) << 255}), InvalidProofError, id="share too long"),
        pytest.param(
            replace(MESSAGE, signature=replace(MESSAGE.signature, v=MESSAGE.signature.v + 1)), InvalidSignatureError, id="another v"
        ),
        pytest.param(replace(MESSAGE, signature=replace(MESSAGE.signature, A=MESSAGE.signature.A + 1)), InvalidProofError, id="another A"),
        pytest.param(replace(MESSAGE, proof=replace(MESSAGE.proof, c=MESSAGE.proof.c + 1)), InvalidProofError, id="another proof"),
    ],
)
def test_another_answer_is_refused(message: IssueSignatureMessage, error: type[Exception]) -> None:
    BUILDER.construct(MESSAGE, ATTRIBUTES)
    with pytest.raises(error):
        BUILDER.construct(message, ATTRIBUTES)


def test_answer_with_a_witness() -> None:
    update = Update.initial(PAIR.private, now=1_800_000_000)
    witness = Witness.issue(PAIR.private, update.signed_accumulator, update.verify(KEY))
    attributes = [mpz(1001), witness.e]
    builder, proofs = start(SeededRandom("witness"), set())
    message = replace(answer(proofs, attributes, set(), SeededRandom("issuer")), witness=witness)
    received = IssueSignatureMessage.from_json(parse_json(json.dumps(message.to_json()), "message"))
    assert received == message
    assert list(message.to_json()) == ["proof", "signature", "nonrev"]
    _, values = builder.construct(received, attributes)
    assert values[2] == witness.e
    with pytest.raises(InvalidWitnessError, match="accumulator"):
        builder.construct(replace(message, witness=replace(witness, u=witness.u + 1)), attributes)
    with pytest.raises(InvalidWitnessError, match="attribute"):
        builder.construct(message, [mpz(1001), mpz(1002)])


def test_other_attributes_are_refused() -> None:
    with pytest.raises(InvalidSignatureError):
        BUILDER.construct(MESSAGE, [mpz(1001), mpz(1003), *ATTRIBUTES[2:]])
    with pytest.raises(MalformedProofError, match="missing"):
        BUILDER.construct(MESSAGE, [mpz(1001), None, *ATTRIBUTES[2:]])


@pytest.mark.parametrize(
    ("attributes", "blind"),
    [
        pytest.param([mpz(1), None], set(), id="an attribute missing"),
        pytest.param([mpz(1), mpz(2)], {2}, id="a random blind attribute given"),
        pytest.param([None, mpz(2)], {1}, id="the metadata random blind"),
        pytest.param([mpz(1), mpz(2)], {3}, id="beyond the attributes"),
    ],
)
def test_the_issuer_needs_what_it_signs(attributes: list[mpz | None], blind: set[int]) -> None:
    with pytest.raises(MalformedAttributeError):
        sign_credential(PAIR.private, KEY, mpz(4), attributes, nonce2=NONCE2, context=CONTEXT, blind_indices=blind)


@pytest.mark.parametrize("U", [mpz(0), mpz(1), KEY.N, KEY.N + 4, PAIR.private.p])
def test_the_issuer_signs_no_commitment_outside_the_group(U: mpz) -> None:
    with pytest.raises(InvalidProofError):
        sign_credential(PAIR.private, KEY, U, [mpz(1)], nonce2=NONCE2, context=CONTEXT)


class TestMessages:
    """The JSON of both messages."""

    MESSAGE = IssueCommitmentMessage(NONCE2, PROOFS, {"pbdf": "a.b.c"}, ((DisclosedIndex(0, 1),), ()))

    def test_commitments_come_back(self) -> None:
        assert IssueCommitmentMessage.from_json(parse_json(json.dumps(self.MESSAGE.to_json()), "message")) == self.MESSAGE
        bare = IssueCommitmentMessage(NONCE2, PROOFS)
        assert bare.to_json().keys() == {"n_2", "combinedProofs"}
        assert IssueCommitmentMessage.from_json(bare.to_json()) == bare

    def test_keys_of_newer_parties_are_passed_over(self) -> None:
        assert IssueCommitmentMessage.from_json({**self.MESSAGE.to_json(), "keybinding_pub_keys": []}) == self.MESSAGE
        assert IssueSignatureMessage.from_json({**MESSAGE.to_json(), "new": 1, "nonrev": None}) == MESSAGE

    @pytest.mark.parametrize(
        "change", [{"n_2": None}, {"N_2": 1}, {"proofPJwts": []}, {"proofPJwts": {"a": 1}}, {"indices": {}}, {"combinedProofs": {}}]
    )
    def test_other_commitments_are_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(MalformedProofError):
            IssueCommitmentMessage.from_json({**self.MESSAGE.to_json(), **change})

    @pytest.mark.parametrize("change", [{"proof": None}, {"signature": []}, {"nonrev": {}}, {"m_issuer": {"x": 1}}, {"Proof": {}}])
    def test_other_signatures_are_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(MalformedProofError):
            IssueSignatureMessage.from_json({**MESSAGE.to_json(), **change})

    @pytest.mark.parametrize("value", [None, [], "x"])
    def test_what_is_no_object_is_refused(self, value: object) -> None:
        with pytest.raises(MalformedProofError):
            IssueCommitmentMessage.from_json(value)
        with pytest.raises(MalformedProofError):
            IssueSignatureMessage.from_json(value)

"""What holder and keyshare server send each other."""

from dataclasses import replace
from typing import Any

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedProofError
from idemix.keyshare import ProofP, ProofPCommitment
from idemix.keyshare.messages import ChallengeInput, ResponseRequest, commitments_hash
from idemix.scheme.identifiers import IssuerId, PublicKeyId

NAME = PublicKeyId(IssuerId("irma-demo.RU"), 2)
NUMBERS = st.integers(0, 1 << 4100).map(mpz)
NAMES = st.builds(PublicKeyId, st.sampled_from(["irma-demo.RU", "a-b.c-9"]).map(IssuerId), st.integers(0, 1 << 32))
INPUTS = st.builds(ChallengeInput, st.none() | NAMES, NUMBERS, NUMBERS, st.lists(NUMBERS, max_size=30).map(tuple))


def test_what_is_hashed_is_the_references_cbor() -> None:
    """The bytes are the reference's for this key and these numbers."""
    element = ChallengeInput(NAME, mpz(9), mpz(256))
    expected = "a3636b6579a2666973737565726c69726d612d64656d6f2e525567636f756e746572026376616c410964636f6d6d420100"
    assert element.to_cbor().hex() == expected


def test_what_is_absent_is_left_out() -> None:
    assert ChallengeInput(None, mpz(0), mpz(1)).to_cbor().hex() == "a26376616c4064636f6d6d4101"
    with_others = ChallengeInput(None, mpz(0), mpz(1), (mpz(2), mpz(3)))
    assert with_others.to_cbor().hex() == "a36376616c4064636f6d6d41016a6f74686572436f6d6d738241024103"
    assert with_others.to_json() == {"val": "", "comm": "AQ==", "otherComms": ["Ag==", "Aw=="]}


@given(st.lists(INPUTS, max_size=4), st.integers(0, 3), st.sampled_from(["key", "value", "commitment", "others"]))
def test_any_change_makes_another_hash(inputs: list[ChallengeInput], position: int, name: str) -> None:
    if position >= len(inputs):
        return
    element = inputs[position]
    changes: dict[str, Any] = {
        "key": None if element.key else NAME,
        "value": element.value + 1,
        "commitment": element.commitment + 1,
        "others": (*element.others, mpz(0)),
    }
    changed = [*inputs[:position], replace(element, **{name: changes[name]}), *inputs[position + 1 :]]
    assert commitments_hash(changed) != commitments_hash(inputs)


@given(st.builds(ResponseRequest, st.lists(INPUTS, max_size=4).map(tuple), NUMBERS, NUMBERS, st.booleans(), NUMBERS))
def test_written_and_read(request: ResponseRequest) -> None:
    assert ResponseRequest.from_json(request.to_json()) == request


def test_an_absent_context_is_1() -> None:
    request = ResponseRequest((), mpz(5), mpz(6), False, mpz(7)).to_json()
    del request["context"]
    assert ResponseRequest.from_json(request).context == 1


INPUT = {"key": "irma-demo.RU-2", "val": "AQ==", "comm": "AQ=="}
MALFORMED = {
    "no list": {"UserChallengeInput": None},
    "an input that is none": {"UserChallengeInput": [None]},
    "no value": {"UserChallengeInput": [{**INPUT, "val": None}]},
    "no commitment": {"UserChallengeInput": [{**INPUT, "comm": None}]},
    "a key without number": {"UserChallengeInput": [{**INPUT, "key": "irma-demo.RU"}]},
    "a key with a sign": {"UserChallengeInput": [{**INPUT, "key": "irma-demo.RU-+2"}]},
    "a key without issuer": {"UserChallengeInput": [{**INPUT, "key": "irma-demo-2"}]},
    "a key that is a number": {"UserChallengeInput": [{**INPUT, "key": 2}]},
    "others that are no list": {"UserChallengeInput": [{**INPUT, "otherComms": "AQ=="}]},
    "null among the others": {"UserChallengeInput": [{**INPUT, "otherComms": [None]}]},
    "sig a number": {"sig": 1},
    "no nonce": {"nonce": None},
    "no response": {"resp": None},
    "a key in another case": {"Nonce": "AQ=="},
}


@pytest.mark.parametrize("label", MALFORMED)
def test_malformed_requests_are_refused(label: str) -> None:
    request = ResponseRequest((), mpz(5), mpz(6), False, mpz(7)).to_json()
    with pytest.raises(MalformedProofError):
        ResponseRequest.from_json({**request, **MALFORMED[label]})


@given(NUMBERS, NUMBERS, st.none() | NUMBERS)
def test_proofs_and_commitments_written_and_read(c: mpz, s: mpz, P: mpz | None) -> None:
    proof = ProofP(c, s, P)
    assert ProofP.from_json(proof.to_json()) == proof
    commitment = ProofPCommitment(c, s)
    assert ProofPCommitment.from_json(commitment.to_json()) == commitment


@pytest.mark.parametrize("value", [None, [], {}, {"c": "AQ=="}, {"s_response": "AQ=="}, {"c": "AQ==", "s_response": "AQ==", "p": "AQ=="}])
def test_what_is_no_proof_is_refused(value: object) -> None:
    with pytest.raises(MalformedProofError):
        ProofP.from_json(value)

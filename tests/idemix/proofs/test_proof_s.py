"""The issuer's proof of a signature's correctness."""

from dataclasses import replace

import pytest
from gmpy2 import mpz

from idemix.cl.signature import CLSignature, sign_commitment
from idemix.errors import InvalidProofError, MalformedProofError, ResponseSizeError
from idemix.proofs.proof_s import ProofS, prove_signature
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

PAIR = key_pair("issuer-1024")
KEY = PAIR.public
SIGNATURE, Q = sign_commitment(PAIR.private, KEY, [mpz(5), mpz(6)], mpz(1), SeededRandom("s"))
PROOF = prove_signature(PAIR.private, SIGNATURE, Q, context=1, nonce=77, random=SeededRandom("s"))


def test_holds_and_comes_back() -> None:
    PROOF.verify(KEY, SIGNATURE, context=1, nonce=77)
    assert ProofS.from_json(PROOF.to_json()) == PROOF


@pytest.mark.parametrize(
    ("proof", "signature", "nonce"),
    [
        pytest.param(PROOF, SIGNATURE, 78, id="another nonce"),
        pytest.param(replace(PROOF, c=PROOF.c + 1), SIGNATURE, 77, id="another challenge"),
        pytest.param(replace(PROOF, c=mpz(1) << 256), SIGNATURE, 77, id="challenge too long"),
        pytest.param(replace(PROOF, e_response=PROOF.e_response + 1), SIGNATURE, 77, id="another response"),
        pytest.param(replace(PROOF, e_response=mpz(1) << 1024), SIGNATURE, 77, id="response too long"),
        pytest.param(replace(PROOF, e_response=mpz(-1)), SIGNATURE, 77, id="response negative"),
        pytest.param(PROOF, replace(SIGNATURE, A=SIGNATURE.A + 1), 77, id="another A"),
        pytest.param(PROOF, replace(SIGNATURE, e=SIGNATURE.e + 2), 77, id="another e"),
        pytest.param(PROOF, replace(SIGNATURE, e=mpz(1) << KEY.params.l_e), 77, id="e too long"),
    ],
)
def test_anything_else_is_refused(proof: ProofS, signature: CLSignature, nonce: int) -> None:
    with pytest.raises(InvalidProofError):
        proof.verify(KEY, signature, context=1, nonce=nonce)


@pytest.mark.parametrize("change", [{"c": None}, {"e_response": "!"}, {"x": 1}])
def test_other_json_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(MalformedProofError):
        ProofS.from_json({**PROOF.to_json(), **change})


def test_a_response_that_is_equal_modulo_the_order_but_longer_is_refused() -> None:
    """The equation holds for it; only the length tells."""
    order = PAIR.private.order
    longer = PROOF.e_response + order * ((mpz(1) << KEY.params.l_n) // order + 1)
    with pytest.raises(ResponseSizeError, match=r"proof\.e_response"):
        replace(PROOF, e_response=longer).verify(KEY, SIGNATURE, context=1, nonce=77)

"""The issuer's side: sign what the holder committed to."""

from collections.abc import Collection, Sequence

from gmpy2 import mpz

from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..cl.signature import sign_commitment
from ..errors import MalformedAttributeError
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from ..proofs.checks import check_group_element
from ..proofs.proof_s import prove_signature
from .messages import IssueSignatureMessage


def sign_credential(
    private_key: PrivateKey,
    public_key: PublicKey,
    U: mpz,
    attributes: Sequence[mpz | None],
    *,
    nonce2: mpz | int,
    context: mpz | int,
    blind_indices: Collection[int] = (),
    random: RandomSource = SYSTEM_RANDOM,
    prime: mpz | None = None,
) -> IssueSignatureMessage:
    """Sign attributes together with a holder's commitment.

    The commitment's proof (ProofU) must have been verified before, with these `blind_indices`.

    Args:
        private_key, public_key: one key pair.
        U: the holder's commitment.
        attributes: m_1 … m_k, metadata first; None for each random blind attribute.
        nonce2: the holder's nonce n_2.
        context: the session's.
        blind_indices: the bases of the random blind attributes; 2 is the first attribute after the metadata.
        random: the source of randomness.
        prime: e where it was found before, never used twice.

    Returns:
        The signature with the proof of its correctness, and the issuer's shares of the random blind attributes.

    Raises:
        MalformedAttributeError: a random blind attribute is given, or another is not.
        InvalidProofError: U is not between 1 and N, or has no inverse.
        MalformedProofError: there are more attributes than bases.

    Source: gabi `issuer.go` (IssueSignature, signCommitmentAndAttributes).
    """
    check_group_element(U, public_key, "U")
    shares = {index: random.bits(public_key.params.l_m - 1) for index in blind_indices}
    if any(not 2 <= index <= len(attributes) for index in shares):
        raise MalformedAttributeError("blind_indices", "a random blind attribute is one of the attributes after the metadata")
    values = [mpz(0)]
    for index, attribute in enumerate(attributes, start=1):
        if (attribute is None) != (index in shares):
            raise MalformedAttributeError(f"attributes[{index}]", "given although random blind" if index in shares else "missing")
        values.append(shares[index] if attribute is None else attribute)
    signature, Q = sign_commitment(private_key, public_key, values, U, random, prime)
    proof = prove_signature(private_key, signature, Q, context=context, nonce=nonce2, random=random)
    return IssueSignatureMessage(proof, signature, shares)

"""The holder's side: commit to the secret key, then make a credential of the issuer's answer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Self

from gmpy2 import mpz

from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..cl.signature import CLSignature
from ..errors import InvalidWitnessError, MalformedProofError
from ..keys.public import PublicKey
from ..proofs.checks import check_response
from ..proofs.proof_u import CommitmentBuilder, CommittedCommitment
from .messages import IssueSignatureMessage


@dataclass(frozen=True, slots=True, repr=False)
class CredentialBuilder:
    """Builds the ProofU of one credential and, later, the credential.

    Attributes:
        commitment: the builder of the ProofU.
        context: the session's.
        nonce2: the holder's nonce n_2.
    """

    commitment: CommitmentBuilder
    context: mpz
    nonce2: mpz

    @classmethod
    def create(
        cls,
        public_key: PublicKey,
        secret_key: mpz,
        *,
        context: mpz,
        nonce2: mpz,
        blind_indices: Collection[int] = (),
        random: RandomSource = SYSTEM_RANDOM,
        keyshare_p: mpz | None = None,
    ) -> Self:
        """Choose the random parts of the commitment.

        Args:
            public_key: the key under which the credential will be issued.
            secret_key: the holder's secret key.
            context: the session's.
            nonce2: a fresh nonce, the same for all credentials of the session.
            blind_indices: the bases of the type's random blind attributes.
            random: the source of randomness.
            keyshare_p: the keyshare server's P under that key, where the scheme has one.
        """
        return cls(CommitmentBuilder.create(public_key, secret_key, blind_indices, random, keyshare_p), context, nonce2)

    def commit(self, secret_randomizer: mpz) -> CommittedCommitment:
        """Make the first move of the ProofU."""
        return self.commitment.commit(secret_randomizer)

    def construct(self, message: IssueSignatureMessage, attributes: Sequence[mpz | None]) -> tuple[CLSignature, tuple[mpz, ...]]:
        """Check the issuer's answer and make the credential's signature of it.

        v = v'' + v', and each random blind attribute is the sum of the two shares. With a keyshare server the signature is on its part
        of the secret key as well, of which P is kept.

        Args:
            message: the issuer's answer.
            attributes: m_1 … m_k as the holder computed them from the request; None for each random blind attribute. Where the
                message holds a witness, its e is the revocation attribute.

        Returns:
            The signature and m_0 … m_k.

        Raises:
            InvalidProofError: the issuer's proof does not hold, or a share is too long.
            InvalidSignatureError: the signature is not on these attributes, or the witness' accumulator is not signed.
            InvalidWitnessError: the witness does not belong to its accumulator, or its e is no attribute.
            MalformedProofError: the issuer's shares are not those of the random blind attributes.

        Source: gabi `builder.go` (ConstructCredential).
        """
        public_key = self.commitment.public_key
        shares = self.commitment.shares
        if message.witness is not None:
            message.witness.verify(public_key)
            if message.witness.e not in attributes:
                raise InvalidWitnessError("the witness is for no attribute of the credential")
        message.proof.verify(public_key, message.signature, context=self.context, nonce=self.nonce2)
        if message.m_issuer.keys() != shares.keys():
            raise MalformedProofError("m_issuer", "not exactly the random blind attributes")
        values = [self.commitment.secret_key]
        for index, attribute in enumerate(attributes, start=1):
            if index in shares:
                check_response(message.m_issuer[index], public_key.params.l_m - 1, f"m_issuer[{index}]")
                values.append(message.m_issuer[index] + shares[index])
            elif attribute is None:
                raise MalformedProofError(f"attributes[{index}]", "missing")
            else:
                values.append(attribute)
        signature = replace(message.signature, v=message.signature.v + self.commitment.v_prime, keyshare_p=self.commitment.keyshare_p)
        signature.verify(public_key, values)
        return signature, tuple(values)

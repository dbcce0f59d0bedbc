"""A credential as its holder has it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from gmpy2 import mpz

from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..cl.signature import CLSignature
from ..keys.public import PublicKey
from ..params import SECRET_KEY_BITS
from ..proofs.proof_d import DisclosureBuilder
from ..rangeproof.structure import Statement
from ..revocation.witness import Witness
from .attributes import credential_hash
from .metadata import MetadataAttribute


def generate_secret_key(random: RandomSource = SYSTEM_RANDOM) -> mpz:
    """Return a holder's secret key, uniform in 255 bits whatever the length of the issuers' keys.

    Source: gabi `credential.go` (GenerateSecretAttribute).
    """
    return random.bits(SECRET_KEY_BITS)


@dataclass(frozen=True, slots=True)
class Credential:
    """A signature with what it is on. Its `repr` shows no attribute.

    Attributes:
        public_key: the key under which it was issued.
        signature: the signature.
        attributes: m_0 … m_k: secret key, metadata, attributes.
    """

    public_key: PublicKey = field(repr=False)
    signature: CLSignature = field(repr=False)
    attributes: tuple[mpz, ...] = field(repr=False)

    @property
    def metadata(self) -> MetadataAttribute:
        """The metadata attribute, read.

        Raises:
            MalformedAttributeError: it is not one.
        """
        return MetadataAttribute.decode(self.attributes[1])

    @property
    def hash(self) -> str:
        """See `credential_hash`."""
        return credential_hash(self.attributes[1:])

    def verify(self) -> None:
        """Check the signature on the attributes.

        Raises:
            InvalidSignatureError: it does not hold.
        """
        self.signature.verify(self.public_key, self.attributes)

    def disclosure_builder(
        self,
        disclosed: Collection[int],
        random: RandomSource = SYSTEM_RANDOM,
        statements: Mapping[int, Sequence[Statement]] = MappingProxyType({}),
        *,
        witness: Witness | None = None,
        revocation_index: int | None = None,
    ) -> DisclosureBuilder:
        """Return what builds a ProofD that discloses the attributes with these indices of bases; see `DisclosureBuilder.create`."""
        return DisclosureBuilder.create(
            self.public_key,
            self.signature,
            self.attributes,
            disclosed,
            random,
            statements,
            witness=witness,
            revocation_index=revocation_index,
        )

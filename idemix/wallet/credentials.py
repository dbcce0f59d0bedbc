"""The credentials that a wallet holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from gmpy2 import mpz

from ..arith.randomness import RandomSource
from ..cl.signature import CLSignature
from ..credential.attributes import decode_attribute, decode_random_blind
from ..credential.credential import Credential
from ..credential.metadata import MetadataAttribute
from ..errors import RevokedError, UnknownIdentifierError
from ..integers import decode_integer, encode_integer
from ..proofs import DisclosureBuilder
from ..revocation import Update, Witness
from ..scheme.configuration import Configuration
from ..scheme.descriptions import CredentialType
from ..scheme.identifiers import AttributeTypeId, CredentialTypeId

#: The base of a credential type's first attribute; before it come the secret key and the metadata.
FIRST_ATTRIBUTE = 2
METADATA = 1


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """A credential with the type that its metadata attribute names.

    Attributes:
        type, credential: see there.
        witness: of a credential that can be revoked; None for one that was issued without.
        is_revoked: whether an update said so. The credential is kept, and not offered any more.
    """

    type: CredentialType
    credential: Credential
    witness: Witness | None = field(default=None, repr=False)
    is_revoked: bool = False

    @property
    def hash(self) -> str:
        """Names the credential among others."""
        return self.credential.hash

    @property
    def key_counter(self) -> int:
        """The counter of the key under which it was issued."""
        return self.credential.public_key.counter

    @property
    def revocation_base(self) -> int | None:
        """The base of the revocation attribute, None where the type has none."""
        return None if self.type.revocation_index is None else self.type.revocation_index + FIRST_ATTRIBUTE

    @property
    def next_event(self) -> int | None:
        """The index of the first revocation event that the witness has not seen; None where there is no witness to keep up to date."""
        if self.witness is None or self.is_revoked:
            return None
        return self.witness.signed_accumulator.verify(self.credential.public_key).index + 1

    def updated(self, update: Update) -> Self:
        """Return the credential after a revocation update of its type and key: with its witness renewed, or revoked.

        Raises:
            MissingEventsError: the update starts too late.
            VerificationError, MalformedError: the update does not hold; see `Witness.update`.
        """
        if self.witness is None or self.is_revoked:
            return self
        try:
            return replace(self, witness=self.witness.update(self.credential.public_key, update))
        except RevokedError:
            return replace(self, is_revoked=True)

    def disclosure_builder(self, disclosed: Collection[int], random: RandomSource, *, proves_non_revocation: bool) -> DisclosureBuilder:
        """Return what builds a ProofD that discloses the attributes with these bases.

        Args:
            disclosed: the bases.
            random: the source of randomness.
            proves_non_revocation: whether the credential, which has a witness, is proved not to be revoked.
        """
        witness = self.witness if proves_non_revocation else None
        return self.credential.disclosure_builder(disclosed, random, witness=witness, revocation_index=self.revocation_base)

    def has_expired(self, at: float) -> bool:
        """Whether it has expired at a time in Unix seconds."""
        return self.credential.metadata.expires_at < at

    def base_of(self, identifier: AttributeTypeId | CredentialTypeId) -> int | None:
        """The base on which an attribute, or for the credential as such its metadata, is signed; None where it has none."""
        if isinstance(identifier, CredentialTypeId):
            return METADATA
        attribute = self.type.attribute(identifier.name)
        base = None if attribute is None else attribute.index + FIRST_ATTRIBUTE
        return base if base is not None and base < len(self.credential.attributes) else None

    def value_of(self, identifier: AttributeTypeId | CredentialTypeId) -> str | None:
        """The text of an attribute as a verifier will see it, None where it has no value."""
        base = self.base_of(identifier)
        if base is None:
            return None
        if base == METADATA:
            return "present"
        value = self.credential.attributes[base]
        if self.type.attributes[base - FIRST_ATTRIBUTE].random_blind:
            return decode_random_blind(value)
        return decode_attribute(value, self.credential.metadata.version)

    def to_json(self) -> dict[str, object]:
        """Write the credential without the secret key."""
        result: dict[str, object] = {
            "credential": str(self.type.id),
            "signature": self.credential.signature.to_json(),
            "attributes": [encode_integer(value) for value in self.credential.attributes[1:]],
        }
        if self.witness is not None:
            result["witness"] = self.witness.to_json()
        if self.is_revoked:
            result["revoked"] = True
        return result

    @classmethod
    def from_json(cls, value: Mapping[str, Any], secret_key: mpz, configuration: Configuration) -> Self:
        """Read a credential; type and key are looked up in the schemes.

        Raises:
            UnknownIdentifierError: the schemes do not know its type or its key any more.
            MalformedError: it cannot be read.
        """
        credential_type = configuration.credential_types.get(CredentialTypeId(str(value["credential"])))
        if credential_type is None:
            raise UnknownIdentifierError(str(value["credential"]))
        integers = [decode_integer(item, f"attributes[{i}]") for i, item in enumerate(value["attributes"], start=1)]
        signature = CLSignature.from_json(value["signature"], "signature")
        witness = Witness.from_json(value["witness"], "witness") if "witness" in value else None
        held = cls.of(credential_type, signature, (secret_key, *integers), configuration, witness)
        return replace(held, is_revoked=value.get("revoked") is True)

    @classmethod
    def of(
        cls,
        credential_type: CredentialType,
        signature: CLSignature,
        attributes: tuple[mpz, ...],
        configuration: Configuration,
        witness: Witness | None = None,
    ) -> Self:
        """Put a credential together; its key is the one that its metadata attribute names."""
        counter = MetadataAttribute.decode(attributes[METADATA]).key_counter
        credential = Credential(configuration.public_key(credential_type.issuer, counter), signature, attributes)
        return cls(credential_type, credential, witness)

"""The credentials that a wallet holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gmpy2 import mpz

from ..cl.signature import CLSignature
from ..credential.attributes import decode_attribute, decode_random_blind
from ..credential.credential import Credential
from ..credential.metadata import MetadataAttribute
from ..errors import UnknownIdentifierError
from ..integers import decode_integer, encode_integer
from ..scheme.configuration import Configuration
from ..scheme.descriptions import CredentialType
from ..scheme.identifiers import AttributeTypeId, CredentialTypeId

#: The base of a credential type's first attribute; before it come the secret key and the metadata.
FIRST_ATTRIBUTE = 2
METADATA = 1


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """A credential with the type that its metadata attribute names."""

    type: CredentialType
    credential: Credential

    @property
    def hash(self) -> str:
        """Names the credential among others."""
        return self.credential.hash

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
        return {
            "credential": str(self.type.id),
            "signature": self.credential.signature.to_json(),
            "attributes": [encode_integer(value) for value in self.credential.attributes[1:]],
        }

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
        return cls.of(credential_type, CLSignature.from_json(value["signature"], "signature"), (secret_key, *integers), configuration)

    @classmethod
    def of(cls, credential_type: CredentialType, signature: CLSignature, attributes: tuple[mpz, ...], configuration: Configuration) -> Self:
        """Put a credential together; its key is the one that its metadata attribute names."""
        counter = MetadataAttribute.decode(attributes[METADATA]).key_counter
        return cls(credential_type, Credential(configuration.public_key(credential_type.issuer, counter), signature, attributes))

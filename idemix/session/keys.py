"""Where the engine gets the keys to issue with."""

from typing import Protocol

from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from ..scheme.identifiers import IssuerId


class IssuerKeys(Protocol):
    """The private keys that may sign, with their public keys."""

    def signing_key(self, issuer: IssuerId, counter: int | None = None) -> tuple[PublicKey, PrivateKey]:
        """Return a key pair of an issuer.

        Args:
            issuer: whose key.
            counter: which key; None for the newest that is activated and whose public key the configuration knows.

        Raises:
            UnknownIdentifierError: there is none.
        """
        ...

"""Public keys that requestors publish themselves, as JWK sets (RFC 7517) at an https address."""

from typing import Protocol

from ..requestors.directory import PublicKey


class PublishedKeys(Protocol):
    """Fetches published keys, and keeps them for a while."""

    def key(self, url: str, kid: str) -> PublicKey | None:
        """The key of a name in the set at an address, or None where the set has none for signatures.

        Raises:
            AuthenticationError: the set cannot be fetched or read; the message says so, without details of the network.
        """
        ...

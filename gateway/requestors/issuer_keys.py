"""The issuer keys that one requestor may issue with."""

from typing import Protocol

from idemix.errors import UnknownIdentifierError
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.scheme.identifiers import IssuerId

from .constraints import Constraints


class ActiveIssuerKeys(Protocol):
    """Issuer keys that tell which of them new credentials may be signed with."""

    def signing_key(self, issuer: IssuerId, counter: int | None = None) -> tuple[PublicKey, PrivateKey]:
        """As `idemix.session.keys.IssuerKeys`."""
        ...

    def active_counters(self, issuer: IssuerId) -> set[int]:
        """The counters of the keys that are activated for issuing."""
        ...


class BoundIssuerKeys:
    """`idemix.session.keys.IssuerKeys` of which a requestor may use only some.

    Args:
        keys: all keys.
        constraints: those of the requestor.
    """

    def __init__(self, keys: ActiveIssuerKeys, constraints: Constraints) -> None:
        self._keys = keys
        self._constraints = constraints

    def signing_key(self, issuer: IssuerId, counter: int | None = None) -> tuple[PublicKey, PrivateKey]:
        """The key pair of a counter, as any session needs it that was promised it; without one the newest that the requestor may use.

        Raises:
            UnknownIdentifierError: there is none.
        """
        allowed = self._constraints.keys_of(issuer)
        if counter is not None or allowed is None:
            return self._keys.signing_key(issuer, counter)
        active = self._keys.active_counters(issuer)
        for candidate in allowed:
            if candidate in active:
                try:
                    return self._keys.signing_key(issuer, candidate)
                except UnknownIdentifierError:
                    continue
        raise UnknownIdentifierError(str(issuer), "none of the keys that the requestor may issue with can sign")

"""The issuer keys in custody, as the session engine asks for them."""

from collections.abc import Callable

from idemix.errors import UnknownIdentifierError
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import IssuerId

from .issuer_keys import IssuerKeyRegister


class CustodyIssuerKeys:
    """An `idemix.session.keys.IssuerKeys` over custody.

    A key signs only while it is active, its public key is the one that the published configuration has, and so never before
    clients can know it. Opened keys stay in memory until the register changes.

    Args:
        register: the issuer keys.
        configuration: gives the schemes as published, anew at each call.
    """

    def __init__(self, register: IssuerKeyRegister, configuration: Callable[[], Configuration]) -> None:
        self._register = register
        self._configuration = configuration
        self._active: dict[str, dict[int, str]] | None = None
        self._opened: dict[tuple[str, int], PrivateKey] = {}

    def refresh(self) -> None:
        """Forget what is in memory; for changes of the topic `issuer_keys`."""
        self._active = None
        self._opened = {}

    def signing_key(self, issuer: IssuerId, counter: int | None = None) -> tuple[PublicKey, PrivateKey]:
        """Return the key pair of an issuer.

        Args:
            issuer: whose key.
            counter: which key; None for the newest active one whose public key the configuration has.

        Raises:
            UnknownIdentifierError: there is none.
        """
        registered = self._active
        if registered is None:
            self._active = registered = self._register.active()
        active = registered.get(str(issuer), {})
        published = self._configuration().public_keys(issuer)
        for number in sorted(active, reverse=True):
            if counter not in (None, number) or number not in published:
                continue
            public = published[number]
            if public.fingerprint() != active[number]:
                # Somebody published another key under this number: what we would sign, nobody could verify.
                continue
            return public, self._open(str(issuer), number)
        wanted = str(issuer) if counter is None else f"{issuer}-{counter}"
        raise UnknownIdentifierError(wanted, f"no active private key of {wanted} whose public key is published")

    def _open(self, issuer_id: str, counter: int) -> PrivateKey:
        key = self._opened.get((issuer_id, counter))
        if key is None:
            key = self._register.private_key(issuer_id, counter)
            self._opened[issuer_id, counter] = key
        return key

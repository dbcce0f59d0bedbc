"""Signing a scheme: through a `Signer`, and never with a private key in the caller's hands."""

from dataclasses import dataclass
from typing import Protocol

from idemix.clock import Clock, system_clock
from idemix.scheme.signing import sign_tree
from idemix.scheme.tree import SchemeTree

from ..actor import Actor
from .scheme_keys import SchemeKeyRegister


@dataclass(frozen=True, slots=True)
class Signature:
    """A signed scheme.

    Attributes:
        tree: the approved tree with `timestamp`, `index`, `index.sig` and `pk.pem` made new.
        key_fingerprint: of the key that signed.
    """

    tree: SchemeTree
    key_fingerprint: str


@dataclass(frozen=True, slots=True)
class Pending:
    """The signature is made elsewhere and not there yet.

    Attributes:
        event: what a waiting job is woken by when it has come.
        message: what is waited for, for people.
    """

    event: str
    message: str


class Signer(Protocol):
    """Signs schemes: with a key in custody, in an HSM, or on a machine that never sees the network."""

    def sign(self, tree: SchemeTree) -> Signature | Pending:
        """Sign an approved tree; what it has of `timestamp`, `index`, `index.sig` and `pk.pem` does not count."""
        ...


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """What clients know of a scheme before this signature.

    Attributes:
        public_key: its `pk.pem`.
        timestamp: its `timestamp`, in Unix seconds; the next one is later.
    """

    public_key: bytes
    timestamp: int


class KeystoreSigner:
    """Signs with the scheme's key in custody.

    Args:
        keys: has the key.
        actor: who signs.
        scheme_id: which scheme.
        published: the version that clients have, or None for a scheme never published. It is read from what was published,
            never from the tree to be signed.
        clock: gives the timestamp.
    """

    def __init__(
        self, keys: SchemeKeyRegister, actor: Actor, scheme_id: str, *, published: PublishedVersion | None, clock: Clock = system_clock
    ) -> None:
        self._keys = keys
        self._actor = actor
        self._scheme_id = scheme_id
        self._published = published
        self._clock = clock

    def sign(self, tree: SchemeTree) -> Signature:
        """Sign a tree. Its timestamp is the present second, or the one after the published version's: clients fetch only what is later.

        Raises:
            PermissionDeniedError: the actor may not sign.
            UnknownKeyError: custody does not have the scheme's key.
            WrongSchemeKeyError: the key in custody is not the one that clients know; nothing was signed.
            MalformedSchemeError: the tree cannot be signed.
        """
        key = self._keys.get(self._scheme_id)
        known = None if self._published is None else self._published.public_key
        signed = sign_tree(
            tree,
            lambda index: self._keys.sign(self._actor, self._scheme_id, index, public_key=known),
            key.public_key,
            now=self._timestamp(),
            previous=None if self._published is None else self._published.timestamp,
        )
        return Signature(signed, key.fingerprint)

    def _timestamp(self) -> int:
        now = int(self._clock().timestamp())
        return now if self._published is None else max(now, self._published.timestamp + 1)

"""All requestors as the gateway needs them for a request: one immutable snapshot, from the database or the configuration.

A snapshot answers without a query: who has this name, whose token is this. A change makes a new snapshot.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ..models import AuthMethod
from ..permissions import NO_PERMISSIONS, Permissions


@dataclass(frozen=True, slots=True)
class DirectoryKey:
    """A key with which a requestor authenticates. Exactly one of the three materials is set, by `method`.

    Attributes:
        id: the row of the key, or 0 for a key of the configuration.
        method: how it authenticates; a JWT's algorithm must be that of the method.
        token_hash: HMAC-SHA-256 of the token under the pepper.
        secret: the HMAC secret.
        public_key: the RSA key.
        not_before: when it begins to be valid, or None for always.
        expires_at: when it ceases to be valid, or None for never.
        revoked_at: when it was revoked, or None.
    """

    id: int
    method: AuthMethod
    token_hash: bytes | None = None
    secret: bytes | None = field(default=None, repr=False)
    public_key: RSAPublicKey | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether the key may be used at `now`."""
        begun = self.not_before is None or self.not_before <= now
        return begun and (self.expires_at is None or now < self.expires_at) and (self.revoked_at is None or now < self.revoked_at)


@dataclass(frozen=True, slots=True)
class DirectoryRequestor:
    """A requestor that may start sessions now.

    Attributes:
        name: as in JWTs.
        permissions: its own; the global ones stand in the directory.
        keys: all its keys.
    """

    name: str
    permissions: Permissions = NO_PERMISSIONS
    keys: tuple[DirectoryKey, ...] = ()

    def valid_keys(self, method: AuthMethod, now: datetime) -> tuple[DirectoryKey, ...]:
        """Its keys of one method that may be used at `now`."""
        return tuple(key for key in self.keys if key.method is method and key.is_valid(now))


@dataclass(frozen=True, slots=True)
class RequestorDirectory:
    """All active requestors.

    Attributes:
        requestors: by name.
        tokens: requestor and key, by the hash of the token.
        global_permissions: those that every requestor has.
        pepper: the key of the token hashes.
    """

    requestors: Mapping[str, DirectoryRequestor]
    tokens: Mapping[bytes, tuple[DirectoryRequestor, DirectoryKey]]
    global_permissions: Permissions = NO_PERMISSIONS
    pepper: bytes = field(default=b"", repr=False)

    @classmethod
    def of(
        cls, requestors: Iterable[DirectoryRequestor], *, pepper: bytes, global_permissions: Permissions = NO_PERMISSIONS
    ) -> "RequestorDirectory":
        """Make the directory of some requestors."""
        by_name = {requestor.name: requestor for requestor in requestors}
        tokens = {
            key.token_hash: (requestor, key) for requestor in by_name.values() for key in requestor.keys if key.token_hash is not None
        }
        return cls(MappingProxyType(by_name), MappingProxyType(tokens), global_permissions, pepper)

    def by_token(self, token: str) -> tuple[DirectoryRequestor, DirectoryKey] | None:
        """Who has this token, whether or not its key is valid now; it is found by its hash, so in the same time for any token."""
        return self.tokens.get(hash_token(token, self.pepper))


def hash_token(token: str, pepper: bytes) -> bytes:
    """HMAC-SHA-256 of a token under the pepper: what is stored of it."""
    return hmac.new(pepper, token.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()

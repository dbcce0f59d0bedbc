"""All requestors as the gateway needs them for a request: one immutable snapshot, from the database or the configuration.

A snapshot answers without a query: who has this name, whose token is this. A change makes a new snapshot.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ..models import AuthMethod, JwtAlgorithm
from ..permissions import NO_PERMISSIONS, Permissions
from .constraints import NO_CONSTRAINTS, Constraints
from .limits import NO_LIMITS, Limits

#: What JWTs of requestors are verified with: RSA for RS256, the curve P-256 for ES256, Ed25519 for EdDSA.
PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class DirectoryKey:
    """A key with which a requestor authenticates. Exactly one of the four materials is set, by `method`.

    Attributes:
        id: the row of the key, or 0 for a key of the configuration.
        method: how it authenticates.
        token_hash: HMAC-SHA-256 of the token under the pepper.
        secret: the HMAC secret.
        public_key: the public key.
        jwks_url: where the requestor publishes public keys.
        kid: the name of the key in the header of JWTs, or None.
        not_before: when it begins to be valid, or None for always.
        expires_at: when it ceases to be valid, or None for never.
        revoked_at: when it was revoked, or None.
    """

    id: int
    method: AuthMethod
    token_hash: bytes | None = None
    secret: bytes | None = field(default=None, repr=False)
    public_key: PublicKey | None = None
    jwks_url: str | None = None
    kid: str | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def algorithm(self) -> JwtAlgorithm | None:
        """The one algorithm that JWTs under the key are signed with; None of a token, and of published keys, which each have their own."""
        if self.secret is not None:
            return JwtAlgorithm.HS256
        return None if self.public_key is None else algorithm_of(self.public_key)

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
        limits: how much it may ask, from where and when.
        constraints: what narrows its permissions.
    """

    name: str
    permissions: Permissions = NO_PERMISSIONS
    keys: tuple[DirectoryKey, ...] = ()
    limits: Limits = NO_LIMITS
    constraints: Constraints = NO_CONSTRAINTS

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
        suspended: the reason by name, of those that are suspended.
    """

    requestors: Mapping[str, DirectoryRequestor]
    tokens: Mapping[bytes, tuple[DirectoryRequestor, DirectoryKey]]
    global_permissions: Permissions = NO_PERMISSIONS
    pepper: bytes = field(default=b"", repr=False)
    suspended: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        requestors: Iterable[DirectoryRequestor],
        *,
        pepper: bytes,
        global_permissions: Permissions = NO_PERMISSIONS,
        suspended: Mapping[str, str] | None = None,
    ) -> "RequestorDirectory":
        """Make the directory of some requestors."""
        by_name = {requestor.name: requestor for requestor in requestors}
        tokens = {
            key.token_hash: (requestor, key) for requestor in by_name.values() for key in requestor.keys if key.token_hash is not None
        }
        return cls(MappingProxyType(by_name), MappingProxyType(tokens), global_permissions, pepper, MappingProxyType(dict(suspended or {})))

    def by_token(self, token: str) -> tuple[DirectoryRequestor, DirectoryKey] | None:
        """Who has this token, whether or not its key is valid now; it is found by its hash, so in the same time for any token."""
        return self.tokens.get(hash_token(token, self.pepper))


def algorithm_of(key: PublicKey) -> JwtAlgorithm:
    """The algorithm that a public key is bound to by its kind."""
    if isinstance(key, RSAPublicKey):
        return JwtAlgorithm.RS256
    return JwtAlgorithm.EDDSA if isinstance(key, Ed25519PublicKey) else JwtAlgorithm.ES256


def hash_token(token: str, pepper: bytes) -> bytes:
    """HMAC-SHA-256 of a token under the pepper: what is stored of it."""
    return hmac.new(pepper, token.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()

"""Public keys that requestors publish at an address of theirs as a JSON Web Key Set (RFC 7517).

A set is fetched when it is first needed, kept for as long as its server allows within bounds, and fetched again when a key is
asked that it does not hold: so a requestor may change its key without telling anybody. Sets that cannot be fetched stay in use as
they were, but not for ever: a key that its owner took away must not live on because somebody keeps us from noticing.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from ..addresses import AddressRefusedError
from ..errors import AuthenticationError
from ..outbound import OutboundClient, OutboundError

log = structlog.get_logger(__name__)

JwksKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

#: How long a set is kept that says nothing about it; what it says counts within the two bounds.
DEFAULT_AGE_SECONDS: Final = 600.0
MIN_AGE_SECONDS: Final = 60.0
MAX_AGE_SECONDS: Final = 86_400.0
#: How long a set that cannot be fetched again stays in use.
MAX_STALE_SECONDS: Final = 86_400.0
#: Between two fetches of one set, whatever is asked of it.
REFRESH_SECONDS: Final = 60.0
TIMEOUT_SECONDS: Final = 5.0
MAX_SET_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 100
MIN_RSA_BITS: Final = 2048

_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])", re.IGNORECASE)


class JwksError(AuthenticationError):
    """A requestor's key set cannot be had, or does not hold the key that is asked."""


@dataclass(slots=True)
class _Set:
    """A key set: keys by their `kid`, and when it was and may be fetched, by the monotonic clock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: Mapping[str | None, JwksKey] = field(default_factory=dict)
    fetched_at: float | None = None
    fresh_until: float = 0.0
    next_fetch_at: float = 0.0


class JwksCache:
    """The key sets that are in use.

    Args:
        client: calls the addresses.
        https_only: whether the addresses must be https, as in production.
        seconds: a clock that never goes back.
    """

    def __init__(self, client: OutboundClient, *, https_only: bool, seconds: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._https_only = https_only
        self._seconds = seconds
        self._sets: dict[str, _Set] = {}
        self._lock = threading.Lock()

    def key(self, url: str, kid: str | None) -> JwksKey:
        """Give a public key of a set.

        Args:
            url: where the set is published.
            kid: the key's id; None takes the only key of a set.

        Raises:
            JwksError: there is no such key, or no set.
        """
        with self._lock:
            kept = self._sets.setdefault(url, _Set())
        now = self._seconds()
        if now >= kept.fresh_until or self._find(kept, kid, now) is None:
            self._refresh(url, kept, wait=self._find(kept, kid, now) is None)
        found = self._find(kept, kid, self._seconds())
        if found is None:
            raise JwksError(
                "the requestor's key set cannot be fetched" if kept.fetched_at is None else "the requestor's key set has no such key"
            )
        return found

    def _find(self, kept: _Set, kid: str | None, now: float) -> JwksKey | None:
        if kept.fetched_at is None or now > kept.fresh_until + MAX_STALE_SECONDS:
            return None
        if kid is None:
            return next(iter(kept.keys.values())) if len(kept.keys) == 1 else None
        return kept.keys.get(kid)

    def _refresh(self, url: str, kept: _Set, *, wait: bool) -> None:
        """Fetch a set, in one thread at a time; the others wait for it only where they cannot do with what is there."""
        if not kept.lock.acquire(blocking=wait):
            return
        try:
            now = self._seconds()
            if now < kept.next_fetch_at:
                return
            kept.next_fetch_at = now + REFRESH_SECONDS
            try:
                answer = self._client.get(
                    url,
                    headers={"Accept": "application/jwk-set+json, application/json"},
                    max_bytes=MAX_SET_BYTES,
                    timeout_seconds=TIMEOUT_SECONDS,
                    https_only=self._https_only,
                )
                if answer.status != 200:
                    raise JwksError(f"status {answer.status}")
                keys = read_key_set(answer.body)
            except (AddressRefusedError, OutboundError, JwksError) as error:
                log.warning("jwks.not_fetched", error=str(error), kept=len(kept.keys))
                return
            said = _MAX_AGE.search(answer.headers.get("cache-control", ""))
            age = DEFAULT_AGE_SECONDS if said is None else min(max(float(said[1]), MIN_AGE_SECONDS), MAX_AGE_SECONDS)
            kept.keys, kept.fetched_at, kept.fresh_until = keys, now, now + age
        finally:
            kept.lock.release()


def read_key_set(content: bytes) -> dict[str | None, JwksKey]:
    """Read a key set: the public keys for signatures by their `kid`; others are passed over, as RFC 7517, section 5, asks.

    Raises:
        JwksError: it is none.
    """
    try:
        listed = json.loads(content)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise JwksError("is no key set: it must be an object with a list “keys”") from error
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise JwksError(f"is no key set: “keys” must be a list of at most {MAX_KEYS}")
    keys: dict[str | None, JwksKey] = {}
    for entry in listed:
        key = _read_key(entry)
        if key is not None:
            keys.setdefault(entry.get("kid"), key)
    return keys


def _read_key(entry: Any) -> JwksKey | None:
    """A public key for signatures, or None."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid"), (str, type(None))):
        return None
    if entry.get("kty") not in ("RSA", "EC", "OKP") or "d" in entry:
        return None
    try:
        key = PyJWK.from_dict(entry).key
    except (PyJWTError, ValueError, TypeError):
        return None
    if isinstance(key, RSAPublicKey):
        return key if key.key_size >= MIN_RSA_BITS else None
    return key if isinstance(key, (EllipticCurvePublicKey, Ed25519PublicKey)) else None

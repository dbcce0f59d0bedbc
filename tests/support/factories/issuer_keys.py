"""Issuer keys for tests, made once in a run."""

from datetime import UTC, datetime
from functools import lru_cache

from idemix.arith.randomness import SYSTEM_RANDOM
from idemix.keys.generate import KeyPair, generate_key_pair

#: When the keys of tests expire.
EXPIRES_AT = datetime(2030, 1, 1, tzinfo=UTC)


def issuer_key_1024(counter: int = 0, bases: int = 6) -> KeyPair:
    """A key pair of 1024 bits, the same for the same counter and bases."""
    return _made(counter, bases)


@lru_cache
def _made(counter: int, bases: int) -> KeyPair:
    return generate_key_pair(1024, counter=counter, expires_at=int(EXPIRES_AT.timestamp()), bases=bases, random=SYSTEM_RANDOM)

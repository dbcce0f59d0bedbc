"""Issuer keys for tests, made once by `idemix.keys.generate`. They protect nothing."""

import functools
from pathlib import Path

from idemix.keys.generate import KeyPair
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey

_FOLDER = Path(__file__).parent


@functools.cache
def key_pair(name: str) -> KeyPair:
    """Return the key pair `issuer-1024`, `other-1024` or `issuer-2048`; each has 8 bases and expires in 2038."""
    public = PublicKey.from_xml((_FOLDER / f"{name}.public.xml").read_bytes())
    return KeyPair(public, PrivateKey.from_xml((_FOLDER / f"{name}.private.xml").read_bytes(), demo=True))

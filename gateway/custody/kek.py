"""The key-encryption keys: from a file or the environment, never from the database.

A source holds one key a line, the base64 of 32 random bytes; lines that begin with `#` are remarks. The first key wraps, all of
them unwrap: to change the key, put a new one on top, start anew, run `irmahub custody rewrap`, then remove the old one.
"""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import BrokenEnvelopeError, MalformedKekError, MissingKekError

KEK_BYTES: Final = 32
NONCE_BYTES: Final = 12

#: The environment variable that takes the place of the file.
KEK_VARIABLE: Final = "IRMAHUB_KEK"


class KeyEncryptionKey(Protocol):
    """Wraps data keys. Kept as a protocol, so that a key in an HSM or a cloud service can take its place."""

    @property
    def id(self) -> str:
        """Names the key in envelopes, without telling anything of it."""
        ...

    def wrap(self, data_key: bytes, associated: bytes) -> bytes:
        """Encrypt a data key."""
        ...

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        """Decrypt a data key.

        Raises:
            BrokenEnvelopeError: it was not wrapped by this key, or not with this associated data.
        """
        ...


class LocalKek:
    """A key-encryption key of 32 bytes in memory; AES-256-GCM. Its id is its fingerprint: 64 bits of SHA-256, as hex."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEK_BYTES:
            raise ValueError(f"a key-encryption key has {KEK_BYTES} bytes")
        self._cipher = AESGCM(key)
        self._id = hashlib.sha256(b"irmahub key-encryption key\n" + key).hexdigest()[:16]

    @property
    def id(self) -> str:
        return self._id

    def wrap(self, data_key: bytes, associated: bytes) -> bytes:
        return encrypt(self._cipher, data_key, associated)

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        return decrypt(self._cipher, wrapped, associated)


class KeyRing:
    """The key-encryption keys of a process.

    Attributes:
        current: the one that wraps.
    """

    def __init__(self, keys: Sequence[KeyEncryptionKey]) -> None:
        if not keys:
            raise ValueError("a ring has at least one key")
        self.current = keys[0]
        self._by_id = {key.id: key for key in keys}

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys."""
        return frozenset(self._by_id)

    def get(self, kek_id: str) -> KeyEncryptionKey:
        """Find a key.

        Raises:
            MissingKekError: it is not in the ring.
        """
        try:
            return self._by_id[kek_id]
        except KeyError:
            raise MissingKekError({kek_id: 1}) from None

    @classmethod
    def from_text(cls, text: str, where: str) -> "KeyRing":
        """Read keys, one a line.

        Raises:
            MalformedKekError: a line is no key, or there is none.
        """
        keys: list[KeyEncryptionKey] = []
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                key = base64.b64decode(line.strip(), validate=True)
            except binascii.Error:
                key = b""
            if len(key) != KEK_BYTES:
                # The line itself stays out of the message: it may be a key with a slip.
                raise MalformedKekError(where, f"line {number} must be the base64 of {KEK_BYTES} bytes")
            keys.append(LocalKek(key))
        if not keys:
            raise MalformedKekError(where, f"must hold at least one key, the base64 of {KEK_BYTES} bytes")
        return cls(keys)

    @classmethod
    def load(cls, path: Path, environment: Mapping[str, str] | None = None) -> "KeyRing":
        """Read the keys from IRMAHUB_KEK or, where that is not set, from a file.

        Raises:
            MalformedKekError: there is neither, or one that cannot be read.
        """
        text = (os.environ if environment is None else environment).get(KEK_VARIABLE)
        if text:
            return cls.from_text(text, KEK_VARIABLE)
        try:
            content = path.read_text("ascii")
        except FileNotFoundError:
            raise MalformedKekError(str(path), f"there is no key file, nor {KEK_VARIABLE}; make one with `irmahub custody init`") from None
        except (OSError, UnicodeDecodeError) as error:
            raise MalformedKekError(str(path), f"cannot be read ({type(error).__name__})") from error
        return cls.from_text(content, str(path))

    @classmethod
    def load_or_create(cls, path: Path, environment: Mapping[str, str] | None = None) -> "KeyRing":
        """Like `load`, and make the file where there is neither: for the embedded default."""
        if not (os.environ if environment is None else environment).get(KEK_VARIABLE) and not path.exists():
            create_kek_file(path)
        return cls.load(path, environment)


def create_kek_file(path: Path) -> str:
    """Make a file with a new key, readable by its owner alone; an existing file stays as it is.

    Returns:
        The id of the file's current key.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write("# Key-encryption keys of irmahub: the first wraps, all unwrap. Without them the keys in custody are lost.\n")
        file.write(base64.b64encode(secrets.token_bytes(KEK_BYTES)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link, unlike a rename, fails where another process was first.
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return KeyRing.load(path, {}).current.id


def encrypt(cipher: AESGCM, plain: bytes, associated: bytes) -> bytes:
    """AES-256-GCM: nonce (12 random bytes), ciphertext, tag (16 bytes)."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, associated)


def decrypt(cipher: AESGCM, sealed: bytes, associated: bytes) -> bytes:
    """Undo `encrypt`.

    Raises:
        BrokenEnvelopeError: key, text or associated data are not those of the encryption.
    """
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
    except (InvalidTag, ValueError) as error:
        raise BrokenEnvelopeError("an envelope does not open under its key") from error

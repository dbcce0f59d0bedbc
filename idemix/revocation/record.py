"""Issuance records: what an issuer keeps of a revocable credential. An issuer that is not the authority posts them there, signed.

Source: irmago `irma/revocation.go`, `irma/revocation_db.go` (IssuanceRecord).
"""

from dataclasses import dataclass
from typing import Any, Self

from gmpy2 import mpz

from .. import cbor
from ..errors import InvalidSignatureError, MalformedProofError
from ..integers import integer_to_bytes
from ..json_text import check_spelling
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from .accumulator import check_prime
from .notation import CBOR, read_nanoseconds, read_unsigned

#: The longest signed record that is read.
MAX_RECORD_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class IssuanceRecord:
    """A credential that can be revoked.

    Attributes:
        revocation_key: the requestor's name for it; not secret from the issuer, and not unique.
        credential_type: its identifier.
        key_counter: the issuer's key.
        prime: its revocation attribute.
        issued_ns: when it was issued, Unix nanoseconds.
        valid_until_ns: when it expires.
        revoked_ns: when it was revoked; 0 while it is not.
    """

    revocation_key: str
    credential_type: str
    key_counter: int
    prime: mpz
    issued_ns: int
    valid_until_ns: int
    revoked_ns: int = 0

    def sign(self, private_key: PrivateKey) -> bytes:
        """Return the record as a signed message, for the revocation authority.

        Raises:
            MalformedKeyError: the key does not support revocation.
        """
        return cbor.sign_message(private_key.ecdsa, self._fields())

    def to_cbor(self) -> bytes:
        """Return the CBOR that is signed."""
        return cbor.encode(self._fields())

    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "Key": self.revocation_key,
            "CredType": self.credential_type,
            "Issued": self.issued_ns,
            "PKCounter": self.key_counter,
            "Attr": integer_to_bytes(self.prime),
            "ValidUntil": self.valid_until_ns,
        }
        return {**fields, "RevokedAt": self.revoked_ns} if self.revoked_ns else fields

    @classmethod
    def open(cls, data: bytes, public_key: PublicKey, where: str = "issuance record") -> Self:
        """Check and read a signed record.

        Args:
            data: the signed message.
            public_key: the issuer's key to which it was posted.
            where: what it is, for errors.

        Raises:
            InvalidSignatureError: the signature does not hold, or the record is about another key.
            MalformedKeyError: the key does not support revocation.
            MalformedProofError: it cannot be read.
        """
        if len(data) > MAX_RECORD_BYTES:
            raise MalformedProofError(where, f"longer than {MAX_RECORD_BYTES} bytes", departure="revocation-limits")
        record = cls._read(cbor.open_message(public_key.ecdsa, data, where), where)
        if record.key_counter != public_key.counter:
            raise InvalidSignatureError(f"{where}: about key {record.key_counter}, not {public_key.counter}", departure="record-key")
        return record

    @classmethod
    def _read(cls, value: Any, where: str) -> Self:
        names = {"Key", "CredType", "Issued", "PKCounter", "Attr", "ValidUntil", "RevokedAt"}
        fields = check_spelling(value, names, where)
        key, credential_type = fields.get("Key"), fields.get("CredType")
        if not isinstance(key, str) or not isinstance(credential_type, str):
            raise MalformedProofError(where, "expected Key and CredType as text")
        return cls(
            revocation_key=key,
            credential_type=credential_type,
            key_counter=read_unsigned(fields.get("PKCounter"), f"{where}.PKCounter"),
            prime=check_prime(CBOR.read_integer(fields.get("Attr"), f"{where}.Attr"), f"{where}.Attr"),
            issued_ns=read_nanoseconds(fields.get("Issued"), f"{where}.Issued"),
            valid_until_ns=read_nanoseconds(fields.get("ValidUntil"), f"{where}.ValidUntil"),
            revoked_ns=read_nanoseconds(fields.get("RevokedAt", 0), f"{where}.RevokedAt"),
        )

"""The metadata attribute, m_1 of every credential: 24 bytes, read as one big-endian integer.

    0  version   1  signing date (3)   4  validity (2)   6  key counter (2)   8  credential type (16)

The signing date and the validity are in weeks of 604,800 seconds, the first since the Unix epoch; the credential type is
the start of the SHA-256 of its identifier. Source: irmago `irma/attributes.go`.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from gmpy2 import mpz

from ..errors import MalformedAttributeError
from ..integers import integer_from_bytes, integer_to_bytes

WEEK_SECONDS: Final = 604_800

#: What fits into the two bytes of the validity.
MAX_VALIDITY_WEEKS: Final = 0xFFFF

#: The version of the metadata attribute that is issued.
METADATA_VERSION: Final = 3

_LENGTH: Final = 24
_HASH_LENGTH: Final = 16
_DEFAULT_VALIDITY_MONTHS: Final = 6


def credential_type_hash(identifier: str) -> bytes:
    """Return the 16 bytes that stand for a credential type, e.g. `irma-demo.RU.studentCard`."""
    return hashlib.sha256(identifier.encode()).digest()[:_HASH_LENGTH]


def floor_to_week(unix_seconds: int) -> int:
    """Round a Unix time towards 1970 to a whole number of weeks."""
    weeks = abs(unix_seconds) // WEEK_SECONDS
    return weeks * WEEK_SECONDS if unix_seconds >= 0 else -weeks * WEEK_SECONDS


def default_expiry(unix_seconds: int) -> int:
    """Return the moment six calendar months later; a day that the month lacks runs over into the next."""
    moment = datetime.fromtimestamp(unix_seconds, UTC)
    years, month = divmod(moment.month - 1 + _DEFAULT_VALIDITY_MONTHS, 12)
    first = moment.replace(year=moment.year + years, month=month + 1, day=1)
    return int((first + timedelta(days=moment.day - 1)).timestamp())


@dataclass(frozen=True, slots=True)
class MetadataAttribute:
    """The metadata attribute.

    Attributes:
        version: 3; 2 in credentials of older protocols.
        signing_week: weeks from the Unix epoch to the signing.
        validity_weeks: weeks from there to the expiry.
        key_counter: the counter of the issuer's public key.
        credential_type_hash: see `credential_type_hash`.
    """

    version: int
    signing_week: int
    validity_weeks: int
    key_counter: int
    credential_type_hash: bytes

    def __post_init__(self) -> None:
        bounds = {"version": 1, "signing_week": 2, "validity_weeks": 2, "key_counter": 2}
        for name, length in bounds.items():
            value = getattr(self, name)
            if not 0 <= value < 1 << 8 * length:
                raise MalformedAttributeError(f"metadata.{name}", f"{value} does not fit into {length} bytes", departure="metadata-range")
        if len(self.credential_type_hash) != _HASH_LENGTH:
            raise MalformedAttributeError("metadata.credential_type_hash", f"expected {_HASH_LENGTH} bytes")

    @classmethod
    def create(
        cls, credential_type: str, *, signed_at: int, expires_at: int | None, key_counter: int, version: int = METADATA_VERSION
    ) -> Self:
        """Make the metadata of a new credential.

        Args:
            credential_type: its identifier.
            signed_at: Unix seconds, rounded down to the week.
            expires_at: Unix seconds, rounded down so that it is a whole number of weeks after the signing; None for six months.
            key_counter: the counter of the key that will sign.
            version: of the attribute.

        Raises:
            MalformedAttributeError: it expires before it is signed, or a number does not fit.
        """
        signing_date = floor_to_week(signed_at)
        expiry = default_expiry(signing_date) if expires_at is None else expires_at
        if expiry < signing_date:
            raise MalformedAttributeError("metadata.validity_weeks", "a credential expires after it is signed")
        return cls(
            version=version,
            signing_week=signing_date // WEEK_SECONDS,
            validity_weeks=(expiry - signing_date) // WEEK_SECONDS,
            key_counter=key_counter,
            credential_type_hash=credential_type_hash(credential_type),
        )

    @property
    def signed_at(self) -> int:
        """The start of the week of signing, in Unix seconds."""
        return self.signing_week * WEEK_SECONDS

    @property
    def expires_at(self) -> int:
        """The end of the validity, in Unix seconds."""
        return (self.signing_week + self.validity_weeks) * WEEK_SECONDS

    def is_valid_on(self, unix_seconds: int) -> bool:
        """Whether the expiry lies after a moment."""
        return self.expires_at > unix_seconds

    def encode(self) -> mpz:
        """Return the attribute."""
        return integer_from_bytes(
            self.version.to_bytes(1, "big")
            + self.signing_week.to_bytes(3, "big")
            + self.validity_weeks.to_bytes(2, "big")
            + self.key_counter.to_bytes(2, "big")
            + self.credential_type_hash
        )

    @classmethod
    def decode(cls, attribute: mpz) -> Self:
        """Read the attribute. Of the signing date the last two bytes count, as in the reference.

        Raises:
            MalformedAttributeError: it is longer than 24 bytes (departure `metadata-range`).
        """
        if attribute < 0 or attribute.bit_length() > 8 * _LENGTH:
            raise MalformedAttributeError("metadata", f"longer than {_LENGTH} bytes", departure="metadata-range")
        data = integer_to_bytes(attribute).rjust(_LENGTH, b"\0")
        return cls(
            version=data[0],
            signing_week=int.from_bytes(data[2:4], "big"),
            validity_weeks=int.from_bytes(data[4:6], "big"),
            key_counter=int.from_bytes(data[6:8], "big"),
            credential_type_hash=data[8:],
        )

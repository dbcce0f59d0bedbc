"""What custody tells of the keys it holds; nothing here is secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ..models import EnvelopeKind, IssuerKeyState


@dataclass(frozen=True, slots=True)
class IssuerKeyInfo:
    """An issuer key in the register. Fields as in `gateway.models.IssuerKey`; `in_custody` tells whether its private key is here."""

    id: int
    issuer_id: str
    counter: int
    modulus_bits: int
    bases: int
    revocable: bool
    fingerprint: str
    state: IssuerKeyState
    in_custody: bool
    created_at: datetime
    expires_at: datetime
    published_at: datetime | None
    seen_live_at: datetime | None
    activated_at: datetime | None
    retired_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class SchemeKeyInfo:
    """A scheme's key.

    Attributes:
        public_key: the file `pk.pem`.
        fingerprint: SHA-256 of the DER of the public key, hex.
    """

    scheme_id: str
    public_key: bytes
    fingerprint: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CustodyStatus:
    """How custody stands.

    Attributes:
        current_kek: the id of the key-encryption key that wraps.
        keks: id of each key-encryption key in use to the number of envelopes under it.
        missing: those of them that this process does not have.
        envelopes: number of envelopes by kind.
    """

    current_kek: str
    keks: Mapping[str, int]
    missing: Mapping[str, int]
    envelopes: Mapping[EnvelopeKind, int]

    @property
    def to_rewrap(self) -> int:
        """How many envelopes lie under another key than the current one."""
        return sum(count for kek_id, count in self.keks.items() if kek_id != self.current_kek)

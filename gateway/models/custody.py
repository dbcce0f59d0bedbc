"""Secrets in envelopes, and the register of issuer keys."""

from datetime import datetime
from enum import Enum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, RowId, Word


class EnvelopeKind(Enum):
    """What lies in an envelope."""

    ISSUER_KEY = "issuer_key"
    SCHEME_KEY = "scheme_key"
    HMAC_SECRET = "hmac_secret"  # noqa: S105 - the name of a kind
    PEPPER = "pepper"
    JWT_KEY = "jwt_key"


class Envelope(Base):
    """A secret under a key of its own (AES-256-GCM), which lies wrapped under a key-encryption key.

    Kind, subject and counter name the secret and are bound to both encryptions as associated data.

    Attributes:
        subject: whose secret it is: an issuer id, a scheme id, `requestor:ID`, or the empty string for the gateway's own.
        counter: which one of the subject's, from 0.
        fingerprint: what may be shown of it.
        public: the public part (PEM or XML), where there is one.
        kek_id: the key-encryption key that wraps `wrapped_key`.
        wrapped_key: nonce (12 bytes), encrypted data key, tag (16 bytes).
        ciphertext: nonce (12 bytes), encrypted secret, tag (16 bytes).
    """

    __tablename__ = "envelopes"
    __table_args__ = (UniqueConstraint("kind", "subject", "counter"),)

    id: Mapped[RowId]
    kind: Mapped[EnvelopeKind] = mapped_column(Word(EnvelopeKind))
    subject: Mapped[str] = mapped_column(String(200))
    counter: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(String(100))
    public: Mapped[str | None]
    kek_id: Mapped[str] = mapped_column(String(32), index=True)
    wrapped_key: Mapped[bytes]
    ciphertext: Mapped[bytes]
    created_at: Mapped[datetime]
    rewrapped_at: Mapped[datetime | None]


class IssuerKeyState(Enum):
    """The life of an issuer key, in order. Only an active key signs."""

    GENERATED = "generated"
    PUBLISHED = "published"
    SEEN_LIVE = "seen_live"
    ACTIVE = "active"
    RETIRED = "retired"


class IssuerKey(Base):
    """One numbered key of an issuer: in the register from its making to after its retirement.

    Attributes:
        issuer_id: `scheme.issuer`.
        bases: how many R_i the public key has; it serves credentials of at most `bases` - 2 attributes.
        fingerprint: of the public key.
        public_xml: the file `PublicKeys/N.xml` as it is to be published.
        envelope_id: the private key in custody; None where the private key is kept elsewhere.
        revocable: the key supports revocation (it has G, H and an ECDSA key).
    """

    __tablename__ = "issuer_keys"
    __table_args__ = (UniqueConstraint("issuer_id", "counter"),)

    id: Mapped[RowId]
    issuer_id: Mapped[str] = mapped_column(String(200))
    counter: Mapped[int]
    modulus_bits: Mapped[int]
    bases: Mapped[int]
    revocable: Mapped[bool]
    fingerprint: Mapped[str] = mapped_column(String(100))
    public_xml: Mapped[str]
    envelope_id: Mapped[int | None] = mapped_column(ForeignKey("envelopes.id", ondelete="RESTRICT"), unique=True)
    state: Mapped[IssuerKeyState] = mapped_column(Word(IssuerKeyState), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    published_at: Mapped[datetime | None]
    seen_live_at: Mapped[datetime | None]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    envelope: Mapped[Envelope | None] = relationship()

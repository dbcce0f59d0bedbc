"""Sealing a secret in an envelope, opening it, wrapping its data key anew; and the rows that hold the envelopes."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from idemix.clock import Clock

from ..inputs import NotFoundError
from ..models import Envelope, EnvelopeKind
from .errors import BrokenEnvelopeError
from .kek import KeyRing, decrypt, encrypt


@dataclass(frozen=True, slots=True)
class EnvelopeName:
    """What an envelope holds and whose; bound to its encryption. Fields as in `gateway.models.Envelope`."""

    kind: EnvelopeKind
    subject: str
    counter: int

    def associated(self, part: str) -> bytes:
        """The associated data for one of its two encryptions, `key` or `secret`; distinct names give distinct bytes."""
        return json.dumps(["irmahub envelope 1", part, self.kind.value, self.subject, self.counter]).encode()

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.subject}-{self.counter}" if self.subject else self.kind.value


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """The encrypted parts of an envelope."""

    kek_id: str
    wrapped_key: bytes
    ciphertext: bytes


def seal(ring: KeyRing, name: EnvelopeName, secret: bytes) -> SealedSecret:
    """Encrypt a secret under a fresh data key, and that under the current key-encryption key."""
    data_key = secrets.token_bytes(32)
    return SealedSecret(
        ring.current.id,
        ring.current.wrap(data_key, name.associated("key")),
        encrypt(AESGCM(data_key), secret, name.associated("secret")),
    )


def unseal(ring: KeyRing, name: EnvelopeName, sealed: SealedSecret) -> bytes:
    """Decrypt a secret.

    Raises:
        MissingKekError: its key-encryption key is not in the ring.
        BrokenEnvelopeError: the envelope was changed, or is not the one of this name.
    """
    try:
        data_key = ring.get(sealed.kek_id).unwrap(sealed.wrapped_key, name.associated("key"))
        return decrypt(AESGCM(data_key), sealed.ciphertext, name.associated("secret"))
    except BrokenEnvelopeError as error:
        raise BrokenEnvelopeError(f"the envelope {name} does not open: it was changed, or moved from another place") from error


def rewrap(ring: KeyRing, name: EnvelopeName, sealed: SealedSecret) -> SealedSecret:
    """Wrap the data key under the current key-encryption key; the secret stays as it is, unopened.

    Raises:
        MissingKekError, BrokenEnvelopeError: as for `unseal`.
    """
    try:
        data_key = ring.get(sealed.kek_id).unwrap(sealed.wrapped_key, name.associated("key"))
    except BrokenEnvelopeError as error:
        raise BrokenEnvelopeError(f"the envelope {name} does not open: it was changed, or moved from another place") from error
    return SealedSecret(ring.current.id, ring.current.wrap(data_key, name.associated("key")), sealed.ciphertext)


@dataclass(frozen=True, slots=True)
class StoredEnvelope:
    """An envelope as read from its row. Fields as in `gateway.models.Envelope`."""

    id: int
    name: EnvelopeName
    public: str | None
    fingerprint: str
    created_at: datetime
    sealed: SealedSecret

    @classmethod
    def of(cls, row: Envelope) -> "StoredEnvelope":
        """Read a row."""
        name = EnvelopeName(row.kind, row.subject, row.counter)
        sealed = SealedSecret(row.kek_id, row.wrapped_key, row.ciphertext)
        return cls(row.id, name, row.public, row.fingerprint, row.created_at, sealed)


class Envelopes:
    """The envelopes of one database, for the services that keep secrets in them; each call belongs to its caller's transaction.

    Args:
        ring: the key-encryption keys.
        clock: tells the time.
    """

    def __init__(self, ring: KeyRing, clock: Clock) -> None:
        self._ring = ring
        self._clock = clock

    def seal(
        self,
        session: Session,
        kind: EnvelopeKind,
        subject: str,
        secret: bytes,
        *,
        fingerprint: str,
        public: str | None = None,
        counter: int | None = None,
    ) -> int:
        """Put a secret in an envelope, in the transaction and under the audit entry of the calling service.

        Args:
            session: of the running write.
            kind, subject: what it is and whose.
            secret: at least one byte.
            fingerprint: what may be shown of it.
            public: its public part.
            counter: which one of the subject's; the next free one by default.

        Returns:
            The id of the envelope.
        """
        if counter is None:
            last = session.scalar(select(func.max(Envelope.counter)).where(Envelope.kind == kind, Envelope.subject == subject))
            counter = 0 if last is None else last + 1
        sealed = seal(self._ring, EnvelopeName(kind, subject, counter), secret)
        row = Envelope(
            kind=kind,
            subject=subject,
            counter=counter,
            fingerprint=fingerprint,
            public=public,
            kek_id=sealed.kek_id,
            wrapped_key=sealed.wrapped_key,
            ciphertext=sealed.ciphertext,
            created_at=self._clock(),
        )
        session.add(row)
        session.flush()
        return row.id

    def find(self, session: Session, kind: EnvelopeKind, subject: str, counter: int = 0) -> StoredEnvelope | None:
        """Look for an envelope by its name."""
        row = session.scalar(select(Envelope).where(Envelope.kind == kind, Envelope.subject == subject, Envelope.counter == counter))
        return None if row is None else StoredEnvelope.of(row)

    def get(self, session: Session, envelope_id: int, kind: EnvelopeKind) -> StoredEnvelope:
        """Look up an envelope of a kind by its id.

        Raises:
            NotFoundError: there is no such envelope of this kind.
        """
        row = session.get(Envelope, envelope_id)
        if row is None or row.kind is not kind:
            raise NotFoundError("envelope", envelope_id)
        return StoredEnvelope.of(row)

    def open(self, stored: StoredEnvelope) -> bytes:
        """Open an envelope for the service that sealed it.

        Raises:
            MissingKekError, BrokenEnvelopeError: it cannot be opened.
        """
        return unseal(self._ring, stored.name, stored.sealed)

    def discard(self, session: Session, envelope_id: int) -> None:
        """Destroy a secret, for the service that sealed it.

        Raises:
            NotFoundError: there is no such envelope.
        """
        row = session.get(Envelope, envelope_id)
        if row is None:
            raise NotFoundError("envelope", envelope_id)
        session.delete(row)
        session.flush()

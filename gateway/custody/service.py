"""Custody as a whole: its key-encryption keys, its own secrets, and the registers of issuer and scheme keys."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idemix.clock import Clock, system_clock

from ..actor import Actor, system_actor
from ..audit.service import Audit
from ..authorization import Action, authorize
from ..database import Database
from ..models import Envelope, EnvelopeKind
from .envelopes import Envelopes, StoredEnvelope, rewrap
from .errors import MissingKekError, UnknownKeyError
from .issuer_keys import IssuerKeyRegister
from .kek import KeyRing
from .models import CustodyStatus
from .scheme_keys import SchemeKeyRegister

#: Envelopes wrapped anew in one transaction.
REWRAP_BATCH: Final = 20

PEPPER_BYTES: Final = 32
JWT_KEY_BITS: Final = 2048


class Custody:
    """The secrets of one installation.

    Attributes:
        envelopes: where other services of the gateway keep secrets of theirs.
        issuer_keys: the register of issuer keys.
        scheme_keys: the keys that sign schemes.

    Args:
        database, audit: where envelopes and audit entries are written.
        ring: the key-encryption keys.
        clock: tells the time.
    """

    def __init__(self, database: Database, ring: KeyRing, audit: Audit, *, clock: Clock = system_clock) -> None:
        self._database = database
        self._ring = ring
        self._audit = audit
        self._clock = clock
        self._pepper: bytes | None = None
        self.envelopes = Envelopes(ring, clock)
        self.issuer_keys = IssuerKeyRegister(database, self.envelopes, audit, clock)
        self.scheme_keys = SchemeKeyRegister(database, self.envelopes, audit, clock)

    def check(self) -> None:
        """Demand, at start-up, every key-encryption key that an envelope needs.

        Raises:
            MissingKekError: it names each that is missing.
        """
        with self._database.read() as session:
            missing = self._missing(_kek_counts(session))
        if missing:
            raise MissingKekError(missing)

    def status(self, actor: Actor) -> CustodyStatus:
        """Tell how custody stands.

        Raises:
            PermissionDeniedError: the actor may not see it.
        """
        authorize(actor, Action.CUSTODY_VIEW)
        with self._database.read() as session:
            keks = _kek_counts(session)
            kinds = session.execute(select(Envelope.kind, func.count()).group_by(Envelope.kind)).all()
        return CustodyStatus(self._ring.current.id, keks, self._missing(keks), {row[0]: row[1] for row in kinds})

    def rewrap(
        self,
        actor: Actor,
        *,
        progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> int:
        """Wrap every data key under the current key-encryption key.

        Each batch is a transaction, and what is done is told by the envelopes themselves: stopped or killed, it goes on where it
        was when it is run again.

        Args:
            actor: who asks.
            progress: called with the number done and the number to do.
            is_cancelled: asked between two batches.

        Returns:
            How many envelopes were wrapped anew.

        Raises:
            PermissionDeniedError: the actor may not.
            MissingKekError: a key-encryption key is missing; nothing was changed.
            BrokenEnvelopeError: an envelope does not open; those of earlier batches are wrapped anew.
        """
        authorize(actor, Action.CUSTODY_MANAGE)
        self.check()
        with self._database.read() as session:
            total = session.scalar(select(func.count()).where(Envelope.kek_id != self._ring.current.id)) or 0
        done = 0
        while not (is_cancelled is not None and is_cancelled()):
            count = self._database.write(lambda session: self._rewrap_batch(session, actor))
            if count == 0:
                break
            done += count
            if progress is not None:
                progress(done, max(total, done))
        return done

    def _rewrap_batch(self, session: Session, actor: Actor) -> int:
        current = self._ring.current.id
        rows = session.scalars(
            select(Envelope).where(Envelope.kek_id != current).order_by(Envelope.id).limit(REWRAP_BATCH).with_for_update()
        ).all()
        if not rows:
            return 0
        former = sorted({row.kek_id for row in rows})
        for row in rows:
            stored = StoredEnvelope.of(row)
            sealed = rewrap(self._ring, stored.name, stored.sealed)
            row.kek_id, row.wrapped_key, row.rewrapped_at = sealed.kek_id, sealed.wrapped_key, self._clock()
        self._audit.record(
            session,
            actor,
            "custody.rewrap",
            "custody",
            before={"kek_ids": former},
            after={"kek_ids": [current], "envelopes": [str(StoredEnvelope.of(row).name) for row in rows]},
        )
        return len(rows)

    def pepper(self) -> bytes:
        """The key under which tokens of callers are hashed (HMAC-SHA-256), so that a stolen database does not help to guess them.

        It is made when it is first needed.
        """
        if self._pepper is None:
            self._pepper = self._own_secret(EnvelopeKind.PEPPER, lambda: secrets.token_bytes(PEPPER_BYTES))
        return self._pepper

    def jwt_key(self) -> rsa.RSAPrivateKey:
        """The key that signs the gateway's result JWTs and callbacks; made when it is first needed."""
        der = self._own_secret(EnvelopeKind.JWT_KEY, _new_jwt_key)
        key = serialization.load_der_private_key(der, None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise UnknownKeyError("the gateway's JWT key is not an RSA key")
        return key

    def _own_secret(self, kind: EnvelopeKind, make: Callable[[], bytes]) -> bytes:
        stored = self._own(kind)
        if stored is None:
            secret = make()
            actor = system_actor("custody")
            # Of the pepper nothing is shown, of the JWT key its kind: the fingerprint tells two generations apart and no more.
            fingerprint = hashlib.sha256(b"irmahub fingerprint\n" + secret).hexdigest()

            def work(session: Session) -> None:
                self.envelopes.seal(session, kind, "", secret, fingerprint=fingerprint, counter=0)
                self._audit.record(session, actor, "custody.generate", kind.value, after={"fingerprint": fingerprint})

            try:
                self._database.write(work)
            except IntegrityError:
                # Another process made it at the same moment; its secret counts.
                stored = self._own(kind)
            else:
                return secret
        if stored is None:
            raise UnknownKeyError(f"custody has no {kind.value}")
        return self.envelopes.open(stored)

    def _own(self, kind: EnvelopeKind) -> StoredEnvelope | None:
        with self._database.read() as session:
            return self.envelopes.find(session, kind, "")

    def _missing(self, keks: dict[str, int]) -> dict[str, int]:
        return {kek_id: count for kek_id, count in keks.items() if kek_id not in self._ring.ids}


def _new_jwt_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=JWT_KEY_BITS)
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _kek_counts(session: Session) -> dict[str, int]:
    rows = session.execute(select(Envelope.kek_id, func.count()).group_by(Envelope.kek_id)).all()
    return {row[0]: row[1] for row in rows}

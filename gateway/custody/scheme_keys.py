"""The keys that sign schemes: taken in, made, given out, and used, by `gateway.custody.signer`."""

import hashlib

from cryptography.hazmat.primitives import serialization
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from idemix.arith.randomness import SYSTEM_RANDOM, RandomSource
from idemix.clock import Clock
from idemix.errors import MalformedError
from idemix.scheme import keys as scheme_keys
from idemix.scheme.identifiers import SchemeManagerId

from ..actor import Actor
from ..audit.service import Audit
from ..authorization import Action, authorize, scheme_scope
from ..changes import Topic, announce
from ..database import Database
from ..inputs import Errors, InvalidInputError, Message, demand_reason
from ..models import EnvelopeKind
from .envelopes import Envelopes, StoredEnvelope
from .errors import UnknownKeyError, WrongSchemeKeyError
from .models import SchemeKeyInfo


class SchemeKeyRegister:
    """The scheme keys of an installation, one a scheme: clients know a scheme by its first key, and so it never changes.

    Args:
        database, audit: where keys and audit entries are written.
        envelopes: hold the private keys.
        clock: tells the time.
    """

    def __init__(self, database: Database, envelopes: Envelopes, audit: Audit, clock: Clock) -> None:
        self._database = database
        self._envelopes = envelopes
        self._audit = audit
        self._clock = clock

    def generate(self, actor: Actor, scheme_id: str, *, random: RandomSource = SYSTEM_RANDOM, reason: str | None = None) -> SchemeKeyInfo:
        """Make the key of a new scheme.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: the identifier is none, or the scheme has a key already; clients know a scheme by its first key.
        """
        authorize(actor, Action.SCHEME_KEY_GENERATE, scheme_scope(scheme_id))
        key = scheme_keys.generate_scheme_key(random)
        return self._store(actor, scheme_id, key, Action.SCHEME_KEY_GENERATE, reason)

    def import_file(
        self,
        actor: Actor,
        scheme_id: str,
        content: bytes,
        *,
        passphrase: bytes | None = None,
        reason: str | None = None,
    ) -> SchemeKeyInfo:
        """Take the file `sk.pem`, plain or with a passphrase, into custody.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: the file cannot be read, the passphrase is wrong, or the scheme has another key already.
        """
        authorize(actor, Action.SCHEME_KEY_IMPORT, scheme_scope(scheme_id))
        try:
            key = scheme_keys.read_private_key(content, passphrase)
        except MalformedError as error:
            raise InvalidInputError({"private_key": Message("cannot be read: %(error)s", error=error)}) from error
        return self._store(actor, scheme_id, key, Action.SCHEME_KEY_IMPORT, reason)

    def _store(self, actor: Actor, scheme_id: str, key: scheme_keys.SchemePrivateKey, action: Action, reason: str | None) -> SchemeKeyInfo:
        errors = Errors()
        _check_scheme_id(errors, scheme_id)
        errors.raise_if_any()
        public_key = scheme_keys.print_public_key(key.public_key())
        fingerprint = scheme_key_fingerprint(public_key)
        present = self._find(scheme_id)
        if present is not None:
            if present.fingerprint == fingerprint and action is Action.SCHEME_KEY_IMPORT:
                return _info(present)
            raise InvalidInputError({"scheme": Message("has a key already; clients would refuse the scheme under another one")})

        def work(session: Session) -> None:
            self._envelopes.seal(
                session,
                EnvelopeKind.SCHEME_KEY,
                scheme_id,
                scheme_keys.print_private_key(key),
                fingerprint=fingerprint,
                public=public_key.decode(),
                counter=0,
            )
            self._audit.record(session, actor, action, f"scheme_key:{scheme_id}", after={"fingerprint": fingerprint}, reason=reason)
            announce(session, Topic.CUSTODY, self._clock)

        try:
            self._database.write(work)
        except IntegrityError as error:
            raise InvalidInputError({"scheme": Message("has a key already; clients would refuse the scheme under another one")}) from error
        return self.get(scheme_id)

    def export(self, actor: Actor, scheme_id: str, *, passphrase: bytes | None = None, reason: str) -> bytes:
        """Give out the file `sk.pem`, encrypted where there is a passphrase. The export is audited before the key leaves.

        Raises:
            PermissionDeniedError: the actor may not.
            InvalidInputError: there is no reason.
            UnknownKeyError: custody does not have the key.
        """
        authorize(actor, Action.SCHEME_KEY_EXPORT, scheme_scope(scheme_id))
        demand_reason(reason)
        key, stored = self._private_key(scheme_id)
        after = {"exported": stored.fingerprint, "with_passphrase": bool(passphrase)}
        self._database.write(
            lambda session: self._audit.record(
                session, actor, Action.SCHEME_KEY_EXPORT, f"scheme_key:{scheme_id}", after=after, reason=reason
            )
        )
        return scheme_keys.print_private_key(key, passphrase)

    def get(self, scheme_id: str) -> SchemeKeyInfo:
        """Tell of a scheme's key; nothing of it is secret.

        Raises:
            UnknownKeyError: custody does not have it.
        """
        stored = self._find(scheme_id)
        if stored is None:
            raise UnknownKeyError(f"custody has no key of scheme {scheme_id}")
        return _info(stored)

    def sign(self, actor: Actor, scheme_id: str, message: bytes, *, public_key: bytes | None) -> bytes:
        """Sign an index with a scheme's key; for `gateway.custody.signer` alone. Each signature is audited.

        Args:
            actor: who signs.
            scheme_id: whose key.
            message: the exact bytes of `index`.
            public_key: the `pk.pem` that the scheme's clients know, or None for a scheme never published.

        Returns:
            DER of (r, s), the content of `index.sig`.

        Raises:
            PermissionDeniedError: the actor may not sign.
            UnknownKeyError: custody does not have the key.
            WrongSchemeKeyError: it is not the key that clients know; nothing was signed.
        """
        authorize(actor, Action.SCHEME_SIGN, scheme_scope(scheme_id))
        key, stored = self._private_key(scheme_id)
        own = scheme_keys.print_public_key(key.public_key())
        if public_key is not None and scheme_key_fingerprint(public_key) != scheme_key_fingerprint(own):
            raise WrongSchemeKeyError(
                f"the key of scheme {scheme_id} in custody ({stored.fingerprint[:16]}) is not the published one "
                f"({scheme_key_fingerprint(public_key)[:16]}): clients would refuse the signature"
            )
        signature = scheme_keys.sign(key, message)
        after = {"index": hashlib.sha256(message).hexdigest(), "key": stored.fingerprint}
        self._database.write(lambda session: self._audit.record(session, actor, Action.SCHEME_SIGN, f"scheme:{scheme_id}", after=after))
        return signature

    def _private_key(self, scheme_id: str) -> tuple[scheme_keys.SchemePrivateKey, StoredEnvelope]:
        stored = self._find(scheme_id)
        if stored is None:
            raise UnknownKeyError(f"custody has no key of scheme {scheme_id}")
        return scheme_keys.read_private_key(self._envelopes.open(stored)), stored

    def _find(self, scheme_id: str) -> StoredEnvelope | None:
        with self._database.read() as session:
            return self._envelopes.find(session, EnvelopeKind.SCHEME_KEY, scheme_id)


def scheme_key_fingerprint(public_key: bytes) -> str:
    """SHA-256 of the DER of a scheme's public key (`pk.pem`), as hex; the same for every way to write the PEM.

    Raises:
        MalformedKeyError: it is no such key.
    """
    der = scheme_keys.read_public_key(public_key).public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def _check_scheme_id(errors: Errors, scheme_id: str) -> None:
    try:
        SchemeManagerId.parse(scheme_id, "scheme")
    except MalformedError:
        errors.add("scheme", Message("must be the identifier of a scheme"))


def _info(stored: StoredEnvelope) -> SchemeKeyInfo:
    return SchemeKeyInfo(stored.name.subject, (stored.public or "").encode(), stored.fingerprint, stored.created_at)

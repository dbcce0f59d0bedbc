"""Where the engine gets the state of revocation, and leaves the records of what it issues.

Source: irmago `irma/revocation.go` (RevocationStorage).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from ..arith.randomness import RandomSource
from ..errors import IdemixError
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from ..request.base import SessionRequest
from ..request.issuance import CredentialRequest
from ..revocation import IssuanceRecord, SignedAccumulator, Update, Witness
from ..revocation.update import DEFAULT_UPDATE_COUNT
from ..scheme.configuration import Configuration
from ..scheme.identifiers import CredentialTypeId
from ..verification import RevocationSetting
from .errors import RevocationStateError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RevocationStates(Protocol):
    """What a server knows of the revocation of credential types."""

    def setting(self, credential_type: CredentialTypeId) -> RevocationSetting:
        """Return what the server wants and knows, for verifying; the default where nothing is configured for the type."""
        ...

    def can_issue(self, credential_type: CredentialTypeId) -> bool:
        """Whether a revocation server is configured for the type: this one, or one to which records of issuance are posted."""
        ...

    def updates(self, credential_type: CredentialTypeId, *, count: int, max_age_seconds: int) -> Mapping[int, Update]:
        """Return the newest accumulators by key counter, each with the last events.

        Args:
            credential_type: a type that can be revoked.
            count: the number of events, fewer where there are fewer.
            max_age_seconds: a state that was had from the issuer longer ago is brought up to date first; an older one is
                returned where that fails.

        Raises:
            RevocationStateError: no state is known and none can be had.
        """
        ...

    def accumulator(self, credential_type: CredentialTypeId, key_counter: int) -> SignedAccumulator:
        """Return the newest accumulator, for a credential that is being issued.

        Raises:
            RevocationStateError: none is known and none can be had.
        """
        ...

    def record(self, record: IssuanceRecord) -> None:
        """Keep a record of a credential that is being issued, or post it to the authority.

        Raises:
            RevocationStateError: it could not be kept; then the credential is not issued.
        """
        ...


class NoRevocation:
    """The `RevocationStates` of a server for which none are configured: it verifies proofs that come unasked, and no more."""

    def setting(self, credential_type: CredentialTypeId) -> RevocationSetting:  # noqa: ARG002 - as the protocol says
        return RevocationSetting()

    def can_issue(self, credential_type: CredentialTypeId) -> bool:  # noqa: ARG002
        return False

    def updates(self, credential_type: CredentialTypeId, *, count: int, max_age_seconds: int) -> Mapping[int, Update]:  # noqa: ARG002
        raise RevocationStateError(f"no revocation state of {credential_type} is known")

    def accumulator(self, credential_type: CredentialTypeId, key_counter: int) -> SignedAccumulator:
        raise RevocationStateError(f"no revocation state of {credential_type} is known under key {key_counter}")

    def record(self, record: IssuanceRecord) -> None:
        raise RevocationStateError(f"nobody keeps the issuance of {record.credential_type}")


def with_updates(request: SessionRequest, states: RevocationStates, configuration: Configuration) -> SessionRequest:
    """Return a request with the newest revocation updates, which the app needs; the verification compares with exactly these.

    Raises:
        RevocationStateError: for some credential type none are to be had.
    """
    revocation = {}
    for type_id, wanted in request.revocation.items():
        count = configuration.credential_types[type_id].revocation_update_count or DEFAULT_UPDATE_COUNT
        tolerance = wanted.tolerance or states.setting(type_id).tolerance
        updates = states.updates(type_id, count=count, max_age_seconds=tolerance // 2)
        if not updates:
            raise RevocationStateError(f"no revocation state of {type_id} is known")
        revocation[type_id] = replace(wanted, updates={counter: update.to_json() for counter, update in sorted(updates.items())})
    return replace(request, revocation=revocation)


def issue_witness(
    credential: CredentialRequest, states: RevocationStates, public_key: PublicKey, private_key: PrivateKey, random: RandomSource
) -> Witness:
    """Make the witness of a credential that is being issued.

    Raises:
        RevocationStateError: there is no accumulator for the key.
    """
    signed = states.accumulator(credential.credential_type, public_key.counter)
    try:
        accumulator = signed.verify(public_key)
    except IdemixError as cause:
        raise RevocationStateError(f"the accumulator of {credential.credential_type} does not hold: {cause}") from cause
    return Witness.issue(private_key, signed, accumulator, random)


def issuance_record(
    credential: CredentialRequest, witness: Witness, public_key: PublicKey, *, issued_at: datetime, position: int, expires_at: int
) -> IssuanceRecord:
    """Return the record of a credential.

    Args:
        credential: what was asked.
        witness: its witness.
        public_key: the key under which it is issued.
        issued_at: the moment.
        position: among the credentials of the session. The moment of issuance tells records of one revocation key apart, so each
            is put one nanosecond after the one before.
        expires_at: Unix seconds.
    """
    return IssuanceRecord(
        revocation_key=credential.revocation_key,
        credential_type=str(credential.credential_type),
        key_counter=public_key.counter,
        prime=witness.e,
        issued_ns=(issued_at - _EPOCH) // timedelta(microseconds=1) * 1000 + position,
        valid_until_ns=expires_at * 10**9,
    )

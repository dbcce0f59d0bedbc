"""The issuer's side of issuance sessions: fill in the request, check the commitments, sign.

Source: irmago `irma/server/irmaserver/helpers.go` (validateIssuanceRequest), `handle.go` (handlePostCommitments).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final, Self

from gmpy2 import mpz

from ..arith.randomness import RandomSource
from ..cl.primes import PrimePool
from ..credential.metadata import MAX_VALIDITY_WEEKS, WEEK_SECONDS, MetadataAttribute, default_expiry, floor_to_week
from ..errors import IdemixError, InvalidProofError, UnknownIdentifierError, UnknownPublicKeyError
from ..issuance.issuer import sign_credential
from ..issuance.messages import IssueCommitmentMessage, IssueSignatureMessage
from ..keyshare import ProofP, merge_proofs, read_proof_p
from ..messages import Disclosure
from ..proofs import ProofU
from ..request.attribute_list import attribute_list
from ..request.issuance import CredentialRequest, IssuanceRequest
from ..request.reading import RequestRuleError
from ..request.validation import check_credential
from ..scheme.configuration import Configuration
from ..scheme.identifiers import SchemeManagerId
from ..verification import (
    RevocationSettings,
    ShownCredential,
    Verified,
    WantedCredential,
    WrongProofKindError,
    default_settings,
    verify_shown,
)
from .errors import InvalidProofsError, KeyshareProofMissingError, MalformedInputError
from .keys import IssuerKeys
from .revocation import NoRevocation, RevocationStates, issuance_record, issue_witness

_NO_REVOCATION: Final = NoRevocation()


def prepare_issuance(
    request: IssuanceRequest, configuration: Configuration, issuer_keys: IssuerKeys, states: RevocationStates, now: datetime
) -> IssuanceRequest:
    """Check what issuing needs, and fill in what the server decides: keys, expiry, random blind attributes.

    Raises:
        RequestRuleError: a key is missing or has expired, revocation is not to be had or has no revocation key, the attributes
            do not fit the type, or the credential would have expired already.
    """
    credentials = tuple(
        _prepare(credential, f"credentials[{i}]", configuration, issuer_keys, states, now)
        for i, credential in enumerate(request.credentials)
    )
    return replace(request, credentials=credentials)


def _prepare(
    credential: CredentialRequest,
    where: str,
    configuration: Configuration,
    issuer_keys: IssuerKeys,
    states: RevocationStates,
    now: datetime,
) -> CredentialRequest:
    issuer, type_id = credential.credential_type.issuer, credential.credential_type
    try:
        public_key, _ = issuer_keys.signing_key(issuer)
    except UnknownIdentifierError as error:
        raise RequestRuleError(f"{where}.credential", "issuer private key not found: file does not exist") from error
    if now.timestamp() > public_key.expires_at:
        raise RequestRuleError(f"{where}.credential", f"cannot issue using expired public key {issuer}-{public_key.counter}")
    credential_type = configuration.credential_types[type_id]
    if credential_type.supports_revocation and not states.can_issue(type_id):
        raise RequestRuleError(f"{where}.credential", f"revocation enabled for {type_id} but no revocation server configured")
    if credential_type.supports_revocation and not credential.revocation_key:
        raise RequestRuleError(f"{where}.revocationKey", f"revocation enabled for {type_id} but no revocationKey specified")
    expires_at = default_expiry(int(now.timestamp())) if credential.expires_at is None else credential.expires_at
    prepared = replace(
        credential,
        key_counter=public_key.counter,
        random_blind_ids=credential_type.random_blind_names,
        revocation_supported=credential_type.supports_revocation,
        expires_at=expires_at,
    )
    check_credential(prepared, credential_type, where)
    _check_validity(expires_at, now, f"{where}.validity")
    if expires_at < now.timestamp():
        raise RequestRuleError(f"{where}.validity", "cannot issue expired credentials")
    return prepared


def _check_validity(expires_at: int, now: datetime, where: str) -> None:
    weeks = (expires_at - floor_to_week(int(now.timestamp()))) // WEEK_SECONDS
    if weeks > MAX_VALIDITY_WEEKS:
        raise RequestRuleError(where, f"a credential is valid for at most {MAX_VALIDITY_WEEKS} weeks", departure="credential-validity")


@dataclass(frozen=True, slots=True)
class Commitments:
    """An app's commitments, taken apart: disclosure proofs first, then one commitment proof per credential to issue.

    The parts of keyshare servers are merged into the proofs.
    """

    message: IssueCommitmentMessage
    request: IssuanceRequest
    shown: tuple[ShownCredential, ...]
    wanted: tuple[WantedCredential, ...]
    proofs: tuple[ProofU, ...]

    @classmethod
    def of(cls, message: IssueCommitmentMessage, request: IssuanceRequest, configuration: Configuration, *, now: datetime) -> Self:
        """Take a message apart, look up its keys and merge the parts of keyshare servers.

        Raises:
            MalformedInputError: there are too few proofs, one of those before the commitments discloses nothing, or a key is not known.
            InvalidProofsError: another proof stands where a commitment should, or a number that is merged is out of bounds.
            KeyshareProofMissingError: a proof needs the part of a keyshare server, which is not there or not to be trusted.
            MalformedProofError: a disclosure proof has not the structure of one.
        """
        count = len(message.proofs) - len(request.credentials)
        if count < 0:
            raise MalformedInputError("Received insufficient proofs")
        proofs = tuple(message.proofs)
        try:
            shown = tuple(ShownCredential.of(proof, configuration, f"combinedProofs[{i}]") for i, proof in enumerate(proofs[:count]))
            wanted = tuple(
                WantedCredential(
                    configuration.credential_types[credential.credential_type],
                    configuration.public_key(credential.credential_type.issuer, credential.key_counter),
                )
                for credential in request.credentials
            )
        except WrongProofKindError as error:
            raise MalformedInputError(str(error)) from error
        except UnknownPublicKeyError as error:
            raise MalformedInputError("Missing public key") from error
        parts: tuple[ShownCredential | WantedCredential, ...] = (*shown, *wanted)
        keyshare_proofs = _keyshare_proofs(message, [part.type.id.scheme for part in parts], configuration, now)
        try:
            merged = merge_proofs(message.proofs, keyshare_proofs, [part.public_key for part in parts], "combinedProofs")
        except InvalidProofError as error:
            raise InvalidProofsError from error
        commitments = tuple(proof for proof in tuple(merged)[count:] if isinstance(proof, ProofU))
        if len(commitments) != len(wanted):
            raise InvalidProofsError
        return cls(replace(message, proofs=merged), request, shown, wanted, commitments)


def _keyshare_proofs(
    message: IssueCommitmentMessage, schemes: Sequence[SchemeManagerId], configuration: Configuration, now: datetime
) -> list[ProofP | None]:
    """Read the keyshare servers' proofs, each JWT once.

    Args:
        message: holds the JWTs by scheme.
        schemes: the scheme of each proof.
        configuration: tells which schemes have a server, and with which keys.
        now: the moment at which the JWTs must be valid.

    Raises:
        KeyshareProofMissingError: see `Commitments.of`.
    """
    found: dict[SchemeManagerId, ProofP] = {}
    for scheme in dict.fromkeys(schemes):
        if not configuration.schemes[scheme].has_keyshare:
            continue
        token = message.keyshare_jwts.get(str(scheme))
        if token is None:
            raise KeyshareProofMissingError(f"no keyshare proof included for scheme {scheme}")
        try:
            found[scheme] = read_proof_p(token, partial(configuration.keyshare_key, scheme), now=now, where=f"proofPJwts.{scheme}")
        except IdemixError as error:
            raise KeyshareProofMissingError(str(error), departure=error.departure) from error
    return [found.get(scheme) for scheme in schemes]


def verify_commitments(
    commitments: Commitments, configuration: Configuration, *, now: datetime, revocation: RevocationSettings = default_settings
) -> Verified:
    """Verify all proofs of a message, and the disclosures against the request.

    Raises:
        WrongProofKindError, IndexOutOfRangeError, MalformedProofError: as `idemix.verification.verify_disclosure`.
    """
    request = commitments.request
    return verify_shown(
        Disclosure(commitments.message.proofs, commitments.message.indices),
        commitments.shown,
        request,
        configuration,
        context=request.proof_context(),
        nonce=request.proof_nonce(),
        is_signature=False,
        at=now.timestamp(),
        wanted=commitments.wanted,
        revocation=revocation,
    )


def sign_credentials(
    commitments: Commitments,
    issuer_keys: IssuerKeys,
    now: datetime,
    random: RandomSource,
    primes: PrimePool,
    states: RevocationStates = _NO_REVOCATION,
) -> tuple[IssueSignatureMessage, ...]:
    """Sign the credentials of a message whose proofs were verified. Private and public key are of the counter promised at the start.

    Raises:
        UnknownIdentifierError: a private key is gone since.
        RevocationStateError: a witness cannot be made, or the issuance of a credential cannot be recorded.
        MalformedError: the attributes do not fit the metadata attribute or the key.
    """
    return tuple(
        _sign(position, commitments, issuer_keys, now, random, primes, states) for position in range(len(commitments.request.credentials))
    )


def _sign(
    position: int,
    commitments: Commitments,
    issuer_keys: IssuerKeys,
    now: datetime,
    random: RandomSource,
    primes: PrimePool,
    states: RevocationStates,
) -> IssueSignatureMessage:
    credential, wanted = commitments.request.credentials[position], commitments.wanted[position]
    public_key, private_key = issuer_keys.signing_key(credential.credential_type.issuer, credential.key_counter)
    witness = issue_witness(credential, states, public_key, private_key, random) if credential.revocation_supported else None
    e = None if witness is None else witness.e
    attributes = attribute_list(credential, wanted.type, signed_at=int(now.timestamp()), revocation_attribute=e)
    message = sign_credential(
        private_key,
        public_key,
        commitments.proofs[position].U,
        attributes,
        nonce2=commitments.message.nonce2,
        context=commitments.request.proof_context(),
        blind_indices=wanted.blind_bases,
        random=random,
        prime=primes.take(public_key.params, random),
    )
    if witness is None:
        return message
    expires_at = MetadataAttribute.decode(attributes[0] or mpz(0)).expires_at
    states.record(issuance_record(credential, witness, public_key, issued_at=now, position=position, expires_at=expires_at))
    return replace(message, witness=witness)

"""Checks disclosures and signed messages against what was asked.

What is wrong with the proofs is a `ProofStatus`; what cannot be looked up at all is an error. The order of checks is
fixed: proofs, then matching with the request, then expiry.

Source: irmago `irma/verify.go`, `irma/requests.go` (the Satisfy methods).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Final, Self, TypeAlias

from gmpy2 import mpz

from .credential.attributes import decode_attribute, decode_random_blind
from .credential.metadata import MetadataAttribute
from .errors import (
    EmptyProofListError,
    IdemixError,
    InvalidProofError,
    InvalidSignatureError,
    InvalidTimestampError,
    MalformedError,
    MalformedProofError,
    UnknownPublicKeyError,
    VerificationError,
)
from .keys.public import PublicKey
from .messages import DisclosedIndex, Disclosure, Indices, SignedMessage
from .proofs import ProofD, ProofList, ProofU, verify_proof_list
from .request.base import SessionRequest
from .request.condiscon import Con, ConDisCon, DisCon
from .request.signature import SignatureRequest
from .revocation.update import Update
from .scheme.configuration import Configuration
from .scheme.descriptions import CredentialType
from .scheme.identifiers import AttributeTypeId, CredentialTypeId, SchemeManagerId
from .timestamp import NO_KEYS, Stamped, Timestamp, TimestampKeys, stamped_value, timestamp_server

#: Positions among the bases of a key; those of the credential type's attributes follow.
_METADATA: Final = 1
_FIRST_ATTRIBUTE: Final = 2
#: What a requestor sees as value of a credential as such.
_PRESENT: Final = "present"
#: How many seconds an accumulator may be old at the time of verification, where neither request nor server say.
DEFAULT_TOLERANCE: Final = 600


class ProofStatus(Enum):
    """How received proofs stand to the request."""

    VALID = "VALID"
    INVALID = "INVALID"
    INVALID_TIMESTAMP = "INVALID_TIMESTAMP"
    UNMATCHED_REQUEST = "UNMATCHED_REQUEST"
    MISSING_ATTRIBUTES = "MISSING_ATTRIBUTES"
    EXPIRED = "EXPIRED"


class AttributeStatus(Enum):
    """Why an attribute is in the list."""

    PRESENT = "PRESENT"
    EXTRA = "EXTRA"
    NULL = "NULL"


class WrongProofKindError(VerificationError):
    """A commitment proof stands where only a disclosure proof can."""


class IndexOutOfRangeError(VerificationError):
    """An index names a proof that is not there. `where` is its path."""

    def __init__(self, where: str) -> None:
        super().__init__("Credential index out of range")
        self.where = where


@dataclass(frozen=True, slots=True)
class DisclosedAttribute:
    """An attribute as a requestor sees it.

    Attributes:
        identifier: the attribute type, or the credential type where the credential as such was asked for.
        value: its text; None for an attribute without value.
        status: whether it was asked for.
        issued_at: start of the week in which the credential was issued, Unix seconds.
        not_revoked: whether a proof of non-revocation came with it.
        not_revoked_before: up to when it is known not to be revoked, where that is not the time of verification; Unix seconds.
    """

    identifier: AttributeTypeId | CredentialTypeId
    value: str | None = field(repr=False)
    status: AttributeStatus
    issued_at: int
    not_revoked: bool = False
    not_revoked_before: int | None = None

    def to_json(self) -> dict[str, object]:
        """Write the attribute as the reference does."""
        value = None if self.value is None else {"": self.value, "en": self.value, "nl": self.value}
        result: dict[str, object] = {
            "rawvalue": self.value,
            "value": value,
            "id": str(self.identifier),
            "status": self.status.value,
            "issuancetime": self.issued_at,
        }
        if self.not_revoked:
            result["notrevoked"] = True
        if self.not_revoked_before is not None:
            result["notrevokedbefore"] = self.not_revoked_before
        return result

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """Read what `to_json` wrote."""
        text = str(value["id"])
        raw, before = value["rawvalue"], value.get("notrevokedbefore")
        return cls(
            identifier=AttributeTypeId(text) if text.count(".") + 1 == AttributeTypeId.PARTS else CredentialTypeId(text),
            value=None if raw is None else str(raw),
            status=AttributeStatus(value["status"]),
            issued_at=int(str(value["issuancetime"])),
            not_revoked=bool(value.get("notrevoked", False)),
            not_revoked_before=None if before is None else int(str(before)),
        )


#: One list per disjunction, None where it is not satisfied; then one of the attributes that nobody asked for, if there are any.
DisclosedAttributes: TypeAlias = tuple[tuple[DisclosedAttribute, ...] | None, ...]


def disclosed_to_json(disclosed: DisclosedAttributes) -> list[list[dict[str, object]] | None]:
    """Write the lists as the reference does."""
    return [None if group is None else [attribute.to_json() for attribute in group] for group in disclosed]


def disclosed_from_json(value: Sequence[Sequence[Mapping[str, object]] | None]) -> DisclosedAttributes:
    """Read what `disclosed_to_json` wrote."""
    return tuple(None if group is None else tuple(DisclosedAttribute.from_json(attribute) for attribute in group) for group in value)


@dataclass(frozen=True, slots=True)
class Verified:
    """The outcome of a verification.

    Attributes:
        status: how the proofs stand to the request.
        disclosed: the attributes, also where some are missing or expired; none where the proofs do not hold.
        refusal: why the proofs or the time stamp do not hold, where `status` is INVALID or INVALID_TIMESTAMP because of them.
    """

    status: ProofStatus
    disclosed: DisclosedAttributes = ()
    refusal: IdemixError | None = None


@dataclass(frozen=True, slots=True)
class RevocationSetting:
    """What a verifier knows and wants of the revocation of a credential type.

    Attributes:
        tolerance: how many seconds an accumulator may be old where the request does not say.
        synced_at: when the verifier last had the newest accumulator from its issuer, Unix seconds; 0 for never.
    """

    tolerance: int = DEFAULT_TOLERANCE
    synced_at: int = 0


#: Gives the setting of a credential type.
RevocationSettings: TypeAlias = Callable[[CredentialTypeId], RevocationSetting]


def default_settings(_credential_type: CredentialTypeId) -> RevocationSetting:
    """The settings of a verifier that has none."""
    return RevocationSetting()


@dataclass(frozen=True, slots=True)
class ShownCredential:
    """A disclosure proof with what its metadata attribute names.

    Attributes:
        proof, metadata, type, public_key: the proof, and what belongs to it.
        not_revoked_before: see `DisclosedAttribute`; known once the proof is verified.
    """

    proof: ProofD
    metadata: MetadataAttribute
    type: CredentialType
    public_key: PublicKey
    not_revoked_before: int | None = None

    @property
    def revocation_base(self) -> int | None:
        """The base of the type's revocation attribute, None where it has none."""
        index = self.type.revocation_index
        return None if index is None else index + _FIRST_ATTRIBUTE

    @classmethod
    def of(cls, proof: ProofD | ProofU, configuration: Configuration, where: str) -> Self:
        """Look up credential type and public key of a disclosure proof.

        Raises:
            WrongProofKindError: it is a commitment proof.
            MalformedProofError: the metadata attribute is hidden, malformed, or of a type that no scheme knows.
            UnknownPublicKeyError: the issuer has no such key.
        """
        if not isinstance(proof, ProofD):
            raise WrongProofKindError("Cannot extract public key, not a disclosure proofD")
        where = f"{where}.a_disclosed[{_METADATA}]"
        if _METADATA not in proof.a_disclosed:
            raise MalformedProofError(where, "the metadata is not disclosed", departure="metadata-disclosed")
        metadata = MetadataAttribute.decode(proof.a_disclosed[_METADATA])
        credential_type = configuration.credential_type_by_hash(metadata.credential_type_hash)
        if credential_type is None:
            raise MalformedProofError(where, "metadata of an unknown credential type")
        return cls(proof, metadata, credential_type, configuration.public_key(credential_type.issuer, metadata.key_counter))

    def check_indices(self, where: str) -> None:
        """Check that the proof has no index beyond the attributes of its type; it may have fewer, where the type has grown.

        Raises:
            MalformedProofError: it has (departure `index-beyond-attributes`).
        """
        highest = max((*self.proof.a_disclosed, *self.proof.a_responses), default=0)
        if highest >= _FIRST_ATTRIBUTE + len(self.type.attributes):
            raise MalformedProofError(where, f"{self.type.id} has no attribute {highest}", departure="index-beyond-attributes")

    def attribute(self, index: int, where: str) -> DisclosedAttribute:
        """Read the disclosed attribute at a position among the bases.

        Raises:
            MalformedProofError: it is not disclosed, or the credential type has no such attribute.
        """
        value = self.proof.a_disclosed.get(index)
        if index < _METADATA or value is None:
            raise MalformedProofError(where, f"attribute {index} is not disclosed")
        if index == _METADATA:
            return self._disclosed(self.type.id, _PRESENT)
        position = index - _FIRST_ATTRIBUTE
        if position >= len(self.type.attributes):
            raise MalformedProofError(where, f"{self.type.id} has no attribute {index}")
        kind = self.type.attributes[position]
        text = decode_random_blind(value) if kind.random_blind else decode_attribute(value, self.metadata.version)
        return self._disclosed(kind.id, text)

    def _disclosed(self, identifier: AttributeTypeId | CredentialTypeId, value: str | None) -> DisclosedAttribute:
        status = AttributeStatus.NULL if value is None else AttributeStatus.PRESENT
        not_revoked = self.proof.nonrev_proof is not None
        return DisclosedAttribute(identifier, value, status, self.metadata.signed_at, not_revoked, self.not_revoked_before)

    def has_expired(self, at: float, skipped: Sequence[CredentialTypeId]) -> bool:
        """Whether the credential had expired at a time, or was signed after its key had."""
        if self.type.id not in skipped and self.metadata.expires_at < at:
            return True
        return self.metadata.signed_at > self.public_key.expires_at


@dataclass(frozen=True, slots=True)
class WantedCredential:
    """A credential that is to be issued on a commitment proof."""

    type: CredentialType
    public_key: PublicKey

    @property
    def blind_bases(self) -> frozenset[int]:
        """The bases of the type's random blind attributes."""
        return frozenset(index + 1 for index in self.type.random_blind_indices)


def verify_disclosure(
    disclosure: Disclosure,
    request: SessionRequest,
    configuration: Configuration,
    *,
    now: datetime,
    revocation: RevocationSettings = default_settings,
) -> Verified:
    """Verify a disclosure against its request.

    Args:
        disclosure: the app's answer.
        request: what was asked, implicit disclosures appended.
        configuration: the loaded schemes.
        now: the moment at which credentials must not have expired.
        revocation: the settings for non-revocation proofs.

    Raises:
        UnknownPublicKeyError: a proof names a key that is not known.
        WrongProofKindError, IndexOutOfRangeError: see there.
        MalformedProofError: a proof has not the structure of one, or an index names no disclosed attribute.
        InvalidUpdateError: a revocation update that the request holds is none.
    """
    shown = [ShownCredential.of(proof, configuration, f"proofs[{i}]") for i, proof in enumerate(disclosure.proofs)]
    return verify_shown(
        disclosure,
        shown,
        request,
        configuration,
        context=request.proof_context(),
        nonce=request.proof_nonce(),
        is_signature=False,
        at=now.timestamp(),
        revocation=revocation,
    )


def verify_signed_message(
    message: SignedMessage,
    request: SignatureRequest | None,
    configuration: Configuration,
    *,
    now: datetime,
    timestamp_keys: TimestampKeys = NO_KEYS,
    revocation: RevocationSettings = default_settings,
) -> Verified:
    """Verify a signed message, against the request it answers or on its own.

    Without request every attribute is EXTRA, in one list. A message with a time stamp is judged at the time of the stamp, once
    that was verified.

    Args:
        message: the app's answer.
        request: what was asked, implicit disclosures appended; or None.
        configuration: the loaded schemes.
        now: the moment at which credentials must not have expired, where there is no time stamp.
        timestamp_keys: the keys of time-stamp servers that are trusted.
        revocation: the settings for non-revocation proofs.

    Raises:
        UnknownPublicKeyError, WrongProofKindError, IndexOutOfRangeError, MalformedProofError: as `verify_disclosure`.
    """
    if not message.signature:
        return Verified(ProofStatus.INVALID, refusal=EmptyProofListError("signature: no proofs"))
    context, nonce = message.proof_context(), message.proof_nonce()
    if request is not None and not _matches(message, request):
        return Verified(ProofStatus.UNMATCHED_REQUEST)
    at = now.timestamp()
    if message.timestamp is not None:
        try:
            _verify_timestamp(message, message.timestamp, configuration, timestamp_keys)
        except (MalformedError, UnknownPublicKeyError, InvalidTimestampError) as refusal:
            return Verified(ProofStatus.INVALID_TIMESTAMP, refusal=refusal)
        at = message.timestamp.time
    shown = [ShownCredential.of(proof, configuration, f"signature[{i}]") for i, proof in enumerate(message.signature)]
    return verify_shown(
        message.disclosure,
        shown,
        request,
        configuration,
        context=context,
        nonce=nonce,
        is_signature=True,
        at=at,
        revocation=revocation,
    )


def _verify_timestamp(message: SignedMessage, stamp: Timestamp, configuration: Configuration, keys: TimestampKeys) -> None:
    """Verify that a time stamp is on the message, the randomized signatures and what is disclosed.

    Raises:
        InvalidTimestampError: it is not, or there is no one server whose stamps count.
        WrongProofKindError, MalformedError, UnknownPublicKeyError: what it is on cannot be told.

    Source: irmago `irma/timestamp.go` (VerifyTimestamp).
    """
    shown = [ShownCredential.of(proof, configuration, f"signature[{i}]") for i, proof in enumerate(message.signature)]
    server = timestamp_server(configuration.schemes[credential.type.id.scheme] for credential in shown)
    stamped = [
        Stamped(credential.proof.A, credential.proof.a_disclosed, len(credential.type.attributes) + _FIRST_ATTRIBUTE, credential.public_key)
        for credential in shown
    ]
    keys.verify(stamp, stamped_value(message.message, stamped, old_form=not message.ld_context), server)


def _matches(message: SignedMessage, request: SignatureRequest) -> bool:
    """Whether context, nonce and text are those of the request."""
    same_nonce = message.nonce == request.proof_nonce() and message.message == request.message
    return message.context == request.proof_context() and same_nonce


def verify_shown(
    disclosure: Disclosure,
    shown: Sequence[ShownCredential],
    request: SessionRequest | None,
    configuration: Configuration,
    *,
    context: mpz,
    nonce: mpz,
    is_signature: bool,
    at: float,
    wanted: Sequence[WantedCredential] = (),
    revocation: RevocationSettings = default_settings,
) -> Verified:
    """Verify proofs whose keys were looked up: disclosure proofs, then one commitment proof per credential to issue.

    Args:
        disclosure: all proofs, and the indices.
        shown: the disclosure proofs.
        request: what was asked; None where nothing was.
        configuration: the loaded schemes.
        context, nonce, is_signature: of the challenge.
        at: Unix seconds at which credentials must not have expired.
        wanted: the credentials to issue.
        revocation: the settings for non-revocation proofs.

    Raises:
        WrongProofKindError, IndexOutOfRangeError, MalformedProofError, InvalidUpdateError: as `verify_disclosure`.
    """
    try:
        _verify_proofs(disclosure.proofs, shown, wanted, configuration, context, nonce, is_signature)
        _check_singletons(shown)
        shown = [_check_non_revocation(credential, request, revocation, at) for credential in shown]
    except (InvalidProofError, InvalidSignatureError) as refusal:
        return Verified(ProofStatus.INVALID, refusal=refusal)
    condiscon = request.disclose if request is not None else ()
    matched = _match(_Answer(shown, len(disclosure.proofs), disclosure.indices), condiscon)
    if len(disclosure.indices) < len(condiscon) or None in matched[: len(condiscon)]:
        return Verified(ProofStatus.MISSING_ATTRIBUTES, matched)
    skipped = request.skip_expiry_check if request is not None else ()
    if any(credential.has_expired(at, skipped) for credential in shown):
        return Verified(ProofStatus.EXPIRED, matched)
    return Verified(ProofStatus.VALID, matched)


def _verify_proofs(
    proofs: ProofList,
    shown: Sequence[ShownCredential],
    wanted: Sequence[WantedCredential],
    configuration: Configuration,
    context: mpz,
    nonce: mpz,
    is_signature: bool,
) -> None:
    """Verify the proofs themselves. An empty list holds; whether it satisfies the request is seen later."""
    if not proofs:
        return
    for position, credential in enumerate(shown):
        credential.check_indices(f"proofs[{position}]")
    credentials: list[ShownCredential | WantedCredential] = [*shown, *wanted]
    blind_indices: list[frozenset[int] | None] = [None] * len(shown)
    blind_indices += [credential.blind_bases for credential in wanted]
    verify_proof_list(
        proofs,
        [credential.public_key for credential in credentials],
        context=context,
        nonce=nonce,
        is_signature=is_signature,
        keyshare_groups=[_keyshare_group(credential.type.id.scheme, configuration) for credential in credentials],
        blind_indices=blind_indices,
        revocation_indices=[*(credential.revocation_base for credential in shown), *(None for _ in wanted)],
        require_metadata=True,
    )


def _keyshare_group(scheme: SchemeManagerId, configuration: Configuration) -> str:
    """Proofs of one group are about one secret key: the scheme, if it has a keyshare server, else all schemes without one."""
    return str(scheme) if configuration.schemes[scheme].has_keyshare else "."


def _check_singletons(shown: Sequence[ShownCredential]) -> None:
    seen: set[CredentialTypeId] = set()
    for credential in shown:
        if credential.type.is_singleton and credential.type.id in seen:
            raise InvalidProofError(f"proofs: {credential.type.id} is shown twice, and a holder has at most one")
        seen.add(credential.type.id)


def _check_non_revocation(
    credential: ShownCredential, request: SessionRequest | None, settings: RevocationSettings, at: float
) -> ShownCredential:
    """Require the non-revocation proofs that were asked for, against accumulators no older than those sent with the request.

    An accumulator older than is tolerated is no fault: the requestor is told up to when the credential is known not to be revoked. One
    that is newer than the verifier's clock is as good as one of this moment.

    Returns:
        The credential, with `not_revoked_before`.

    Raises:
        InvalidProofError: there is no proof though one was asked for, or it is against an older accumulator.
        InvalidSignatureError: the accumulator that was sent is not signed.
        InvalidUpdateError, MalformedProofError, MalformedKeyError: the update that was sent is no update.
    """
    type_id, public_key, proof = credential.type.id, credential.public_key, credential.proof.nonrev_proof
    wanted = None if request is None else request.revocation.get(type_id)
    if proof is None:
        if wanted is not None:
            raise InvalidProofError(f"proofs: no proof that {type_id} is not revoked")
        return credential
    theirs = proof.signed_accumulator.verify(public_key)
    sent = None if wanted is None else wanted.updates.get(public_key.counter)
    ours = Update.from_json(sent, f"revocation.{type_id}.updates").verify(public_key).index if sent else 0
    if ours > theirs.index:
        raise InvalidProofError(f"proofs: {type_id} is proved not to be revoked in state {theirs.index}, older than {ours}, which was sent")
    setting = settings(type_id)
    known_at = max(theirs.time, setting.synced_at) if ours == theirs.index else theirs.time
    tolerance = wanted.tolerance if wanted is not None and wanted.tolerance else setting.tolerance
    return replace(credential, not_revoked_before=known_at if int(at - known_at) > tolerance else None)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was disclosed and where it is.

    Attributes:
        shown: the disclosure proofs, which come first in the list.
        proof_count: the length of the list, commitment proofs included.
        indices: one list per disjunction.
    """

    shown: Sequence[ShownCredential]
    proof_count: int
    indices: Indices

    def attribute(self, index: DisclosedIndex, where: str) -> DisclosedAttribute:
        if index.credential >= len(self.shown):
            raise WrongProofKindError("ProofList contained proof of invalid type")
        return self.shown[index.credential].attribute(index.attribute, f"{where}.attr")

    def check_credential_indices(self, count: int) -> None:
        """Check that the first `count` lists name proofs that are there."""
        for i, entry in enumerate(self.indices[:count]):
            for j, index in enumerate(entry):
                if index.credential < 0:
                    raise MalformedProofError(f"indices[{i}][{j}].cred", "a credential index is not negative")
                if index.credential == self.proof_count:
                    # The reference looks one proof too far and crashes, which leaves the session as it was.
                    raise MalformedProofError(f"indices[{i}][{j}].cred", "names a proof that is not there")
                if index.credential > self.proof_count:
                    raise IndexOutOfRangeError(f"indices[{i}][{j}].cred")

    def extras(self, count: int) -> Iterator[DisclosedAttribute]:
        """The attributes that no index of the first `count` lists names."""
        named = {(index.credential, index.attribute) for entry in self.indices[:count] for index in entry}
        for position, credential in enumerate(self.shown):
            for index in sorted(credential.proof.a_disclosed):
                if index >= _FIRST_ATTRIBUTE and (position, index) not in named:
                    attribute = credential.attribute(index, f"proofs[{position}].a_disclosed")
                    yield replace(attribute, status=AttributeStatus.EXTRA)


def _match(answer: _Answer, condiscon: ConDisCon) -> DisclosedAttributes:
    """Find what satisfies each disjunction; too few lists of indices satisfy none. Extras follow in a list of their own."""
    answer.check_credential_indices(len(condiscon))
    matched: list[tuple[DisclosedAttribute, ...] | None] = []
    if len(answer.indices) >= len(condiscon):
        matched = [_match_discon(answer, discon, i) for i, discon in enumerate(condiscon)]
    extras = tuple(answer.extras(len(condiscon)))
    return (*matched, extras) if extras else tuple(matched)


def _match_discon(answer: _Answer, discon: DisCon, position: int) -> tuple[DisclosedAttribute, ...] | None:
    for con in discon:
        attributes = _match_con(answer, con, position)
        if attributes is not None:
            return attributes
    return None


def _match_con(answer: _Answer, con: Con, position: int) -> tuple[DisclosedAttribute, ...] | None:
    """The attributes at the indices of a disjunction, if they are those of a conjunction, in its order.

    The empty conjunction takes no index. Indices beyond the length of the conjunction satisfy nothing.
    """
    entry = answer.indices[position]
    if len(entry) < len(con) or (entry and not con):
        return None
    attributes: list[DisclosedAttribute] = []
    credentials: dict[CredentialTypeId, int] = {}
    split = False
    for j, (wanted, index) in enumerate(zip(con, entry, strict=False)):
        attribute = answer.attribute(index, f"indices[{position}][{j}]")
        if not wanted.is_satisfied_by(attribute.identifier, attribute.value):
            return None
        split |= credentials.setdefault(wanted.credential_type, index.credential) != index.credential
        attributes.append(attribute)
    if split:
        raise MalformedProofError(
            f"indices[{position}]",
            "attributes of one credential type in a conjunction come from different credentials",
            departure="split-conjunction",
        )
    return tuple(attributes)

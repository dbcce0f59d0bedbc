"""A holder's wallet: answers session requests and receives credentials. Bytes and values in, bytes and values out.

Source: irmago `irma/irmaclient` (session.go, irmaclient.go).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from gmpy2 import mpz

from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..challenge import signature_nonce
from ..clock import Clock, system_clock
from ..credential.credential import generate_secret_key
from ..credential.metadata import floor_to_week
from ..errors import InvalidSignatureError, MalformedRequestError, UnknownPublicKeyError
from ..integers import decode_integer, encode_integer
from ..issuance.builder import CredentialBuilder
from ..issuance.messages import IssueCommitmentMessage, IssueSignatureMessage
from ..json_text import parse_json
from ..keys.public import PublicKey
from ..messages import Disclosure, Indices, SignedMessage
from ..proofs import DisclosureBuilder, ProofBuilder, build_proof_list
from ..protocol_version import ProtocolVersion
from ..request.attribute_list import attribute_list
from ..request.base import SessionRequest
from ..request.issuance import CredentialRequest, IssuanceRequest
from ..request.reading import Fields
from ..request.requestor import parse_session_request
from ..request.signature import SignatureRequest
from ..request.validation import check_request
from ..revocation import Update, update_probability
from ..scheme.configuration import Configuration
from ..scheme.identifiers import CredentialTypeId
from ..session.replies import CLIENT_REQUEST_CONTEXT
from ..session.result import SessionPointer
from ..session.version import SERVER_VERSION
from ..timestamp import Stamped, Timestamp, TimestampService, request_timestamp, stamped_value, timestamp_server
from ..verification import ProofStatus
from .choice import Candidates, Choice, Chooser, default_choice, find_candidates, group_credentials
from .credentials import HeldCredential
from .errors import EventsNeededError, RefusedSessionError, RejectedAnswerError

_NONCE_BITS: Final = 128
_CHANCE_BITS: Final = 32
#: The versions of the protocol that the wallet offers a server.
MIN_VERSION: Final = SERVER_VERSION
MAX_VERSION: Final = SERVER_VERSION


@dataclass(frozen=True, slots=True, repr=False)
class PreparedAnswer:
    """An answer, ready to be posted.

    Attributes:
        path: the endpoint under the session's URL: `proofs` or `commitments`.
        body: the JSON to post.
        request: what was asked.
        choice: what is disclosed; the next session of a chain must disclose it again.
        builders: make the credentials out of the server's answer, one per credential that was asked for.
        made_at: Unix seconds.
    """

    path: str
    body: bytes
    request: SessionRequest
    choice: Choice
    builders: tuple[CredentialBuilder, ...]
    made_at: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended.

    Attributes:
        status: what the server says of the proofs.
        received: the credentials that are new in the wallet.
        next_session: where the next session of the chain is; None where there is none.
    """

    status: ProofStatus
    received: tuple[HeldCredential, ...] = field(default=(), repr=False)
    next_session: SessionPointer | None = None


class Wallet:
    """A secret key and the credentials bound to it.

    Attributes:
        configuration: the schemes that the wallet trusts; set it anew when they change.
        credentials: what is held, the oldest first.
        timestamps: the way to time-stamp servers; without one, signatures have no time stamp.
    """

    def __init__(
        self,
        secret_key: mpz,
        configuration: Configuration,
        credentials: Sequence[HeldCredential] = (),
        *,
        clock: Clock = system_clock,
        random: RandomSource = SYSTEM_RANDOM,
        timestamps: TimestampService | None = None,
    ) -> None:
        self._secret_key = secret_key
        self.configuration = configuration
        self.credentials = tuple(credentials)
        self.timestamps = timestamps
        self._clock = clock
        self._random = random

    @classmethod
    def create(cls, configuration: Configuration, *, clock: Clock = system_clock, random: RandomSource = SYSTEM_RANDOM) -> Self:
        """Make an empty wallet with a new secret key."""
        return cls(generate_secret_key(random), configuration, clock=clock, random=random)

    def to_json(self) -> dict[str, object]:
        """Write the wallet, secret key included."""
        return {"secretKey": encode_integer(self._secret_key), "credentials": [held.to_json() for held in self.credentials]}

    @classmethod
    def from_json(
        cls, value: Mapping[str, Any], configuration: Configuration, *, clock: Clock = system_clock, random: RandomSource = SYSTEM_RANDOM
    ) -> Self:
        """Read a wallet.

        Raises:
            UnknownIdentifierError: the schemes do not know a credential's type or key.
            MalformedError: it cannot be read.
        """
        secret_key = decode_integer(value["secretKey"], "secretKey")
        credentials = [HeldCredential.from_json(item, secret_key, configuration) for item in value["credentials"]]
        return cls(secret_key, configuration, credentials, clock=clock, random=random)

    def candidates(self, request: SessionRequest) -> Candidates:
        """All ways to satisfy each disjunction of a request with what is held."""
        return find_candidates(
            request.disclose,
            self.credentials,
            at=self._clock().timestamp(),
            skip_expiry_check=request.skip_expiry_check,
            non_revocation=request.revocation.keys(),
        )

    def read_request(self, body: bytes) -> SessionRequest:
        """Read a server's message and check what a holder must check before taking part.

        Args:
            body: the answer to the first request for the session, or to the one for its request after pairing.

        Raises:
            MalformedRequestError: it is no session request, or the request is still withheld because of pairing.
            UnknownIdentifierError: it names what no scheme of the wallet knows.
            RefusedSessionError: another protocol version, an issuer's key that has expired, or a scheme with a keyshare server.
        """
        value = parse_json(body, "body", MalformedRequestError)
        fields = Fields.read(value, "", frozenset({"@context", "protocolVersion", "request"}))
        if fields.text("@context") == CLIENT_REQUEST_CONTEXT:
            value = fields.get("request")
            if not isinstance(value, dict):
                raise MalformedRequestError("request", "is absent: pairing must be completed first")
        request = parse_session_request(value).request
        if request.protocol_version is None or not MIN_VERSION <= request.protocol_version <= MAX_VERSION:
            raise RefusedSessionError(f"the wallet does not speak protocol version {_named(request.protocol_version)}")
        check_request(request, self.configuration, may_augment_url=True)
        for credential in request.credentials if isinstance(request, IssuanceRequest) else ():
            self._usable_key(credential)
        return request

    def _usable_key(self, credential: CredentialRequest) -> PublicKey:
        """The key under which a credential will be issued.

        Raises:
            RefusedSessionError: it is unknown or has expired, or the scheme has a keyshare server.
        """
        type_id = credential.credential_type
        if self.configuration.schemes[type_id.scheme].has_keyshare:
            raise RefusedSessionError(f"{type_id.scheme} has a keyshare server, at which this wallet is not enrolled")
        try:
            public_key = self.configuration.public_key(type_id.issuer, credential.key_counter)
        except UnknownPublicKeyError as error:
            raise RefusedSessionError(f"credential signed with unknown public key {credential.public_key_id}") from error
        if self._clock().timestamp() > public_key.expires_at:
            raise RefusedSessionError(f"credential signed with expired key {credential.public_key_id}")
        return public_key

    def answer(self, body: bytes, *, choose: Chooser = default_choice, earlier: Choice = ()) -> PreparedAnswer:
        """Make the answer to a server's message.

        Args:
            body: see `read_request`.
            choose: picks what to disclose.
            earlier: what the session before this one in a chain disclosed (`PreparedAnswer.choice`); it is disclosed again.

        Raises:
            MalformedRequestError, UnknownIdentifierError, RefusedSessionError: see `read_request`; the latter also where a credential
                of an earlier session was revoked since.
            UnsatisfiableRequestError: nothing held satisfies the request.
            EventsNeededError: a witness is too old for the updates in the request.
            VerificationError: the updates do not hold.
            InvalidTimestampError: a signature cannot be stamped.
            IdemixError: what the way to time-stamp servers raises.
        """
        request = self.read_request(body)
        self.take_updates(request)
        choice = (*choose(self.candidates(request)), *self._renewed(earlier))
        groups, indices = group_credentials(choice)
        for held, _ in groups:
            if held.is_revoked or (held.type.id in request.revocation and held.witness is None):
                raise RefusedSessionError(f"{held.type.id} cannot be proved not to be revoked")
        disclosures = [
            held.disclosure_builder(bases, self._random, proves_non_revocation=held.type.id in request.revocation) for held, bases in groups
        ]
        context, nonce, made_at = request.proof_context(), request.proof_nonce(), int(self._clock().timestamp())
        if isinstance(request, IssuanceRequest):
            nonce2 = self._random.bits(_NONCE_BITS)
            builders = tuple(self._commit(credential, context, nonce2) for credential in request.credentials)
            all_builders: list[ProofBuilder] = [*disclosures, *builders]
            proofs = build_proof_list(all_builders, context=context, nonce=nonce, is_signature=False, random=self._random)
            message = IssueCommitmentMessage(nonce2, proofs, indices=indices)
            return PreparedAnswer("commitments", _encode(message.to_json()), request, choice, builders, made_at)
        if isinstance(request, SignatureRequest):
            signed = self._sign(request, [held for held, _ in groups], disclosures, indices)
            return PreparedAnswer("proofs", _encode(signed.to_json()), request, choice, (), made_at)
        proofs = build_proof_list(disclosures, context=context, nonce=nonce, is_signature=False, random=self._random)
        return PreparedAnswer("proofs", _encode(Disclosure(proofs, indices).to_json()), request, choice, (), made_at)

    def _sign(
        self, request: SignatureRequest, credentials: Sequence[HeldCredential], disclosures: Sequence[DisclosureBuilder], indices: Indices
    ) -> SignedMessage:
        """Make an attribute-based signature, stamped where there is a time-stamp server."""
        stamp = self._timestamp(request.message, credentials, disclosures)
        nonce = signature_nonce(request.proof_nonce(), request.message, None if stamp is None else stamp.signature.data)
        context = request.proof_context()
        return SignedMessage(
            signature=build_proof_list(disclosures, context=context, nonce=nonce, is_signature=True, random=self._random),
            indices=indices,
            nonce=request.proof_nonce(),
            context=context,
            message=request.message,
            timestamp=stamp,
        )

    def _timestamp(self, message: str, credentials: Sequence[HeldCredential], disclosures: Sequence[DisclosureBuilder]) -> Timestamp | None:
        """Have a signature stamped; None where no credential's scheme has a time-stamp server, or there is no way to one."""
        schemes = [self.configuration.schemes[held.type.id.scheme] for held in credentials]
        if self.timestamps is None or not any(scheme.timestamp_server for scheme in schemes):
            return None
        stamped = [
            Stamped(
                A=builder.signature.A,
                disclosed={index: builder.attributes[index] for index in builder.disclosed},
                count=len(builder.attributes),
                public_key=builder.public_key,
            )
            for builder in disclosures
        ]
        server = timestamp_server(schemes)
        return request_timestamp(self.timestamps, server, stamped_value(message, stamped), now=self._clock())

    def take_updates(self, request: SessionRequest) -> None:
        """Bring the witnesses of the types for which a request asks non-revocation up to date, with the updates in it.

        Raises:
            MalformedError, VerificationError: an update is malformed or does not hold.
            RefusedSessionError: the request holds updates, and none for a key of a credential that is held.
            EventsNeededError: a witness is too old for them.
        """
        for type_id, wanted in request.revocation.items():
            updates = {counter: Update.from_json(value, f"revocation.{type_id}.updates") for counter, value in wanted.updates.items()}
            for counter, first_index in self.next_events(type_id).items():
                if not updates:
                    continue
                if counter not in updates:
                    raise RefusedSessionError(f"the request holds no revocation update for {type_id}, key {counter}")
                newest = updates[counter].verify(self.configuration.public_key(type_id.issuer, counter))
                if updates[counter].first_index(newest) > first_index:
                    raise EventsNeededError(type_id, counter, first_index)
                self.apply_update(type_id, updates[counter])

    def next_events(self, credential_type: CredentialTypeId) -> dict[int, int]:
        """By key counter, the index of the first revocation event that some witness of a type has not seen."""
        first: dict[int, int] = {}
        for held in self.credentials:
            index = held.next_event if held.type.id == credential_type else None
            if index is not None:
                first[held.key_counter] = min(index, first.get(held.key_counter, index))
        return first

    def apply_update(self, credential_type: CredentialTypeId, update: Update) -> tuple[HeldCredential, ...]:
        """Bring the witnesses of one type and key up to date.

        Args:
            credential_type: the type that the update is about.
            update: from its issuer; see `next_events` for how far back it must reach.

        Returns:
            The credentials that are found revoked.

        Raises:
            UnknownPublicKeyError: the update is signed with an unknown key.
            MissingEventsError, VerificationError, MalformedError: it starts too late or does not hold; then nothing is changed.
        """
        counter = update.signed_accumulator.key_counter
        update.verify(self.configuration.public_key(credential_type.issuer, counter))
        credentials = tuple(
            held.updated(update) if held.type.id == credential_type and held.key_counter == counter else held for held in self.credentials
        )
        revoked = tuple(new for new, old in zip(credentials, self.credentials, strict=True) if new.is_revoked and not old.is_revoked)
        self.credentials = credentials
        return revoked

    def due_updates(self) -> dict[CredentialTypeId, dict[int, int]]:
        """Choose, at a regular look every ten seconds, the types whose updates are to be fetched now; see `update_probability`.

        Returns:
            Per type what `next_events` says.
        """
        now = self._clock().timestamp()
        due: dict[CredentialTypeId, dict[int, int]] = {}
        for held in self.credentials:
            if held.witness is None or held.is_revoked:
                continue
            probability = update_probability(now - held.witness.updated_at, held.type.revocation_update_speed)
            if self._random.bits(_CHANCE_BITS) < probability * 2**_CHANCE_BITS:
                due[held.type.id] = self.next_events(held.type.id)
        return due

    def _renewed(self, choice: Choice) -> Choice:
        """An earlier choice with the credentials as they are now, whose witnesses may have been updated since."""
        held = {credential.hash: credential for credential in self.credentials}
        return tuple(tuple(replace(pick, credential=held.get(pick.credential.hash, pick.credential)) for pick in way) for way in choice)

    def _commit(self, credential: CredentialRequest, context: mpz, nonce2: mpz) -> CredentialBuilder:
        credential_type = self.configuration.credential_types[credential.credential_type]
        return CredentialBuilder.create(
            self._usable_key(credential),
            self._secret_key,
            context=context,
            nonce2=nonce2,
            blind_indices=[index + 1 for index in credential_type.random_blind_indices],
            random=self._random,
        )

    def finish(self, prepared: PreparedAnswer, body: bytes) -> Outcome:
        """Take in the server's reply to an answer; credentials are checked and kept.

        Args:
            prepared: the answer.
            body: the server's reply.

        Raises:
            RejectedAnswerError: the server did not issue as many credentials as it offered.
            MalformedError: the reply cannot be read.
            VerificationError: a credential is not what was offered; then none is kept.
        """
        fields = Fields.read(parse_json(body, "body", MalformedRequestError), "", frozenset({"proofStatus", "sigs", "nextSession"}))
        try:
            status = ProofStatus(fields.text("proofStatus"))
        except ValueError as error:
            raise MalformedRequestError("proofStatus", "expected a proof status") from error
        received: tuple[HeldCredential, ...] = ()
        if isinstance(prepared.request, IssuanceRequest) and status is ProofStatus.VALID:
            messages = [IssueSignatureMessage.from_json(item, path) for path, item in fields.items("sigs")]
            if len(messages) != len(prepared.builders):
                raise RejectedAnswerError(f"{len(prepared.builders)} credentials were offered, {len(messages)} came")
            received = tuple(
                self._receive(credential, builder, message, prepared.made_at)
                for credential, builder, message in zip(prepared.request.credentials, prepared.builders, messages, strict=True)
            )
            for held in received:
                self._keep(held)
        pointer = fields.get("nextSession")
        return Outcome(status, received, None if not isinstance(pointer, dict) else SessionPointer.from_json(pointer))

    def _receive(
        self, credential: CredentialRequest, builder: CredentialBuilder, message: IssueSignatureMessage, made_at: int
    ) -> HeldCredential:
        """Check a signature and make a credential of it.

        The week of signing is not sent: it is the one in which the answer was made or, where a new one has begun since, that.
        """
        credential_type = self.configuration.credential_types[credential.credential_type]
        if credential.revocation_supported != (message.witness is not None):
            raise RejectedAnswerError(
                f"a non-revocation witness {'is missing from' if message.witness is None else 'came with'} {credential_type.id}"
            )
        e = None if message.witness is None else message.witness.e
        first, last = floor_to_week(made_at), floor_to_week(int(self._clock().timestamp()))
        try:
            integers = attribute_list(credential, credential_type, signed_at=first, revocation_attribute=e)
            signature, attributes = builder.construct(message, integers)
        except InvalidSignatureError:
            if first == last:
                raise
            integers = attribute_list(credential, credential_type, signed_at=last, revocation_attribute=e)
            signature, attributes = builder.construct(message, integers)
        held = HeldCredential.of(credential_type, signature, attributes, self.configuration)
        if message.witness is None:
            return held
        accumulator = message.witness.signed_accumulator.verify(held.credential.public_key)
        return replace(held, witness=replace(message.witness, updated_at=accumulator.time))

    def _keep(self, held: HeldCredential) -> None:
        """Add a credential; it takes the place of an equal one, and of one of which a holder has at most one."""
        self.credentials = (
            *(
                other
                for other in self.credentials
                if other.type.id != held.type.id or not (held.type.is_singleton or other.hash == held.hash)
            ),
            held,
        )


def _named(version: ProtocolVersion | None) -> str:
    return "(none)" if version is None else str(version)


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

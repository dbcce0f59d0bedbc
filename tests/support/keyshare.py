"""A keyshare server and an app that is enrolled there, joined in memory, for the reference's test scheme `test`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gmpy2 import mpz

from idemix.challenge import create_challenge, signature_nonce
from idemix.credential.credential import Credential, generate_secret_key
from idemix.issuance.builder import CredentialBuilder
from idemix.issuance.messages import IssueCommitmentMessage, IssueSignatureMessage
from idemix.keys.public import PublicKey
from idemix.keyshare import ProofP, merge_proofs, read_proof_p, sign_proof_p
from idemix.keyshare.holder import challenge_inputs, join, user_response, without_keyshare_part
from idemix.keyshare.messages import ResponseRequest, commitments_hash
from idemix.keyshare.server import commit, commit_to_key, generate_keyshare_secret, respond, respond_old
from idemix.messages import DisclosedIndex, Disclosure, SignedMessage
from idemix.params import SECRET_RANDOMIZER_BITS
from idemix.proofs import ProofBuilder, ProofList, ProofU
from idemix.proofs.builder import CommittedList, commit_all
from idemix.request import IssuanceRequest, SessionRequest, SignatureRequest
from idemix.request.attribute_list import attribute_list
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import CredentialTypeId, PublicKeyId, SchemeManagerId
from tests.support.randomness import SeededRandom
from tests.support.shared import shared

SCHEME = SchemeManagerId("test")


@cache
def server_key(number: int = 0, scheme: str = "test") -> RSAPrivateKey:
    """The private key of `kss-N.pem` of the reference's test scheme."""
    content = shared("schemes", "testdata", "jwtkeys", f"{scheme}-kss-sk-{number}.pem").read_bytes()
    key = load_pem_private_key(content, None)
    assert isinstance(key, RSAPrivateKey)
    return key


@dataclass
class KeyshareApp:
    """An app whose secret key is shared with a keyshare server; it has that server with it.

    Attributes:
        configuration: the schemes.
        now: tells the time to app and server.
        newer: whether the newer protocol is spoken.
        key_number: the key with which the server signs.
        change_jwt: applied to the server's JWT before it is sent.
        secret_key, keyshare_secret: the two parts.
        credentials: what is held, one a type.
    """

    configuration: Configuration
    now: Callable[[], datetime]
    newer: bool = False
    key_number: int = 0
    change_jwt: Callable[[str], str] = lambda token: token
    random: SeededRandom = field(default_factory=lambda: SeededRandom("keyshare"))
    credentials: dict[CredentialTypeId, Credential] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.secret_key = generate_secret_key(self.random)
        self.keyshare_secret = generate_keyshare_secret(self.random)

    def commitments(self, request: IssuanceRequest) -> tuple[dict[str, Any], list[CredentialBuilder]]:
        """The answer to an issuance session, and what makes the credentials."""
        nonce2 = self.random.bits(128)
        builders = []
        for wanted in request.credentials:
            key = self.configuration.public_key(wanted.credential_type.issuer, wanted.key_counter)
            P = commit_to_key(self.keyshare_secret, key) if wanted.credential_type.scheme == SCHEME else None
            context = request.proof_context()
            builders.append(
                CredentialBuilder.create(key, self.secret_key, context=context, nonce2=nonce2, random=self.random, keyshare_p=P)
            )
        chosen, indices = self._choose(request)
        names = [self._name(self.credentials[kind]) for kind in chosen] + [wanted.public_key_id for wanted in request.credentials]
        keys = [self.credentials[kind].public_key for kind in chosen] + [builder.commitment.public_key for builder in builders]
        proofs, proof_p = self._prove(
            [*self._disclosures(chosen, indices), *builders], names, keys, request.proof_context(), request.proof_nonce(), False
        )
        if not self.newer:
            proofs = ProofList(tuple(map(self._for_old_issuer, proofs, names, keys)))
        jwts = {} if proof_p is None else {str(SCHEME): self.change_jwt(self._sign(proof_p))}
        message = IssueCommitmentMessage(nonce2, proofs, jwts, indices)
        return message.to_json(), builders

    def keep(self, request: IssuanceRequest, builders: list[CredentialBuilder], answer: Mapping[str, Any]) -> None:
        """Make the credentials of the issuer's answer."""
        for wanted, builder, content in zip(request.credentials, builders, answer["sigs"], strict=True):
            kind = self.configuration.credential_types[wanted.credential_type]
            values = attribute_list(wanted, kind, signed_at=int(self.now().timestamp()))
            signature, attributes = builder.construct(IssueSignatureMessage.from_json(content), values)
            self.credentials[kind.id] = Credential(builder.commitment.public_key, signature, attributes)

    def proofs(self, request: SessionRequest) -> dict[str, Any]:
        """The answer to a disclosure or signature session: merged by the app."""
        chosen, indices = self._choose(request)
        names = [self._name(self.credentials[kind]) for kind in chosen]
        keys = [self.credentials[kind].public_key for kind in chosen]
        is_signature = isinstance(request, SignatureRequest)
        nonce = signature_nonce(request.proof_nonce(), request.message) if is_signature else request.proof_nonce()  # type: ignore[attr-defined]
        builders = self._disclosures(chosen, indices)
        proofs, proof_p = self._prove(builders, names, keys, request.proof_context(), nonce, is_signature)
        if proof_p is not None:
            number = self.key_number
            read = read_proof_p(self._sign(proof_p), lambda _: server_key(number).public_key(), now=self.now())
            proofs = merge_proofs(proofs, [read if self._shared(name) else None for name in names], keys)
        if isinstance(request, SignatureRequest):
            context, message = request.proof_context(), request.message
            signed = SignedMessage(signature=proofs, indices=indices, nonce=request.proof_nonce(), context=context, message=message)
            return signed.to_json()
        return Disclosure(proofs, indices).to_json()

    def _prove(
        self, builders: list[ProofBuilder], names: list[PublicKeyId], keys: list[PublicKey], context: mpz, nonce: mpz, is_signature: bool
    ) -> tuple[ProofList, ProofP | None]:
        """The app's own proofs, and the server's where it takes part."""
        randomizer = self.random.bits(SECRET_RANDOMIZER_BITS)
        committed = commit_all(builders, randomizer)
        shared_keys = {name: key for name, key in zip(names, keys, strict=True) if self._shared(name)}
        if not shared_keys:
            return committed.respond(create_challenge(context, nonce, committed.contributions, is_signature)), None
        server = commit(self.keyshare_secret, shared_keys, self.random)
        parts = [server.commitments[name].P_commit if name in shared_keys else None for name in names]
        joint = join(committed, parts, keys)
        challenge = create_challenge(context, nonce, joint.contributions, is_signature)
        if self.newer:
            proof_p = self._newer(
                committed,
                [name if name in shared_keys else None for name in names],
                server.randomizer,
                shared_keys,
                ResponseRequest((), context, nonce, is_signature, user_response(self.secret_key, randomizer, challenge)),
            )
            assert proof_p.c == challenge
        else:
            last = next(key for name, key in zip(reversed(names), reversed(keys), strict=True) if name in shared_keys)
            proof_p = respond_old(self.keyshare_secret, server.randomizer, challenge, last)
        return joint.respond(challenge), proof_p

    def _newer(
        self,
        committed: CommittedList,
        names: list[PublicKeyId | None],
        randomizer: mpz,
        keys: Mapping[PublicKeyId, PublicKey],
        request: ResponseRequest,
    ) -> ProofP:
        """The two messages of the newer protocol, as JSON."""
        inputs = challenge_inputs(committed, names)
        hashed = commitments_hash(inputs)
        request = ResponseRequest(inputs, request.context, request.nonce, request.is_signature, request.user_response)
        received = ResponseRequest.from_json(json.loads(json.dumps(request.to_json())))
        assert received == request
        return respond(self.keyshare_secret, randomizer, hashed, received, dict(keys))

    def _sign(self, proof: ProofP) -> str:
        return sign_proof_p(proof, server_key(self.key_number), key_number=self.key_number, now=self.now())

    def _for_old_issuer(self, proof: Any, name: PublicKeyId, key: PublicKey) -> Any:
        if not isinstance(proof, ProofU) or not self._shared(name):
            return proof
        return without_keyshare_part(proof, commit_to_key(self.keyshare_secret, key), key)

    @staticmethod
    def _shared(name: PublicKeyId) -> bool:
        return name.issuer.scheme == SCHEME

    def _name(self, credential: Credential) -> PublicKeyId:
        kind = self.configuration.credential_type_by_hash(credential.metadata.credential_type_hash)
        assert kind is not None
        return PublicKeyId(kind.issuer, credential.metadata.key_counter)

    def _disclosures(self, chosen: list[CredentialTypeId], indices: tuple[tuple[DisclosedIndex, ...], ...]) -> list[ProofBuilder]:
        return [
            self.credentials[kind].disclosure_builder(
                {1} | {index.attribute for group in indices for index in group if index.credential == position}, self.random
            )
            for position, kind in enumerate(chosen)
        ]

    def _choose(self, request: SessionRequest) -> tuple[list[CredentialTypeId], tuple[tuple[DisclosedIndex, ...], ...]]:
        """The first conjunction of each disjunction."""
        chosen: list[CredentialTypeId] = []
        indices = []
        for discon in request.disclose:
            entry = []
            for attribute in discon[0]:
                if attribute.credential_type not in chosen:
                    chosen.append(attribute.credential_type)
                declared = self.configuration.attribute_type(attribute.type)  # type: ignore[arg-type]
                entry.append(DisclosedIndex(chosen.index(attribute.credential_type), 2 + declared.index))
            indices.append(tuple(entry))
        return chosen, tuple(indices)

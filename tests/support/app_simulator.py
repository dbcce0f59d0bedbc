"""A small app that answers sessions of a gateway with real commitments and proofs, over a test client."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask.testing import FlaskClient
from gmpy2 import mpz
from werkzeug.test import TestResponse

from idemix.arith.randomness import SYSTEM_RANDOM
from idemix.challenge import signature_nonce
from idemix.credential.credential import Credential, generate_secret_key
from idemix.issuance.builder import CredentialBuilder
from idemix.issuance.messages import IssueCommitmentMessage, IssueSignatureMessage
from idemix.messages import DisclosedIndex, Disclosure, SignedMessage
from idemix.proofs.builder import ProofBuilder, build_proof_list
from idemix.proofs.proof_list import ProofList
from idemix.request import AttributeRequest, IssuanceRequest, SessionRequest, SignatureRequest, parse_session_request
from idemix.request.attribute_list import attribute_list
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import CredentialTypeId

VERSIONS = {"X-IRMA-MinProtocolVersion": "2.4", "X-IRMA-MaxProtocolVersion": "2.9"}


@dataclass
class SimulatedApp:
    """An app with a secret key and the credentials that it was issued.

    Attributes:
        client: reaches the gateway.
        configuration: the schemes it knows.
        now: the moment of issuance that it reckons with, which must be the gateway's.
        authorization: the secret that binds a session to this app.
    """

    client: FlaskClient
    configuration: Configuration
    now: datetime
    authorization: str = "aaaaaaaaaaaaaaaaaaaa"
    secret_key: mpz = field(default_factory=generate_secret_key)
    credentials: dict[CredentialTypeId, Credential] = field(default_factory=dict)

    @staticmethod
    def path(pointer: Mapping[str, str]) -> str:
        """The path of a session, from its QR."""
        return "/irma/session/" + pointer["u"].rpartition("/")[2]

    def connect(self, pointer: Mapping[str, str]) -> TestResponse:
        """Fetch a session for the first time."""
        return self.client.get(self.path(pointer), headers={"Authorization": self.authorization, **VERSIONS})

    def post(self, pointer: Mapping[str, str], endpoint: str, body: bytes) -> TestResponse:
        """Send an answer."""
        return self.client.post(f"{self.path(pointer)}/{endpoint}", data=body, headers={"Authorization": self.authorization})

    def answer(self, pointer: Mapping[str, str]) -> TestResponse:
        """Connect, answer with all that is asked, and keep what is issued."""
        connected = self.connect(pointer)
        assert connected.status_code == 200, connected.text
        request = parse_session_request(connected.get_json()["request"]).request
        if isinstance(request, IssuanceRequest):
            body, builders = self.commitments(request)
            response = self.post(pointer, "commitments", body)
            if response.status_code == 200:
                self._keep(request, builders, response.get_json())
            return response
        return self.post(pointer, "proofs", self.proofs(request))

    def proofs(self, request: SessionRequest) -> bytes:
        """The body that answers a disclosure or signature request."""
        chosen, indices = self._choose(request)
        if isinstance(request, SignatureRequest):
            nonce = signature_nonce(request.proof_nonce(), request.message)
            proofs = self._prove(chosen, indices, [], request, nonce=nonce, is_signature=True)
            signed = SignedMessage(
                signature=proofs,
                indices=indices,
                nonce=request.proof_nonce(),
                context=request.proof_context(),
                message=request.message,
            )
            return json.dumps(signed.to_json()).encode()
        proofs = self._prove(chosen, indices, [], request, nonce=request.proof_nonce())
        return json.dumps(Disclosure(proofs, indices).to_json()).encode()

    def commitments(self, request: IssuanceRequest) -> tuple[bytes, list[CredentialBuilder]]:
        """The body that answers an issuance request, and what turns the issuer's answer into credentials."""
        nonce2 = SYSTEM_RANDOM.bits(80)
        builders = [
            CredentialBuilder.create(
                self.configuration.public_key(wanted.credential_type.issuer, wanted.key_counter),
                self.secret_key,
                context=request.proof_context(),
                nonce2=nonce2,
            )
            for wanted in request.credentials
        ]
        chosen, indices = self._choose(request)
        proofs = self._prove(chosen, indices, builders, request, nonce=request.proof_nonce())
        message = IssueCommitmentMessage(proofs=proofs, nonce2=nonce2, indices=indices)
        return json.dumps(message.to_json()).encode(), builders

    def _choose(self, request: SessionRequest) -> tuple[list[CredentialTypeId], tuple[tuple[DisclosedIndex, ...], ...]]:
        """Of each disjunction the first conjunction for which there are credentials."""
        chosen: list[CredentialTypeId] = []
        indices = []
        for discon in request.disclose:
            con = next(con for con in discon if all(attribute.credential_type in self.credentials for attribute in con))
            for attribute in con:
                if attribute.credential_type not in chosen:
                    chosen.append(attribute.credential_type)
            indices.append(tuple(DisclosedIndex(chosen.index(attribute.credential_type), self._base(attribute)) for attribute in con))
        return chosen, tuple(indices)

    def _base(self, attribute: AttributeRequest) -> int:
        name = str(attribute.type).removeprefix(str(attribute.credential_type)).lstrip(".")
        if not name:
            return 1
        declared = self.configuration.credential_types[attribute.credential_type].attributes
        return 2 + next(position for position, declaration in enumerate(declared) if declaration.attribute_id == name)

    def _prove(
        self,
        chosen: list[CredentialTypeId],
        indices: tuple[tuple[DisclosedIndex, ...], ...],
        builders: list[CredentialBuilder],
        request: SessionRequest,
        *,
        nonce: mpz,
        is_signature: bool = False,
    ) -> ProofList:
        disclosures: list[ProofBuilder] = [
            self.credentials[kind].disclosure_builder(
                {1} | {index.attribute for group in indices for index in group if index.credential == position}
            )
            for position, kind in enumerate(chosen)
        ]
        return build_proof_list([*disclosures, *builders], context=request.proof_context(), nonce=nonce, is_signature=is_signature)

    def _keep(self, request: IssuanceRequest, builders: list[CredentialBuilder], answer: Mapping[str, Any]) -> None:
        for wanted, builder, content in zip(request.credentials, builders, answer["sigs"], strict=True):
            kind = self.configuration.credential_types[wanted.credential_type]
            values = attribute_list(wanted, kind, signed_at=int(self.now.timestamp()))
            signature, attributes = builder.construct(IssueSignatureMessage.from_json(content), values)
            key = self.configuration.public_key(wanted.credential_type.issuer, wanted.key_counter)
            self.credentials[wanted.credential_type] = Credential(key, signature, attributes)

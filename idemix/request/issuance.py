"""Issuance requests: credentials to issue, and attributes to disclose in the same session where there are any.

Source: irmago `irma/requests.go` (IssuanceRequest, CredentialRequest).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from ..errors import MalformedRequestError
from ..scheme.identifiers import CredentialTypeId, PublicKeyId
from .base import DISCLOSURE_FIELDS, Action, SessionRequest, read_base, read_disclosure
from .reading import Fields, RequestRuleError, as_text_map

_CREDENTIAL_FIELDS: Final = frozenset(
    {
        "validity",
        "keyCounter",
        "credential",
        "attributes",
        "revocationKey",
        "revocationSupported",
        "randomblindIDs",
        "sdJwtBatchSize",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRequest:
    """One credential to issue.

    Attributes:
        credential_type: what to issue.
        attributes: values by attribute name; an optional attribute that is absent is issued without value.
        expires_at: Unix seconds; None stands for six months after the session's start.
        key_counter: the issuer's public key; the server sets it to the newest key that can sign.
        revocation_key: the name under which the requestor can revoke the credential; never shown to the app.
        revocation_supported: set by the server for the app.
        random_blind_ids: names of random blind attributes as the reference counts them; set by the server.
        sd_jwt_batch_size: how many SD-JWTs to issue along.
    """

    credential_type: CredentialTypeId
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires_at: int | None = None
    key_counter: int = 0
    revocation_key: str = field(default="", repr=False)
    revocation_supported: bool = False
    random_blind_ids: tuple[str, ...] = ()
    sd_jwt_batch_size: int = 0

    @property
    def public_key_id(self) -> PublicKeyId:
        return PublicKeyId(self.credential_type.issuer, self.key_counter)

    @classmethod
    def read(cls, value: object, where: str) -> Self:
        """Read a credential request; the number of parts of its identifier is checked by `check_identifiers`.

        Raises:
            MalformedRequestError: it is malformed.
        """
        fields = Fields.read(value, where, _CREDENTIAL_FIELDS)
        return cls(
            credential_type=CredentialTypeId(fields.text("credential")),
            attributes=as_text_map(fields.get("attributes"), fields.path("attributes")),
            expires_at=fields.optional_integer("validity"),
            key_counter=fields.unsigned("keyCounter"),
            revocation_key=fields.text("revocationKey"),
            revocation_supported=fields.flag("revocationSupported"),
            random_blind_ids=fields.texts("randomblindIDs"),
            sd_jwt_batch_size=fields.unsigned("sdJwtBatchSize"),
        )

    def to_json(self) -> dict[str, object]:
        result: dict[str, object] = {}
        if self.expires_at is not None:
            result["validity"] = self.expires_at
        if self.key_counter:
            result["keyCounter"] = self.key_counter
        result["credential"] = str(self.credential_type)
        result["attributes"] = dict(self.attributes)
        if self.revocation_key:
            result["revocationKey"] = self.revocation_key
        if self.revocation_supported:
            result["revocationSupported"] = True
        if self.random_blind_ids:
            result["randomblindIDs"] = list(self.random_blind_ids)
        if self.sd_jwt_batch_size:
            result["sdJwtBatchSize"] = self.sd_jwt_batch_size
        return result

    @classmethod
    def restored(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(
            credential_type=CredentialTypeId(value["credential"]),
            attributes=value["attributes"],
            expires_at=value.get("validity"),
            key_counter=value.get("keyCounter", 0),
            revocation_key=value.get("revocationKey", ""),
            revocation_supported=value.get("revocationSupported", False),
            random_blind_ids=tuple(value.get("randomblindIDs", ())),
            sd_jwt_batch_size=value.get("sdJwtBatchSize", 0),
        )


def read_credentials(items: Iterable[tuple[str, object]]) -> tuple[tuple[str, CredentialRequest], ...]:
    """Read credential requests with their paths.

    Raises:
        MalformedRequestError: one is malformed or null.
    """
    result = []
    for path, item in items:
        if item is None:
            raise MalformedRequestError(path, "expected a credential request, found null")
        result.append((path, CredentialRequest.read(item, path)))
    return tuple(result)


def check_credentials(credentials: tuple[tuple[str, CredentialRequest], ...], where: str) -> tuple[CredentialRequest, ...]:
    """Apply the rules on credential requests that need no scheme.

    Raises:
        RequestRuleError: there is none, or an identifier has not three parts.
    """
    if not credentials:
        raise RequestRuleError(where, "Empty issuance request")
    for path, credential in credentials:
        parts = str(credential.credential_type).count(".") + 1
        if parts != CredentialTypeId.PARTS:
            raise RequestRuleError(f"{path}.credential", f"Expected credential ID to consist of 3 parts, {parts} found")
    return tuple(credential for _, credential in credentials)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuanceRequest(SessionRequest):
    """Asks an app to receive credentials, and perhaps to disclose attributes in the same session."""

    LD_CONTEXT: ClassVar[str] = "https://irma.app/ld/request/issuance/v2"
    ACTION: ClassVar[Action] = Action.ISSUING

    credentials: tuple[CredentialRequest, ...]

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """Read a request from decoded JSON and check the rules that need no scheme.

        Raises:
            MalformedRequestError: it is malformed.
        """
        fields = Fields.read(value, where, DISCLOSURE_FIELDS | {"credentials", "requestSdJwts"})
        base = read_base(fields)
        condiscon, disclosure = read_disclosure(fields)
        credentials = read_credentials(fields.items("credentials"))
        fields.flag("requestSdJwts")  # read by the reference, and used nowhere
        if fields.text("@context") != cls.LD_CONTEXT:
            raise RequestRuleError(fields.path("@context"), "Not an issuance request")
        checked = check_credentials(credentials, fields.path("credentials"))
        return cls(credentials=checked, disclose=condiscon.checked(), **disclosure, **base)

    def to_json(self) -> dict[str, object]:
        return {**SessionRequest.to_json(self), "credentials": [credential.to_json() for credential in self.credentials]}

    @classmethod
    def _own_arguments(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        return {"credentials": tuple(map(CredentialRequest.restored, value["credentials"]))}

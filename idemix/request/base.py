"""What the three types of session request have in common.

Source: irmago `irma/requests.go` (BaseRequest, DisclosureRequest).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final, Self, TypedDict

from gmpy2 import mpz

from ..errors import MalformedProofError, MalformedRequestError, ProofRuleError
from ..integers import decode_integer, encode_integer
from ..json_text import WrittenFloat
from ..protocol_version import ProtocolVersion
from ..scheme.identifiers import CredentialTypeId
from .condiscon import ConDisCon, Labels, UncheckedConDisCon, attribute_requests, condiscon_from_json, condiscon_to_json
from .reading import INT64, UINT64, Fields, RequestRuleError, as_integer, as_object, as_text_map


class Action(Enum):
    """The type of a session, as results and QR contents name it."""

    DISCLOSING = "disclosing"
    SIGNING = "signing"
    ISSUING = "issuing"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class NonRevocationRequest:
    """Asks for a proof that credentials of one type are not revoked.

    Attributes:
        tolerance: how many seconds old the state may be; 0 stands for the server's setting.
        updates: the newest events by key counter, as JSON; the server fills them in when the app connects.
    """

    tolerance: int = 0
    updates: Mapping[int, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        result: dict[str, object] = {}
        if self.tolerance:
            result["tolerance"] = self.tolerance
        if self.updates:
            result["updates"] = {str(counter): update for counter, update in self.updates.items()}
        return result

    @classmethod
    def restored(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        updates = {int(counter): update for counter, update in value.get("updates", {}).items()}
        return cls(value.get("tolerance", 0), updates)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """Base of the three types.

    Attributes:
        disclose: the attributes to disclose; empty where an issuance request asks for none.
        labels: texts for the disjunctions, by index.
        skip_expiry_check: credential types that may have expired; not compared with the scheme.
        context, nonce, protocol_version, dev_mode: set by the server; what a requestor sends is overwritten.
        revocation: credential types for which non-revocation must be proved.
        legacy_type: the old session type, where it was sent.
        is_legacy: whether the request was read from the form that is older than condiscons.
        client_return_url: where the app goes after the session.
        augment_return_url: whether the requestor token is appended to `client_return_url`.
        host: the host[:port] to put in the QR instead of the server's own.
    """

    LD_CONTEXT: ClassVar[str]
    ACTION: ClassVar[Action]

    disclose: ConDisCon = ()
    labels: Labels = field(default_factory=dict)
    skip_expiry_check: tuple[CredentialTypeId, ...] = ()
    context: mpz | None = None
    nonce: mpz | None = None
    protocol_version: ProtocolVersion | None = None
    revocation: Mapping[CredentialTypeId, NonRevocationRequest] = field(default_factory=dict)
    legacy_type: str = ""
    is_legacy: bool = False
    dev_mode: bool = False
    client_return_url: str = ""
    augment_return_url: bool = False
    host: str = ""

    @property
    def action(self) -> Action:
        return self.ACTION

    def proof_context(self) -> mpz:
        """The context of the proofs: 1 where the request has none."""
        return mpz(1) if self.context is None else self.context

    def proof_nonce(self) -> mpz:
        """The nonce of the proofs: 0 where the request has none."""
        return mpz(0) if self.nonce is None else self.nonce

    def requires_value(self) -> bool:
        """Whether some attribute must have a given value."""
        return any(attribute.value is not None for _, attribute in attribute_requests(self.disclose))

    def to_json(self) -> dict[str, object]:
        """Write the request as the reference does: fields without value left out."""
        return {"@context": self.LD_CONTEXT, **self._base_to_json(), **self._disclosure_to_json()}

    @classmethod
    def restored(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, without checking again what was checked when it was read first."""
        context, nonce, version = value.get("context"), value.get("nonce"), value.get("protocolVersion")
        revocation = value.get("revocation", {}).items()
        return cls(
            disclose=condiscon_from_json(value.get("disclose", ())),
            labels={int(index): texts for index, texts in value.get("labels", {}).items()},
            skip_expiry_check=tuple(map(CredentialTypeId, value.get("skipExpiryCheck", ()))),
            context=None if context is None else decode_integer(context, "context"),
            nonce=None if nonce is None else decode_integer(nonce, "nonce"),
            protocol_version=None if version is None else ProtocolVersion.parse(version),
            revocation={CredentialTypeId(type_id): NonRevocationRequest.restored(wanted) for type_id, wanted in revocation},
            legacy_type=value.get("type", ""),
            dev_mode=value.get("devMode", False),
            client_return_url=value.get("clientReturnUrl", ""),
            augment_return_url=value.get("augmentReturnUrl", False),
            host=value.get("host", ""),
            **cls._own_arguments(value),
        )

    @classmethod
    def _own_arguments(cls, _value: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that a type has besides those of all types, from what `to_json` wrote."""
        return {}

    def _base_to_json(self) -> dict[str, object]:
        result: dict[str, object] = {}
        if self.context is not None:
            result["context"] = encode_integer(self.context)
        if self.nonce is not None:
            result["nonce"] = encode_integer(self.nonce)
        if self.protocol_version is not None:
            result["protocolVersion"] = str(self.protocol_version)
        if self.revocation:
            result["revocation"] = {str(type_id): wanted.to_json() for type_id, wanted in self.revocation.items()}
        if self.legacy_type:
            result["type"] = self.legacy_type
        if self.dev_mode:
            result["devMode"] = True
        if self.client_return_url:
            result["clientReturnUrl"] = self.client_return_url
        if self.augment_return_url:
            result["augmentReturnUrl"] = True
        if self.host:
            result["host"] = self.host
        return result

    def _disclosure_to_json(self) -> dict[str, object]:
        result: dict[str, object] = {}
        if self.disclose:
            result["disclose"] = condiscon_to_json(self.disclose)
        if self.labels:
            result["labels"] = {str(index): None if texts is None else dict(texts) for index, texts in self.labels.items()}
        if self.skip_expiry_check:
            result["skipExpiryCheck"] = [str(type_id) for type_id in self.skip_expiry_check]
        return result


BASE_FIELDS: Final = frozenset(
    {
        "@context",
        "context",
        "nonce",
        "protocolVersion",
        "revocation",
        "type",
        "devMode",
        "clientReturnUrl",
        "augmentReturnUrl",
        "host",
    }
)
DISCLOSURE_FIELDS: Final = BASE_FIELDS | {"disclose", "labels", "skipExpiryCheck"}


class BaseArguments(TypedDict):
    """Arguments of `SessionRequest` that every form of request has."""

    context: mpz | None
    nonce: mpz | None
    protocol_version: ProtocolVersion | None
    revocation: Mapping[CredentialTypeId, NonRevocationRequest]
    legacy_type: str
    dev_mode: bool
    client_return_url: str
    augment_return_url: bool
    host: str


def read_base(fields: Fields) -> BaseArguments:
    """Read the fields of `BaseRequest`."""
    return {
        "context": _read_integer(fields, "context"),
        "nonce": _read_integer(fields, "nonce"),
        "protocol_version": _read_version(fields),
        "revocation": _read_revocation(fields.get("revocation"), fields.path("revocation")),
        "legacy_type": fields.text("type"),
        "dev_mode": fields.flag("devMode"),
        "client_return_url": fields.text("clientReturnUrl"),
        "augment_return_url": fields.flag("augmentReturnUrl"),
        "host": fields.text("host"),
    }


class DisclosureArguments(TypedDict):
    """Arguments of `SessionRequest` about disclosing, besides the condiscon itself."""

    labels: Labels
    skip_expiry_check: tuple[CredentialTypeId, ...]


def read_disclosure(fields: Fields) -> tuple[UncheckedConDisCon, DisclosureArguments]:
    """Read the condiscon, whose rules are still to be checked, and what goes with it."""
    condiscon = UncheckedConDisCon(fields.get("disclose"), fields.path("disclose"))
    labels = _read_labels(fields.get("labels"), fields.path("labels"))
    skipped = tuple(CredentialTypeId(text) for text in fields.texts("skipExpiryCheck"))
    return condiscon, {"labels": labels, "skip_expiry_check": skipped}


def _read_integer(fields: Fields, name: str) -> mpz | None:
    value = fields.get(name)
    if value is None:
        return None
    try:
        return decode_integer(value, fields.path(name))
    except ProofRuleError as error:
        raise RequestRuleError(error.where, error.rule) from error
    except MalformedProofError as error:
        raise MalformedRequestError(error.where, error.rule) from error


def _read_version(fields: Fields) -> ProtocolVersion | None:
    value = fields.get("protocolVersion")
    if value is None:
        return None
    text = value.text if isinstance(value, WrittenFloat) else value
    if not isinstance(text, str) or text.count(".") != 1:
        raise RequestRuleError(fields.path("protocolVersion"), "Invalid protocol version number: not of form x.y")
    try:
        return ProtocolVersion.parse(text)
    except ValueError as error:
        raise MalformedRequestError(fields.path("protocolVersion"), str(error)) from error


#: Digits of the largest 64-bit number.
_MAX_INDEX_DIGITS: Final = 20
_NON_REVOCATION_FIELDS: Final = frozenset({"tolerance", "updates"})


def _read_revocation(value: object, where: str) -> dict[CredentialTypeId, NonRevocationRequest]:
    if isinstance(value, list):
        return {CredentialTypeId(text): NonRevocationRequest() for text in Fields(where, {"": value}).texts("")}
    result: dict[CredentialTypeId, NonRevocationRequest] = {}
    for type_id, wanted in as_object(value, where).items():
        fields = Fields.read(wanted, f"{where}.{type_id}", _NON_REVOCATION_FIELDS)
        updates = {
            _read_index(counter, fields.path("updates"), UINT64): as_object(update, f"{fields.path('updates')}.{counter}")
            for counter, update in as_object(fields.get("updates"), fields.path("updates")).items()
        }
        result[CredentialTypeId(type_id)] = NonRevocationRequest(fields.unsigned("tolerance"), updates)
    return result


def _read_labels(value: object, where: str) -> dict[int, Mapping[str, str] | None]:
    return {
        _read_index(key, where, INT64): None if texts is None else as_text_map(texts, f"{where}.{key}")
        for key, texts in as_object(value, where).items()
    }


def _read_index(key: str, where: str, allowed: range) -> int:
    is_signed = allowed.start < 0 and key[:1] in ("+", "-")
    digits = key[1:] if is_signed else key
    significant = digits.lstrip("0")
    if not (digits.isascii() and digits.isdigit() and len(significant) <= _MAX_INDEX_DIGITS):
        raise MalformedRequestError(where, f"expected a decimal integer as key, found {key[:40]!r}")
    index = int(significant or "0")
    return as_integer(-index if key[0] == "-" else index, where, allowed)

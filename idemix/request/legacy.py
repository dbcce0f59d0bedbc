"""The form of session requests that is older than condiscons: lists of labelled disjunctions of single attributes.

Old requests are read into the new form. New requests can be written in the old form where every conjunction has
exactly one attribute.

Source: irmago `irma/legacy.go`, `irma/server/legacy.go`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..errors import MalformedRequestError
from ..integers import encode_integer
from .base import BASE_FIELDS, Action, SessionRequest, read_base
from .condiscon import ConDisCon, UncheckedConDisCon
from .disclosure import DisclosureRequest
from .issuance import IssuanceRequest, check_credentials, read_credentials
from .reading import Fields, RequestRuleError, as_list, as_object, as_text, kind
from .signature import SignatureRequest

_DISJUNCTION_FIELDS: Final = frozenset({"label", "attributes"})


@dataclass(frozen=True, slots=True)
class _Disjunctions:
    """Old disjunctions in the new form, not yet checked."""

    condiscon: UncheckedConDisCon
    labels: dict[int, dict[str, str]]


def _read_alternatives(value: object, where: str) -> Iterator[dict[str, object]]:
    if value is None:
        return
    if isinstance(value, list):
        for index, identifier in enumerate(as_list(value, where)):
            yield {"type": as_text(identifier, f"{where}[{index}]")}
    elif isinstance(value, dict):
        for key, required in as_object(value, where).items():
            yield {"type": key, "value": None if required is None else as_text(required, f"{where}.{key}")}
    else:
        raise MalformedRequestError(where, f"expected a list or an object, found {kind(value)}")


def _read_disjunctions(fields: Fields, name: str) -> _Disjunctions:
    discons, labels = [], {}
    for index, (path, item) in enumerate(fields.items(name)):
        disjunction = Fields.read(item, path, _DISJUNCTION_FIELDS)
        alternatives = _read_alternatives(disjunction.get("attributes"), disjunction.path("attributes"))
        discons.append([[alternative] for alternative in alternatives])
        labels[index] = {"en": disjunction.text("label"), "nl": disjunction.text("label")}
    return _Disjunctions(UncheckedConDisCon(discons, fields.path(name)), labels)


def _check_type(fields: Fields, action: Action) -> None:
    if fields.text("type") != action.value:
        raise RequestRuleError(fields.path("type"), f"not a {action.value} session request")


def read_old_disclosure(value: object, where: str = "") -> DisclosureRequest:
    """Read `{"type": "disclosing", "content": [...]}`.

    Raises:
        MalformedRequestError: it is none.
    """
    fields = Fields.read(value, where, BASE_FIELDS | {"content"})
    base = read_base(fields)
    content = _read_disjunctions(fields, "content")
    _check_type(fields, Action.DISCLOSING)
    if not content.condiscon.has_attributes:
        raise RequestRuleError(content.condiscon.where, "Disclosure request had no attributes")
    return DisclosureRequest(disclose=content.condiscon.checked(), labels=content.labels, is_legacy=True, **base)


def read_old_signature(value: object, where: str = "") -> SignatureRequest:
    """Read `{"type": "signing", "message": ..., "content": [...]}`.

    Raises:
        MalformedRequestError: it is none.
    """
    fields = Fields.read(value, where, BASE_FIELDS | {"content", "message"})
    base = read_base(fields)
    content = _read_disjunctions(fields, "content")
    message = fields.text("message")
    _check_type(fields, Action.SIGNING)
    if not message:
        raise RequestRuleError(fields.path("message"), "Signature request had empty message")
    if content.condiscon.is_empty:
        raise RequestRuleError(content.condiscon.where, "Signature request had no attributes")
    return SignatureRequest(message=message, disclose=content.condiscon.checked(), labels=content.labels, is_legacy=True, **base)


def read_old_issuance(value: object, where: str = "") -> IssuanceRequest:
    """Read `{"type": "issuing", "credentials": [...], "disclose": [...]}`.

    Raises:
        MalformedRequestError: it is none.
    """
    fields = Fields.read(value, where, BASE_FIELDS | {"credentials", "disclose"})
    base = read_base(fields)
    disclose = _read_disjunctions(fields, "disclose")
    credentials = read_credentials(fields.items("credentials"))
    _check_type(fields, Action.ISSUING)
    checked = check_credentials(credentials, fields.path("credentials"))
    return IssuanceRequest(credentials=checked, disclose=disclose.condiscon.checked(), labels=disclose.labels, is_legacy=True, **base)


class NotConvertibleError(RequestRuleError):
    """A request that the old form cannot express."""

    def __init__(self, where: str) -> None:
        super().__init__(where, "request not convertible to legacy request")


def to_old_json(request: SessionRequest) -> dict[str, object]:
    """Write a request in the old form; fields that only the new form has are dropped.

    Raises:
        NotConvertibleError: a conjunction has not exactly one attribute.
    """
    result: dict[str, object] = {}
    if request.context is not None:
        result["context"] = encode_integer(request.context)
    if request.nonce is not None:
        result["nonce"] = encode_integer(request.nonce)
    if request.protocol_version is not None:
        result["protocolVersion"] = str(request.protocol_version)
    result["type"] = request.action.value
    disjunctions = _old_disjunctions(request.disclose, request)
    if isinstance(request, IssuanceRequest):
        result["credentials"] = [credential.to_json() for credential in request.credentials]
        result["disclose"] = disjunctions or None
    else:
        result["content"] = disjunctions or None
    if isinstance(request, SignatureRequest):
        result["message"] = request.message
    return result


def _old_disjunctions(condiscon: ConDisCon, request: SessionRequest) -> list[dict[str, object]]:
    result: list[dict[str, object]] = []
    for index, discon in enumerate(condiscon):
        if any(len(con) != 1 for con in discon):
            raise NotConvertibleError(f"disclose[{index}]")
        attributes = [con[0] for con in discon]
        label = (request.labels.get(index) or {}).get("en") or attributes[0].type.name
        identifiers: object = [str(attribute.type) for attribute in attributes]
        if any(attribute.value is not None for attribute in attributes):
            identifiers = {str(attribute.type): attribute.value for attribute in attributes}
        result.append({"label": label, "attributes": identifiers})
    return result

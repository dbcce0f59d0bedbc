"""What a requestor sends: a session request in its wrapper, bare, in the old form, or as the claims of a JWT.

Source: irmago `irma/server/api.go` (ParseSessionRequest), `irma/requests.go` (RequestorBaseRequest, the JWT types),
`irma/messages.go` (ParseRequestorJwt).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from ..errors import MalformedRequestError
from .base import SessionRequest
from .disclosure import DisclosureRequest
from .issuance import IssuanceRequest
from .legacy import read_old_disclosure, read_old_issuance, read_old_signature
from .reading import Fields, RequestRuleError, as_text, parse_json
from .revocation import RevocationRequest
from .signature import SignatureRequest

#: Seconds that a result JWT is valid where the requestor gave none.
DEFAULT_VALIDITY: Final = 120

_WRAPPER_FIELDS: Final = frozenset({"validity", "timeout", "callbackUrl", "nextSession", "request"})
_Reader = Callable[[object, str], SessionRequest]
_TYPES: Final = {kind.LD_CONTEXT: kind for kind in (DisclosureRequest, SignatureRequest, IssuanceRequest)}
_READERS: Final[Mapping[str, _Reader]] = {context: kind.from_json for context, kind in _TYPES.items()}
_OLD_READERS: Final[tuple[_Reader, ...]] = (read_old_disclosure, read_old_signature, read_old_issuance)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestorRequest:
    """A session request with what the requestor wants around it.

    Attributes:
        request: the session request.
        validity_seconds: how long result JWTs are valid.
        timeout_seconds: how long the app may take to connect; 0 stands for the server's limit.
        callback_url: where the result goes when the session ends; "" for nowhere.
        next_session_url: where the next session of a chain is fetched; None where there is none.
    """

    request: SessionRequest
    validity_seconds: int = DEFAULT_VALIDITY
    timeout_seconds: int = 0
    callback_url: str = ""
    next_session_url: str | None = None

    def to_json(self) -> dict[str, object]:
        """Write the wrapped form as the reference does."""
        result: dict[str, object] = {}
        if self.validity_seconds:
            result["validity"] = self.validity_seconds
        if self.timeout_seconds:
            result["timeout"] = self.timeout_seconds
        if self.callback_url:
            result["callbackUrl"] = self.callback_url
        if self.next_session_url is not None:
            result["nextSession"] = {"url": self.next_session_url}
        result["request"] = self.request.to_json()
        return result

    @classmethod
    def restored(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote, without checking again what was checked when it was read first."""
        request = value["request"]
        return cls(
            request=_TYPES[request["@context"]].restored(request),
            validity_seconds=value.get("validity", DEFAULT_VALIDITY),
            timeout_seconds=value.get("timeout", 0),
            callback_url=value.get("callbackUrl", ""),
            next_session_url=value["nextSession"]["url"] if "nextSession" in value else None,
        )


def parse_session_request(body: bytes | str | Mapping[str, object]) -> RequestorRequest:
    """Read any form of session request: wrapped, bare or old; defaults are filled in.

    Args:
        body: a JSON text, or an object that was decoded already.

    Raises:
        MalformedRequestError: it is none; `where` is the path of the field.
    """
    value = parse_json(body) if isinstance(body, bytes | str) else dict(body)
    own_context = _context_of(value, "")
    if own_context:
        reader = _READERS.get(own_context)
        if reader is None:
            raise RequestRuleError("@context", "Invalid session request type")
        return RequestorRequest(request=reader(value, ""))
    inner_context = _context_of(Fields.read(value, "", _WRAPPER_FIELDS).get("request"), "request")
    if not inner_context:
        return _parse_old(value)
    reader = _READERS.get(inner_context)
    if reader is None:
        raise RequestRuleError("request.@context", "Invalid requestor request type")
    return _read_wrapper(value, "", reader)


def _context_of(value: object, where: str) -> str:
    fields = Fields.read(value, where, frozenset({"@context"}))
    return as_text(fields.get("@context"), fields.path("@context"))


def _read_wrapper(value: object, where: str, reader: _Reader, missing: str = "has no session request") -> RequestorRequest:
    fields = Fields.read(value, where, _WRAPPER_FIELDS)
    next_session = fields.get("nextSession")
    next_url = None if next_session is None else Fields.read(next_session, fields.path("nextSession"), frozenset({"url"})).text("url")
    validity, timeout, callback = fields.integer("validity"), fields.integer("timeout"), fields.text("callbackUrl")
    if fields.get("request") is None:
        raise RequestRuleError(fields.path("request"), missing)
    return RequestorRequest(
        request=reader(fields.get("request"), fields.path("request")),
        validity_seconds=validity or DEFAULT_VALIDITY,
        timeout_seconds=timeout,
        callback_url=callback,
        next_session_url=next_url,
    )


def _parse_old(value: object) -> RequestorRequest:
    for reader in _OLD_READERS:
        try:
            return _read_wrapper(value, "", reader)
        except MalformedRequestError:
            continue
    for reader in _OLD_READERS:
        try:
            return RequestorRequest(request=reader(value, ""))
        except MalformedRequestError:
            continue
    raise RequestRuleError("@context", "Failed to JSON unmarshal request bytes")


@dataclass(frozen=True, slots=True)
class JwtShape:
    """What the claims of a session request JWT look like.

    Attributes:
        subject: the `sub` that requestors write; the name of the session type is read as well.
        claim: the claim that holds the wrapped request.
        request: the type of session request.
        read_old: reads the old form of that type.
        missing: what is said where the request is absent.
    """

    subject: str
    claim: str
    request: type[DisclosureRequest] | type[SignatureRequest] | type[IssuanceRequest]
    read_old: _Reader
    missing: str

    def read(self, value: object, where: str) -> SessionRequest:
        """Read the session request; without @context it is in the old form."""
        return (self.request.from_json if _context_of(value, where) else self.read_old)(value, where)


JWT_SHAPES: Final = (
    JwtShape("verification_request", "sprequest", DisclosureRequest, read_old_disclosure, "Not a ServiceProviderRequest"),
    JwtShape("signature_request", "absrequest", SignatureRequest, read_old_signature, "Not a SignatureRequestorRequest"),
    JwtShape("issue_request", "iprequest", IssuanceRequest, read_old_issuance, "Not a IdentityProviderRequest"),
)
#: The claim of a revocation JWT; its `sub` is not looked at.
REVOCATION_CLAIM: Final = "revrequest"
_CLAIMS: Final = frozenset({"sub", REVOCATION_CLAIM, *(shape.claim for shape in JWT_SHAPES)})


def request_from_claims(claims: Mapping[str, object]) -> RequestorRequest:
    """Find the session request in the claims of a requestor's JWT. Signature and times are checked by the caller.

    Raises:
        MalformedRequestError: `sub` is no session type, or the claim of that type holds no request.
    """
    fields = Fields.read(claims, "", _CLAIMS)
    subject = fields.text("sub")
    shape = next((shape for shape in JWT_SHAPES if subject in (shape.subject, shape.request.ACTION.value)), None)
    if shape is None:
        raise RequestRuleError("sub", "Invalid session type")
    value = fields.get(shape.claim)
    if value is None:
        raise RequestRuleError(shape.claim, shape.missing)
    return _read_wrapper(value, shape.claim, shape.read, shape.missing)


def revocation_from_claims(claims: Mapping[str, object]) -> RevocationRequest:
    """Find the revocation request in the claims of a requestor's JWT. Signature and times are checked by the caller.

    Raises:
        MalformedRequestError: the claim is absent or holds no revocation request.
    """
    value = Fields.read(claims, "", _CLAIMS).get(REVOCATION_CLAIM)
    return RevocationRequest.from_json(value, REVOCATION_CLAIM)

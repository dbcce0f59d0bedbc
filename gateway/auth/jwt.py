"""Session requests as JWTs: reading one, finding the key, checking signature and times.

The checks stand in the reference's order, with its texts. There is no leeway for clocks unless the configuration gives some: a
message tells a requestor whose clock runs ahead. A key is only ever used with the one algorithm that its kind binds it to.

The reference reads the requestor's name from `kid`, else from `iss`. Here `kid` may name one of several keys instead, where `iss`
names the requestor.

Source: irmago `irma/server/requestorserver/auth.go` (`jwtApplies`, `jwtAuthenticate`, `jwtValidateClaims`); RFC 7519.
"""

import base64
import json
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from idemix.clock import Clock
from idemix.errors import MalformedRequestError
from idemix.request import RequestorRequest, RequestRuleError, RevocationRequest, request_from_claims, revocation_from_claims
from idemix.request.reading import Fields, parse_json

from ..errors import AuthenticationError, JwtTooOldError, PermissionRefusedError
from ..models import AuthMethod, JwtAlgorithm
from ..requestors.directory import DirectoryKey, DirectoryRequestor, RequestorDirectory
from .base import TEXT_TYPE, Authenticated, Purpose, SignedBody

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_INTEGER_CLAIMS: Final = ("iat", "exp", "nbf")
_TEXT_CLAIMS: Final = ("iss", "sub", "aud", "jti")
_REGISTERED_CLAIMS: Final = frozenset({*_INTEGER_CLAIMS, *_TEXT_CLAIMS})
#: What the reference can hold as a time: 64 bits, counted from the year 1.
_TIMES: Final = range(-(2**63), 2**63 - 62_135_596_800)
REVOCATION_SUBJECT: Final = "revocation_request"


class _UndecodableError(Exception):
    """The body is no JWT; the method does not apply."""


@dataclass(frozen=True, slots=True)
class CompactJwt:
    """A JWT taken apart, its signature not yet checked.

    Attributes:
        header, claims: the decoded objects.
        registered: the registered claims that are there; their names are read in any case, as all of a request's.
        signed_text: the bytes under the signature.
        signature_text: the signature as it was sent.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    registered: Mapping[str, Any]
    signed_text: bytes
    signature_text: str

    @classmethod
    def parse(cls, body: bytes) -> "CompactJwt":
        """Take a token apart.

        Raises:
            _UndecodableError: it is none, or a registered claim has a type that the reference cannot read.
            MalformedRequestError: a registered claim is there twice.
        """
        try:
            text = body.decode("ascii")
        except UnicodeDecodeError as error:
            raise _UndecodableError from error
        parts = text.split(".")
        if len(parts) != 3:
            raise _UndecodableError
        header, claims = _decode_object(parts[0]), _decode_object(parts[1], is_claims=True)
        if _has_huge_number(header):
            raise _UndecodableError
        registered = Fields.read(claims, "", _REGISTERED_CLAIMS).values
        for name in _INTEGER_CLAIMS:
            value = registered.get(name, 0)
            if isinstance(value, bool) or not isinstance(value, int) or value not in _TIMES:
                raise _UndecodableError
        for name in _TEXT_CLAIMS:
            if not isinstance(registered.get(name, ""), str):
                raise _UndecodableError
        return cls(header, claims, registered, f"{parts[0]}.{parts[1]}".encode(), parts[2])

    def signature(self) -> bytes:
        """The signature's bytes.

        Raises:
            AuthenticationError: it is not base64.
        """
        text = _without_line_ends(self.signature_text)
        if _BASE64URL.fullmatch(text) is None or len(text) % 4 == 1:
            raise AuthenticationError("illegal base64 data in the signature of the JWT")
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def requestor_name(self) -> str:
        """`kid` of the header if it is there, else the claim `iss`.

        Raises:
            AuthenticationError: it is no text.
        """
        name = self.header["kid"] if "kid" in self.header else self.registered.get("iss", "")
        if not isinstance(name, str):
            raise AuthenticationError("requestor name was not a string")
        return name

    def time(self, claim: str) -> int:
        """A claim's Unix time; 0 where it is absent."""
        value: int = self.registered.get(claim, 0)
        return value


def _without_line_ends(part: str) -> str:
    """Line ends are read over here, as in Go's base64, so that what they change is told as it is: a signature that fails, or a rule."""
    return part.replace("\r", "").replace("\n", "")


def _decode_object(part: str, *, is_claims: bool = False) -> Mapping[str, Any]:
    part = _without_line_ends(part)
    if _BASE64URL.fullmatch(part) is None or len(part) % 4 == 1:
        raise _UndecodableError
    try:
        value = parse_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), "JWT")
    except MalformedRequestError as error:
        if error.departure is not None:
            raise
        cause = error.__cause__
        if is_claims and isinstance(cause, json.JSONDecodeError) and cause.msg == "Extra data":
            raise MalformedRequestError("JWT", "the claims are more than one JSON object", departure="jwt-claims") from error
        raise _UndecodableError from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _UndecodableError
    return value


def _has_huge_number(value: object) -> bool:
    """Whether a JSON value holds a number beyond those of 64-bit floating point, which the reference cannot read."""
    if isinstance(value, dict):
        return any(map(_has_huge_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_huge_number, value))
    return isinstance(value, int | float) and abs(value) > sys.float_info.max


class JwtAuthenticator(ABC):
    """Applies to text with no Authorization header that is a JWT of the method's algorithm.

    Args:
        clock: what times are compared with.
        max_request_age: seconds that a JWT may be old.
        leeway: seconds that clocks may differ.
    """

    METHOD: ClassVar[AuthMethod]
    #: The algorithms of the method, each with the text for a signature that does not hold; the reference's where it has the algorithm.
    REFUSALS: ClassVar[Mapping[JwtAlgorithm, str]]
    #: The one of them that the reference has.
    REFERENCE: ClassVar[JwtAlgorithm]

    def __init__(self, clock: Clock, max_request_age: int, leeway: int = 0) -> None:
        self._clock = clock
        self._max_request_age = max_request_age
        self._leeway = leeway

    @abstractmethod
    def holds(self, key: DirectoryKey, token: CompactJwt, algorithm: JwtAlgorithm) -> bool:
        """Whether the token was signed with this key, which may be used with the algorithm."""

    def authenticate(self, signed: SignedBody, directory: RequestorDirectory) -> Authenticated | None:
        if signed.authorization or not signed.has_media_type(TEXT_TYPE):
            return None
        try:
            token = CompactJwt.parse(signed.body)
        except _UndecodableError:
            return None
        algorithm = next((one for one in self.REFUSALS if one.value == token.header.get("alg")), None)
        if algorithm is None:
            return None
        requestor, keys = self._keys(token, algorithm, directory)
        if requestor is None or not keys:
            if algorithm is not self.REFERENCE:
                # As the reference answers, which knows no such algorithm.
                return None
            raise AuthenticationError(f"Unknown requestor: {token.requestor_name()}")
        key = self._holder(keys, token, algorithm)
        if b"\n" in signed.body or b"\r" in signed.body:
            raise MalformedRequestError("body", "a line end stands after or inside the JWT", departure="jwt-line-end")
        _check_header(token)
        self._check_times(token)
        request = _read_claims(token, requestor, signed.purpose)
        return Authenticated(requestor, key, request, token.registered.get("jti", ""))

    def _keys(
        self, token: CompactJwt, algorithm: JwtAlgorithm, directory: RequestorDirectory
    ) -> tuple[DirectoryRequestor | None, tuple[DirectoryKey, ...]]:
        """Whose token it says it is, and the keys that may have signed it."""
        name, now = token.requestor_name(), self._clock()
        issuer = directory.requestors.get(token.registered.get("iss", ""))
        if issuer is not None and "kid" in token.header:
            usable = [key for key in issuer.valid_keys(self.METHOD, now) if key.algorithm in (algorithm, None)]
            # Before the reference's way, so that no requestor that is registered later takes the name of a key.
            named = tuple(key for key in usable if key.kid == name)
            published = tuple(key for key in usable if key.jwks_url is not None)
            if named or (published and name not in directory.requestors):
                return issuer, named or published
        requestor = directory.requestors.get(name)
        keys = () if requestor is None else requestor.valid_keys(self.METHOD, now)
        return requestor, tuple(key for key in keys if key.algorithm is algorithm)

    def _holder(self, keys: tuple[DirectoryKey, ...], token: CompactJwt, algorithm: JwtAlgorithm) -> DirectoryKey:
        refusal = AuthenticationError(self.REFUSALS[algorithm])
        for key in keys:
            try:
                if self.holds(key, token, algorithm):
                    return key
            except AuthenticationError as error:
                # A key set that cannot be had; another key may fit.
                refusal = error
        raise refusal

    def _check_times(self, token: CompactJwt) -> None:
        now = self._clock()
        seconds = int(now.timestamp())
        expires, issued, not_before = token.time("exp"), token.time("iat"), token.time("nbf")
        leeway = self._leeway
        if expires and expires + leeway <= seconds:
            raise AuthenticationError(f"token is expired by {_duration(seconds - expires)}")
        if issued > seconds + leeway:
            raise AuthenticationError("token used before issued")
        if not_before > seconds + leeway:
            raise AuthenticationError("token is not valid yet")
        if issued + self._max_request_age + leeway < seconds:
            raise JwtTooOldError("jwt too old")


def _check_header(token: CompactJwt) -> None:
    """Refuse header parameters that would change what the token means."""
    kind = token.header.get("typ")
    if kind is not None and not (isinstance(kind, str) and kind.upper() == "JWT"):
        raise MalformedRequestError("JWT header typ", "must be JWT", departure="jwt-header")
    for parameter in ("crit", "b64"):
        if parameter in token.header:
            raise MalformedRequestError(f"JWT header {parameter}", "is not supported", departure="jwt-header")


def _read_claims(token: CompactJwt, requestor: DirectoryRequestor, purpose: Purpose) -> RequestorRequest | RevocationRequest:
    if purpose is Purpose.SESSION:
        try:
            return request_from_claims(token.claims)
        except MalformedRequestError as error:
            if error.where == "sub":
                raise
            raise AuthenticationError(f"Invalid JWT body: {error}", departure=error.departure) from error
    try:
        request = revocation_from_claims(token.claims)
    except RequestRuleError as error:
        raise AuthenticationError("Invalid JWT body") from error
    # The reference's own command sends none; the claim `revrequest` keeps other JWTs of the requestor out.
    if token.registered.get("sub", "") not in ("", REVOCATION_SUBJECT):
        raise MalformedRequestError("sub", f"must be {REVOCATION_SUBJECT}", departure="revocation-subject")
    if token.registered.get("iss") != requestor.name:
        raise PermissionRefusedError("iss is not the requestor that signed", departure="revocation-issuer")
    return request


def _duration(seconds: int) -> str:
    """Write a duration as Go does: `10s`, `2m0s`, `1h0m5s`."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"

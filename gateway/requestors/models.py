"""What forms, API and commands validate requestors into, and what they show of them."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from ..authorization import organisation_scope
from ..inputs import Errors, Message
from ..models import AuthMethod, JwtAlgorithm, PermissionKind, RequestorState
from ..permissions import Permissions
from .constraints import Constraints
from .limits import Limits

LONGEST_NAME: Final = 100
LONGEST_CONTACT: Final = 254
LONGEST_PATTERN: Final = 300

#: How many dot-separated parts a pattern without asterisk has.
_PARTS: Final[Mapping[PermissionKind, int]] = {
    PermissionKind.DISCLOSE: 4,
    PermissionKind.SIGN: 4,
    PermissionKind.ISSUE: 3,
    PermissionKind.REVOKE: 3,
}


@dataclass(frozen=True, slots=True)
class RequestorDetails:
    """What can be changed of a requestor. Fields as in `gateway.models.Requestor`."""

    contact: str = ""
    organisation_id: int | None = None

    def check(self, errors: Errors) -> None:
        """Note what breaks a rule."""
        errors.check(
            len(self.contact) <= LONGEST_CONTACT, "contact", Message("must have at most %(limit)d characters", limit=LONGEST_CONTACT)
        )
        errors.check(_is_printable(self.contact), "contact", Message("must not have control characters"))


@dataclass(frozen=True, slots=True)
class NewRequestor:
    """A requestor to be made. Its name is its identity in JWTs, and so it never changes."""

    name: str
    details: RequestorDetails = field(default_factory=RequestorDetails)

    def check(self, errors: Errors) -> None:
        """Note what breaks a rule."""
        errors.check(bool(self.name), "name", Message("must be given"))
        errors.check(len(self.name) <= LONGEST_NAME, "name", Message("must have at most %(limit)d characters", limit=LONGEST_NAME))
        errors.check(_is_printable(self.name), "name", Message("must not have control characters"))
        errors.check(self.name == self.name.strip(), "name", Message("must not begin or end with a blank"))
        in_address = "/" not in self.name and self.name not in (".", "..", "new")
        errors.check(in_address, "name", Message("must not hold a slash, and not be “.”, “..” or “new”: it stands in addresses"))
        self.details.check(errors)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be added to a requestor.

    Attributes:
        method: how it authenticates.
        material: of a public key its PEM or JWK; of a token the token, of an HMAC secret its base64, where one that exists is
            brought along; empty to have a token or secret made, and where public keys are published.
        label: what people call it.
        not_before, expires_at: when it is valid.
        kid: its name in the header of JWTs; empty for that of a JWK, or for none.
        jwks_url: instead of `material`, the https address where the requestor publishes its public keys as a JWK set.
    """

    method: AuthMethod
    material: str = field(default="", repr=False)
    label: str = ""
    not_before: datetime | None = None
    expires_at: datetime | None = None
    kid: str = ""
    jwks_url: str = ""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as it may be shown. Fields as in `gateway.models.RequestorKey`."""

    id: int
    method: AuthMethod
    label: str
    fingerprint: str
    weak: bool
    public_key: str | None
    jwks_url: str | None
    algorithm: JwtAlgorithm | None
    kid: str | None
    created_at: datetime
    not_before: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key just added.

    Attributes:
        key: as it may be shown from now on.
        secret: the token, or the base64 of the HMAC secret, where it was made here: shown once, and never again.
        warnings: why the key is weak, for people.
    """

    key: KeyInfo
    secret: str | None = field(repr=False)
    warnings: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class RequestorInfo:
    """A requestor with its keys and permissions. Fields as in `gateway.models.Requestor`."""

    id: int
    name: str
    organisation_id: int | None
    contact: str
    state: RequestorState
    suspended_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    keys: tuple[KeyInfo, ...]
    permissions: Permissions
    limits: Limits
    constraints: Constraints

    @property
    def scope(self) -> str:
        """The scope that authorisation asks for."""
        return organisation_scope(self.organisation_id)


@dataclass(frozen=True, slots=True)
class DayUsage:
    """How often a requestor asked for sessions on one day. Fields as in `gateway.models.RequestorUsage`."""

    day: date
    requestor_name: str
    action: str
    started: int
    refused: int
    limited: int


def check_pattern(errors: Errors, kind: PermissionKind, pattern: str) -> None:
    """Note, at the field of its kind, what breaks the form of a permission; whether its parts exist is asked elsewhere."""
    where = kind.value
    if not pattern or len(pattern) > LONGEST_PATTERN or not _is_printable(pattern) or " " in pattern:
        errors.add(where, Message("“%(pattern)s” is no permission", pattern=pattern[:40]))
        return
    if kind is PermissionKind.HOST:
        return
    parts = pattern.split(".")
    most = _PARTS[kind]
    if pattern.count("*") > 1 or ("*" in pattern and parts[-1] != "*"):
        errors.add(where, Message("“%(pattern)s”: there may be one asterisk, as the last part", pattern=pattern))
    elif parts[-1] == "*" and len(parts) > most:
        errors.add(where, Message("“%(pattern)s”: there may be at most %(count)d parts", pattern=pattern, count=most))
    elif parts[-1] != "*" and len(parts) != most:
        errors.add(where, Message("“%(pattern)s”: there must be %(count)d parts, or an asterisk as the last", pattern=pattern, count=most))


def _is_printable(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cs", "Cf") for character in text)

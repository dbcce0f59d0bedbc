"""Would this request be allowed, by which rule, and what is the smallest grant that would allow it?"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime

from gateway.inputs import InvalidInputError, Message
from gateway.permissions import Decision, PermissionJudge, PermissionKind, Permissions, Permitted
from gateway.requestors.models import KeyInfo
from idemix.errors import MalformedRequestError
from idemix.request import SessionRequest, parse_session_request, request_from_claims


@dataclass(frozen=True, slots=True)
class Grant:
    """A pattern that would have to be added to a list of permissions."""

    kind: PermissionKind
    pattern: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict on a request, as the gateway would give it.

    Attributes:
        action: `disclosing`, `signing` or `issuing`.
        allowed: whether the gateway would start the session.
        reason: the reference's text of the refusal; empty where it is allowed, or where the reference says nothing.
        decisions: for each identifier, and for the host where the request names one, the rule that allows it, or none.
        missing: the smallest grants that would allow the request, one for each decision without a rule.
    """

    action: str
    allowed: bool
    reason: str
    decisions: tuple[Decision, ...]
    missing: tuple[Grant, ...]

    @property
    def refused(self) -> int:
        """How many of the decisions have no rule."""
        return len(self.missing)


def read_request(text: str) -> SessionRequest:
    """Read a pasted request: JSON, or a JWT whose signature does not matter here.

    Raises:
        InvalidInputError: it is none; the message names the field and the rule.
    """
    text = text.strip()
    if not text:
        raise InvalidInputError({"request": Message("Paste a session request, as JSON or as JWT.")})
    try:
        if text.startswith("{"):
            return parse_session_request(text).request
        return request_from_claims(_claims(text)).request
    except MalformedRequestError as error:
        raise InvalidInputError(
            {"request": Message("This is no session request. %(where)s: %(rule)s.", where=error.where or "it", rule=error.rule)}
        ) from error


def _claims(jwt: str) -> dict[str, object]:
    parts = jwt.split(".")
    if len(parts) != 3:
        raise InvalidInputError({"request": Message("This is neither JSON nor a JWT: a JWT has three parts with dots between.")})
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError({"request": Message("The middle part of this JWT is no JSON in base64url.")}) from error
    if not isinstance(claims, dict):
        raise InvalidInputError({"request": Message("The claims of this JWT are no JSON object.")})
    return claims


def explain(request: SessionRequest, permissions: Permissions, global_permissions: Permissions, default_host: str) -> Explanation:
    """Judge a request as the gateway does, and tell what it lacks.

    Args:
        request: what would be asked.
        permissions: the requestor's own.
        global_permissions: those that everyone has.
        default_host: host[:port] of the gateway.
    """
    verdict = PermissionJudge(permissions, global_permissions, default_host).may_request(request)
    # Without a host of its own a request takes the gateway's, which is no question.
    asked = tuple(decision for decision in verdict.decisions if decision.kind is not PermissionKind.HOST or request.host)
    missing = dict.fromkeys(Grant(decision.kind, decision.subject) for decision in asked if decision.rule is None)
    allowed = isinstance(verdict, Permitted)
    return Explanation(request.action.value, allowed, "" if allowed else verdict.reason, asked, tuple(missing))


#: A pattern, how deep it goes, and for each kind whose list it stands in: `here`, `everyone` or none.
Row = tuple[str, int, dict[str, str | None]]


def permission_rows(permissions: Permissions, global_permissions: Permissions) -> tuple[Row, ...]:
    """Every pattern that applies to a requestor, once, with the kinds it is granted for."""
    kinds = ("disclose", "sign", "issue", "revoke")
    patterns = sorted({pattern for kind in kinds for own in (permissions, global_permissions) for pattern in getattr(own, kind)})
    return tuple(
        (
            pattern,
            pattern.count("."),
            {
                kind: "here"
                if pattern in getattr(permissions, kind)
                else "everyone"
                if pattern in getattr(global_permissions, kind)
                else None
                for kind in kinds
            },
        )
        for pattern in patterns
    )


def pattern_count(permissions: Permissions) -> int:
    """How many patterns a requestor was given, hosts apart."""
    return sum(len(getattr(permissions, kind)) for kind in ("disclose", "sign", "issue", "revoke"))


def is_valid(key: KeyInfo, now: datetime) -> bool:
    """Tell whether a key would be accepted now."""
    begun = key.not_before is None or key.not_before <= now
    return begun and key.revoked_at is None and (key.expires_at is None or now < key.expires_at)

"""Would this request be allowed, by which rule, and what is the smallest grant that would allow it?

The gateway's own judgement (`gateway.admission`) decides; here it is told with every rule, and with what is missing.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from idemix.clock import Clock, system_clock
from idemix.errors import MalformedRequestError
from idemix.request import (
    DisclosureRequest,
    IssuanceRequest,
    RequestorRequest,
    SignatureRequest,
    parse_session_request,
    request_from_claims,
)
from idemix.request.base import SessionRequest

from ..actor import Actor
from ..admission import Judgement, judge_request
from ..archive.service import Archive, RecordInfo
from ..inputs import InvalidInputError, Message
from ..models import PermissionKind, RequestorState
from ..permissions import Decision, Permissions, host_is_odd
from .constraints import Check, Constraints
from .directory import DirectoryRequestor
from .limits import Limits
from .models import RequestorInfo
from .service import Requestors

_CONTEXTS: Final[Mapping[str, type[SessionRequest]]] = {
    kind.ACTION.value: kind for kind in (DisclosureRequest, SignatureRequest, IssuanceRequest)
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What would have to be changed of one setting for a request to be permitted.

    Attributes:
        setting: the setting: `disclose_perms`, `constraints.callback_urls`, …
        kind: of a permission its kind; None for a limit or constraint.
        pattern: the entry to add, or the value that the setting would have to have; None where the setting must no longer apply.
        subject: what it is about, where the setting alone does not say it: the attribute type of a list of values.
    """

    setting: str
    kind: PermissionKind | None
    pattern: str | None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict on a request, as the gateway would give it.

    Attributes:
        requestor: who would ask.
        state: of the requestor; the gateway does not know one that is not active.
        action: `disclosing`, `signing` or `issuing`.
        allowed: whether the gateway would start the session, as far as is known; what is counted (rate, quota, running sessions) is
            not looked at, and neither are keys and schemes.
        reason: what the gateway would answer; empty where it is allowed, or where the reference says nothing.
        decided_by: what refused: a setting with its subject; empty where nothing did.
        decisions: for each identifier, and for the host where the request names one, the rule that allows it, or none.
        checks: how limits and constraints judged the request; a verdict of None cannot be told of a session of the archive.
        missing: the smallest grants that would allow the request, one for each decision or check that refuses.
        limits, constraints: those of the requestor.
    """

    requestor: str
    state: RequestorState
    action: str
    allowed: bool
    reason: str
    decided_by: str
    decisions: tuple[Decision, ...]
    checks: tuple[Check, ...]
    missing: tuple[Grant, ...]
    limits: Limits
    constraints: Constraints

    @property
    def refused(self) -> int:
        """How many of the decisions have no rule."""
        return sum(decision.rule is None for decision in self.decisions)


class Explainer:
    """Explains requests. It starts nothing and keeps nothing.

    Args:
        requestors: the requestors and the permissions of everyone.
        archive: past sessions.
        clock: tells the time.
    """

    def __init__(self, requestors: Requestors, archive: Archive, clock: Clock = system_clock) -> None:
        self._requestors = requestors
        self._archive = archive
        self._clock = clock

    def request(self, actor: Actor, name: str, text: str, default_host: str, *, address: str | None = None) -> Explanation:
        """Explain a request that a requestor might send now.

        Args:
            actor: who asks.
            name: the requestor.
            text: the request as JSON, or as JWT, whose signature does not matter here.
            default_host: host[:port] of the gateway.
            address: where the request would come from; None to leave that out.

        Raises:
            PermissionDeniedError: the actor may not see the requestor.
            NotFoundError: there is none.
            InvalidInputError: the text is no request.
        """
        requestor = self._requestors.get(actor, name)
        request = read_request(text)
        everyone = self._requestors.global_permissions(actor)
        return explain(requestor, everyone, request, default_host, now=self._clock(), address=address)

    def session(self, actor: Actor, record_id: int, default_host: str) -> Explanation:
        """Explain a past session, or refused request, of the archive by the rules of today, as if it was asked when it was.

        Raises:
            PermissionDeniedError: the actor may not see the session or its requestor.
            NotFoundError: there is no such session, or its requestor is gone.
            InvalidInputError: what the archive keeps of the request is too little to judge it.
        """
        record = self._archive.record(actor, record_id)
        requestor = self._requestors.get(actor, record.requestor_name)
        everyone = self._requestors.global_permissions(actor)
        request = request_of_record(record)
        return explain(requestor, everyone, request, default_host, now=record.started_at, address=None, redacted=True)


def explain(
    requestor: RequestorInfo,
    global_permissions: Permissions,
    request: RequestorRequest,
    default_host: str,
    *,
    now: datetime,
    address: str | None = None,
    redacted: bool = False,
) -> Explanation:
    """Judge a request as the gateway does, and tell what it lacks; arguments as of `gateway.admission.judge_request`."""
    known = DirectoryRequestor(requestor.name, requestor.permissions, (), requestor.limits, requestor.constraints)
    judgement = judge_request(known, global_permissions, default_host, request, now=now, address=address, redacted=redacted)
    is_active = requestor.state is RequestorState.ACTIVE
    reason, decided_by = judgement.reason, "" if judgement.refused_by is None else judgement.refused_by.label
    if not is_active:
        # Before anything else: the gateway finds no such requestor.
        reason, decided_by = f"Unknown requestor: {requestor.name}", f"state {requestor.state.value}"
    return Explanation(
        requestor=requestor.name,
        state=requestor.state,
        action=request.request.action.value,
        allowed=is_active and judgement.refused_by is None,
        reason=reason,
        decided_by=decided_by,
        # Without a host of its own a request takes the gateway's, which is no question unless it is refused.
        decisions=tuple(
            one for one in judgement.verdict.decisions if one.kind is not PermissionKind.HOST or request.request.host or one.rule is None
        ),
        checks=(*judgement.access, *judgement.constraints),
        missing=(*(() if is_active else (Grant("state", None, RequestorState.ACTIVE.value),)), *smallest_grants(judgement)),
        limits=requestor.limits,
        constraints=requestor.constraints,
    )


def smallest_grants(judgement: Judgement) -> tuple[Grant, ...]:
    """The grants without which the request stays refused, and with which it is permitted; each allows nothing beside what was asked.

    A host that no pattern can allow, and an attribute that cannot be granted, have none.
    """
    grants = [grant for check in judgement.access for grant in _grant_of_check(check)]
    grants += [_grant_of(decision) for decision in judgement.verdict.decisions if decision.rule is None and _can_be_granted(decision)]
    grants += [grant for check in judgement.constraints for grant in _grant_of_check(check)]
    return tuple(grant for grant in dict.fromkeys(grants) if not any(_covers(other, grant) for other in grants))


def _can_be_granted(decision: Decision) -> bool:
    return decision.kind is not PermissionKind.HOST or not host_is_odd(decision.subject)


def _grant_of(decision: Decision) -> Grant:
    pattern = decision.subject
    if decision.kind is PermissionKind.HOST:
        # A pattern that holds the host alone: what the shell would read as a pattern is escaped.
        pattern = re.sub(r"([\\*?\[])", r"\\\1", pattern)
    elif decision.kind in (PermissionKind.DISCLOSE, PermissionKind.SIGN) and pattern.count(".") == 2:
        # A credential as such takes the permission for all of its attributes.
        pattern = f"{pattern}.*"
    return Grant(f"{decision.kind.value}_perms", decision.kind, pattern)


def _grant_of_check(check: Check) -> Iterator[Grant]:
    if check.permitted is False:
        yield Grant(check.setting, None, check.grant, check.subject if check.setting.endswith("_values") else "")


def _covers(other: Grant, grant: Grant) -> bool:
    """Whether a grant is of no use beside another, which is needed as well and allows more."""
    if (other.setting, other.subject) != (grant.setting, grant.subject) or other.pattern == grant.pattern:
        return False
    if other.pattern is None or grant.pattern is None:
        return other.pattern is None
    if other.setting == "constraints.longest_validity_days":
        return int(other.pattern) > int(grant.pattern)
    return other.kind in (PermissionKind.DISCLOSE, PermissionKind.SIGN) and grant.pattern.rpartition(".")[0] == other.pattern.removesuffix(
        ".*"
    )


def read_request(text: str) -> RequestorRequest:
    """Read a pasted request: JSON, or a JWT whose signature does not matter here.

    Raises:
        InvalidInputError: it is none; the message names the field and the rule.
    """
    text = text.strip()
    if not text:
        raise InvalidInputError({"request": Message("Paste a session request, as JSON or as JWT.")})
    try:
        return parse_session_request(text) if text.startswith("{") else request_from_claims(_claims(text))
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
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidInputError({"request": Message("The middle part of this JWT is no JSON in base64url.")}) from error
    if not isinstance(claims, dict):
        raise InvalidInputError({"request": Message("The claims of this JWT are no JSON object.")})
    return claims


def request_of_record(record: RecordInfo) -> RequestorRequest:
    """Make a request again from what the archive keeps of it: with markers for values and addresses.

    Raises:
        InvalidInputError: it cannot be made.
    """
    kept: Mapping[str, Any] = record.request
    kind = _CONTEXTS.get(str(kept.get("type")))
    if kind is None:
        raise InvalidInputError({"session": Message("the archive keeps too little of this request to judge it")})
    request: dict[str, Any] = {"@context": kind.LD_CONTEXT}
    request |= {
        name: kept[name] for name in ("disclose", "credentials", "message", "skipExpiryCheck", "host", "clientReturnUrl") if name in kept
    }
    body: dict[str, Any] = {"request": request}
    if "callbackUrl" in kept:
        body["callbackUrl"] = kept["callbackUrl"]
    if "nextSession" in kept:
        body["nextSession"] = {"url": kept["nextSession"]}
    try:
        return parse_session_request(body)
    except MalformedRequestError as error:
        raise InvalidInputError({"session": Message("the archive keeps too little of this request to judge it")}) from error

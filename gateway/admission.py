"""Whether a requestor may have a session: the one order of checks that the gateway and its explanations share.

Where and when the requestor may ask (limits), what it may ask (permissions, as irma server judges them), and what narrows that
(constraints). What is counted is asked last, when the session is ready to be stored: a request that is refused uses nothing up.
"""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from idemix.request import RequestorRequest

from .permissions import NO_PERMISSIONS, Decision, PermissionJudge, Permissions, Refused, Verdict
from .requestors.constraints import NO_CONSTRAINTS, Check
from .requestors.directory import DirectoryRequestor
from .requestors.limits import NO_LIMITS, Hours, Limits


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a request was judged.

    Attributes:
        access: the checks of source address and hours, where there are such limits.
        verdict: that of the permissions.
        constraints: the checks of the constraints that the request is concerned by.
    """

    access: tuple[Check, ...]
    verdict: Verdict
    constraints: tuple[Check, ...]

    @property
    def refused_by(self) -> Decision | Check | None:
        """The first that refuses, in the order in which the gateway asks; None where the request is permitted."""
        for check in self.access:
            if check.permitted is False:
                return check
        if isinstance(self.verdict, Refused):
            return self.verdict.refused_by
        return next((check for check in self.constraints if check.permitted is False), None)

    @property
    def reason(self) -> str:
        """What the gateway answers where the request is refused: the reference's text where a permission is missing, which may be empty."""
        decided = self.refused_by
        if isinstance(decided, Check):
            return decided.reason
        return self.verdict.reason if isinstance(self.verdict, Refused) else ""

    @property
    def departure(self) -> str | None:
        """The rule of `idemix.departures` where the reference would allow the request."""
        is_permission = isinstance(self.refused_by, Decision) and isinstance(self.verdict, Refused)
        return self.verdict.departure if is_permission and isinstance(self.verdict, Refused) else None


def judge_request(
    requestor: DirectoryRequestor | None,
    global_permissions: Permissions,
    default_host: str,
    request: RequestorRequest,
    *,
    now: datetime,
    address: str | None,
    redacted: bool = False,
) -> Judgement:
    """Judge a session request.

    Args:
        requestor: who asks; None for somebody who is not known, and has the global permissions alone.
        global_permissions: those that everyone has.
        default_host: host[:port] of the gateway.
        request: what is asked.
        now: when.
        address: where the request came from; None where it came from nowhere, as the next session of a chain does.
        redacted: the request is one of the archive, which keeps neither values nor addresses.
    """
    limits = NO_LIMITS if requestor is None else requestor.limits
    permissions = NO_PERMISSIONS if requestor is None else requestor.permissions
    constraints = NO_CONSTRAINTS if requestor is None else requestor.constraints
    verdict = PermissionJudge(permissions, global_permissions, default_host).may_request(request.request)
    return Judgement(
        judge_access(limits, now=now, address=address, redacted=redacted),
        verdict,
        tuple(constraints.judge(request, now, redacted=redacted)),
    )


def judge_access(limits: Limits, *, now: datetime, address: str | None, redacted: bool = False) -> tuple[Check, ...]:
    """Judge where from and when a requestor asks; arguments as of `judge_request`."""
    checks: list[Check] = []
    if limits.addresses and (address is not None or redacted):
        setting, subject = "limits.addresses", "source address"
        if address is None:
            checks.append(Check(setting, subject, None))
        elif limits.allowing_address(address) is not None:
            checks.append(Check(setting, subject, True))
        else:
            checks.append(Check(setting, subject, False, "the requestor may not ask from this source address", _plain(address)))
    if limits.hours:
        setting, subject = "limits.hours", "time"
        if limits.allows_moment(now):
            checks.append(Check(setting, subject, True))
        else:
            reason = f"the requestor may not ask at this time of the week (time zone {limits.time_zone})"
            checks.append(Check(setting, subject, False, reason, _minute(limits.local(now))))
    return tuple(checks)


def _plain(address: str) -> str | None:
    """The address as an entry of a list of networks."""
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:
        return None


def _minute(local: datetime) -> str:
    """The minute of a moment as an entry of the hours: `monday 14:03-14:04`."""
    hours = minute_of(local)
    return f"{hours.days[0]} {hours.begin}-{hours.end}"


def minute_of(local: datetime) -> Hours:
    """The hours that hold the minute of a moment alone."""
    end = local.hour * 60 + local.minute + 1
    return Hours((f"{local:%A}".lower(),), f"{local:%H:%M}", f"{end // 60:02}:{end % 60:02}")

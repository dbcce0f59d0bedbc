"""What a requestor may ask: patterns, their validation at start-up, and a verdict with its reason for every request.

A requestor's own lists and the global ones are joined, kind by kind. A pattern is compared as a whole string with the few
candidates that an identifier allows (`*`, `scheme.*`, `scheme.issuer.*`, …); only hosts have shell patterns, with the
semantics of Go's `path.Match`.

Source: irmago `irma/server/requestorserver/conf.go` (`CanRequest`, `CanIssue`, `CanVerifyOrSign`, `CanRevoke`,
`validatePermissionSet`).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, Protocol

from idemix.request import IssuanceRequest, RevocationRequest, SessionRequest, SignatureRequest, attribute_requests
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import AttributeTypeId, CredentialTypeId, IssuerId

from .models import PermissionKind

HOST_REFUSED: Final = "requestor not allowed to use the requested host"
NO_ISSUING: Final = "No issuer permissions configured"


#: The kinds that hold patterns of identifiers, with the word of the reference's messages and the parts of an identifier.
_WORDS: Final = {
    PermissionKind.ISSUE: "issuing",
    PermissionKind.SIGN: "signing",
    PermissionKind.DISCLOSE: "disclosing",
    PermissionKind.REVOKE: "revoking",
}
_PARTS: Final = {PermissionKind.ISSUE: 3, PermissionKind.SIGN: 4, PermissionKind.DISCLOSE: 4, PermissionKind.REVOKE: 3}


_FIELD_ORDER: Final = (PermissionKind.DISCLOSE, PermissionKind.SIGN, PermissionKind.ISSUE, PermissionKind.REVOKE, PermissionKind.HOST)


@dataclass(frozen=True, slots=True)
class Permissions:
    """The permission lists of a requestor, or the global ones.

    Attributes:
        disclose: patterns for attributes that may be asked in disclosure sessions and beside issuance.
        sign: likewise for signature sessions.
        issue: patterns for credential types that may be issued.
        revoke: patterns for credential types that may be revoked.
        host: shell patterns for hosts of session URLs; has no effect among the global permissions.
    """

    disclose: tuple[str, ...] = ()
    sign: tuple[str, ...] = ()
    issue: tuple[str, ...] = ()
    revoke: tuple[str, ...] = ()
    host: tuple[str, ...] = ()

    def of(self, kind: PermissionKind) -> tuple[str, ...]:
        """The patterns of one kind."""
        match kind:
            case PermissionKind.DISCLOSE:
                return self.disclose
            case PermissionKind.SIGN:
                return self.sign
            case PermissionKind.ISSUE:
                return self.issue
            case PermissionKind.REVOKE:
                return self.revoke
            case PermissionKind.HOST:
                return self.host

    def joined(self, other: "Permissions") -> "Permissions":
        """These and others together."""
        return Permissions(
            self.disclose + other.disclose,
            self.sign + other.sign,
            self.issue + other.issue,
            self.revoke + other.revoke,
            self.host + other.host,
        )


NO_PERMISSIONS: Final = Permissions()


class Origin(Enum):
    """Whose list a pattern stands in."""

    REQUESTOR = "requestor"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern and where it stands.

    Attributes:
        kind: the list, e.g. `disclose_perms` in the configuration.
        pattern: the pattern; for a host without host patterns the default host itself.
        origin: the requestor's list or the global one.
    """

    kind: PermissionKind
    pattern: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one identifier or host of a request.

    Attributes:
        kind: the list that was consulted.
        subject: the attribute type, credential type or host asked for.
        rule: the first rule that allows it, or None where none does.
    """

    kind: PermissionKind
    subject: str
    rule: Rule | None

    @property
    def label(self) -> str:
        """What the archive keeps of a refusal."""
        return f"{self.kind.value} {self.subject}"


@dataclass(frozen=True, slots=True)
class Permitted:
    """The request is allowed.

    Attributes:
        decisions: for each identifier, in the order of the request, the rule that allows it.
    """

    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is refused.

    Attributes:
        reason: the reference's text, which may be empty; it travels in the error message.
        refused_by: the decision that refused: the first without a rule, or one whose rule is of no use without a private key.
        decisions: all decisions, also those after the refusal, to explain every attribute.
        departure: the rule of `idemix.departures` where the reference would allow the request.
    """

    reason: str
    refused_by: Decision
    decisions: tuple[Decision, ...]
    departure: str | None = None


Verdict = Permitted | Refused


def credential_candidates(identifier: str) -> tuple[str, ...]:
    """The patterns that allow a credential type: `*`, `s.*`, `s.i.*`, `s.i.c`."""
    parts = identifier.split(".")
    return ("*", f"{parts[0]}.*", ".".join([*parts[:2], "*"]), identifier)


def attribute_candidates(identifier: str) -> tuple[str, ...]:
    """The patterns that allow an attribute type, or a whole credential (three parts): `*`, `s.*`, `s.i.*`, `s.i.c.*`, itself."""
    parts = identifier.split(".")
    return ("*", f"{parts[0]}.*", ".".join([*parts[:2], "*"]), ".".join([*parts[:3], "*"]), identifier)


class PermissionJudge:
    """Judges requests of one requestor.

    Args:
        permissions: the requestor's own permissions.
        global_permissions: those that everyone has.
        default_host: host[:port] of the configured server URL.
    """

    def __init__(self, permissions: Permissions, global_permissions: Permissions, default_host: str) -> None:
        self._permissions = permissions
        self._global = global_permissions
        self._default_host = default_host

    def may_request(self, request: SessionRequest) -> Verdict:
        """Judge a session request: credentials to issue, then attributes, then the host.

        Identifiers are matched before anyone looks whether they exist.
        """
        decisions: list[Decision] = []
        reasons: dict[int, str] = {}
        if isinstance(request, IssuanceRequest):
            for credential in request.credentials:
                decision = self._decide(PermissionKind.ISSUE, str(credential.credential_type), credential_candidates)
                empty = not self._has_rules(PermissionKind.ISSUE)
                reasons[len(decisions)] = NO_ISSUING if empty else f"{NO_ISSUING} for credential '{decision.subject}'"
                decisions.append(decision)
        kind = PermissionKind.SIGN if isinstance(request, SignatureRequest) else PermissionKind.DISCLOSE
        for _, attribute in attribute_requests(request.disclose):
            decision = self._decide(kind, str(attribute.type), attribute_candidates)
            reasons[len(decisions)] = decision.subject if self._has_rules(kind) else ""
            decisions.append(decision)
        host = self._decide_host(request.host or self._default_host)
        odd = bool(request.host) and host_is_odd(request.host)
        reasons[len(decisions)] = HOST_REFUSED
        decisions.append(Decision(host.kind, host.subject, None) if odd else host)
        return _verdict(decisions, reasons, departure="session-host" if odd and host.rule is not None else None)

    def may_revoke(self, request: RevocationRequest, private_keys: "IssuerKeyCheck") -> Verdict:
        """Judge a revocation request: the permission for its credential type, then the issuer's private key."""
        decision = self._decide(PermissionKind.REVOKE, str(request.credential_type), credential_candidates)
        if decision.rule is None:
            reason = decision.subject if self._has_rules(PermissionKind.REVOKE) else ""
            return Refused(reason, decision, (decision,))
        problem = private_keys.problem(request.credential_type.issuer, revocation=True)
        return Permitted((decision,)) if problem is None else Refused(problem, decision, (decision,))

    def _has_rules(self, kind: PermissionKind) -> bool:
        return bool(self._permissions.of(kind) or self._global.of(kind))

    def _decide(self, kind: PermissionKind, identifier: str, candidates: Callable[[str], tuple[str, ...]]) -> Decision:
        allowing = candidates(identifier)
        for origin, permissions in ((Origin.REQUESTOR, self._permissions), (Origin.GLOBAL, self._global)):
            for pattern in permissions.of(kind):
                if pattern in allowing:
                    return Decision(kind, identifier, Rule(kind, pattern, origin))
        return Decision(kind, identifier, None)

    def _decide_host(self, host: str) -> Decision:
        patterns = self._permissions.host or (_escape(self._default_host),)
        matching = next((pattern for pattern in patterns if host_matches(pattern, host)), None)
        rule = None if matching is None else Rule(PermissionKind.HOST, matching, Origin.REQUESTOR)
        return Decision(PermissionKind.HOST, host, rule)


#: What no host[:port] holds and what makes a browser read another host out of the session URL.
_ODD_HOST: Final = re.compile(r"[@#?\\\s\x00-\x1f\x7f]")


def host_is_odd(host: str) -> bool:
    """Whether a text is no host[:port], so that no pattern allows it."""
    return _ODD_HOST.search(host) is not None


def _verdict(decisions: list[Decision], reasons: dict[int, str], *, departure: str | None) -> Verdict:
    for position, decision in enumerate(decisions):
        if decision.rule is None:
            last = position == len(decisions) - 1
            return Refused(reasons[position], decision, tuple(decisions), departure if last else None)
    return Permitted(tuple(decisions))


# Host patterns


class BadPatternError(ValueError):
    """A host pattern that `path.Match` would call malformed; it never matches."""


def host_matches(pattern: str, host: str) -> bool:
    """Match as Go's `path.Match`: `*` and `?` do not cross `/`, negation is `[^…]`, a malformed pattern never matches."""
    try:
        return compile_host_pattern(pattern).fullmatch(host) is not None
    except BadPatternError:
        return False


@lru_cache(maxsize=4096)
def compile_host_pattern(pattern: str) -> re.Pattern[str]:
    """Translate a shell pattern into a regular expression.

    Each stretch after an asterisk is an atomic group, since Go takes the first place where it fits and never comes back
    to it; so the time is bounded by pattern times text.

    Raises:
        BadPatternError: an open bracket, an empty class, or a backslash at the end.
    """
    chunks: list[str] = [""]
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "*":
            chunks.append("")
            position += 1
        elif char == "?":
            chunks[-1] += "[^/]"
            position += 1
        elif char == "[":
            translated, position = _character_class(pattern, position + 1)
            chunks[-1] += translated
        elif char == "\\":
            if position + 1 == len(pattern):
                raise BadPatternError("backslash at the end")
            chunks[-1] += re.escape(pattern[position + 1])
            position += 2
        else:
            chunks[-1] += re.escape(char)
            position += 1
    first, *rest = chunks
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    return re.compile(first + "".join(f"(?>[^/]*?{chunk})" for chunk in middle if chunk) + f"[^/]*?{last}", re.DOTALL)


def _character_class(pattern: str, position: int) -> tuple[str, int]:
    """Translate the class that opens before `position`; return it and the position after its closing bracket."""
    negated = pattern.startswith("^", position)
    position += negated
    ranges: list[str] = []
    while not (ranges and pattern.startswith("]", position)):
        low, position = _class_character(pattern, position)
        high = low
        if pattern.startswith("-", position):
            high, position = _class_character(pattern, position + 1)
        # A range that runs backwards holds nothing; the class may still hold others.
        ranges.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
    inside = "".join(ranges)
    if not inside:
        return ("." if negated else "(?!)"), position + 1
    return f"[{'^' if negated else ''}{inside}]", position + 1


def _class_character(pattern: str, position: int) -> tuple[str, int]:
    if position >= len(pattern) or pattern[position] in "-]":
        raise BadPatternError("class without closing bracket, or empty")
    if pattern[position] == "\\":
        position += 1
        if position >= len(pattern):
            raise BadPatternError("backslash at the end")
    if position + 1 >= len(pattern):
        raise BadPatternError("class without closing bracket")
    return pattern[position], position + 1


def _escape(text: str) -> str:
    """A pattern that matches only `text`."""
    return re.sub(r"([*?\[\\])", r"\\\1", text)


# Validation at start-up


#: What `IssuerKeyCheck.problem` says.
NO_PRIVATE_KEY: Final = "issuer private key not found: file does not exist"
NO_REVOCATION: Final = "private key does not support revocation"
_PROBLEMS_AT_START: Final = {
    NO_PRIVATE_KEY: f"failed to load private key: {NO_PRIVATE_KEY}",
    NO_REVOCATION: f'{NO_REVOCATION} (add revocation key material to it using "irma issuer revocation keypair")',
}


class IssuerKeyCheck(Protocol):
    """What a verdict needs to know of private keys."""

    def problem(self, issuer: IssuerId, *, revocation: bool) -> str | None:
        """Why the issuer's key cannot be used for issuing, or for revoking: `NO_PRIVATE_KEY`, `NO_REVOCATION`, or None."""
        ...


def validate_permissions(
    owner: str, permissions: Permissions, configuration: Configuration, private_keys: IssuerKeyCheck | None
) -> list[str]:
    """All faults in the permissions of one owner, in the reference's words.

    Args:
        owner: `Global`, or `Requestor NAME`, as the messages begin.
        permissions: the lists.
        configuration: the schemes that identifiers are looked up in.
        private_keys: says whether an issuer's private key is there, or None to skip that check (`skip_private_keys_check`).
    """
    problems: list[str] = []
    for kind, word in _WORDS.items():
        for pattern in permissions.of(kind):
            subject = f"{owner} {word} permission '{pattern}'"
            problems += [f"{subject}{fault}" for fault in _pattern_faults(kind, pattern, configuration, private_keys)]
    return problems


def _pattern_faults(kind: PermissionKind, pattern: str, configuration: Configuration, keys: IssuerKeyCheck | None) -> Iterable[str]:
    parts = pattern.split(".")
    if pattern.count("*") > 1:
        yield " contains too many asterisks (at most 1 permitted)"
    elif "*" in pattern[:-1]:
        yield " contains asterisk not at end of line"
    if parts[-1] == "*":
        if len(parts) > _PARTS[kind]:
            yield f" should have at most {_PARTS[kind]} parts"
    elif len(parts) != _PARTS[kind]:
        yield f" should have {_PARTS[kind]} parts"
    unknown = _unknown_part(kind, parts, configuration)
    if unknown is not None:
        yield f": unknown {unknown}"
    elif keys is not None and kind in (PermissionKind.ISSUE, PermissionKind.REVOKE) and len(parts) > 2 and parts[2] != "*":
        problem = keys.problem(IssuerId(".".join(parts[:2])), revocation=kind is PermissionKind.REVOKE)
        if problem is not None:
            yield f": {_PROBLEMS_AT_START[problem]}"


def _unknown_part(kind: PermissionKind, parts: list[str], configuration: Configuration) -> str | None:
    """The first level at which the identifier is not known; levels beyond those of the kind are not looked at."""
    levels: list[tuple[str, Callable[[str], bool]]] = [
        ("scheme", lambda text: any(str(scheme) == text for scheme in configuration.schemes)),
        ("issuer", lambda text: any(str(issuer) == text for issuer in configuration.issuers)),
        ("credential type", lambda text: CredentialTypeId(text) in configuration.credential_types),
        ("attribute type", lambda text: _has_attribute(configuration, text)),
    ]
    for count, (level, is_known) in enumerate(levels[: _PARTS[kind]], start=1):
        if len(parts) < count:
            return None
        if parts[count - 1] != "*" and not is_known(".".join(parts[:count])):
            return level
    return None


def _has_attribute(configuration: Configuration, text: str) -> bool:
    identifier = AttributeTypeId(text)
    credential_type = configuration.credential_types.get(identifier.credential_type)
    return credential_type is not None and credential_type.attribute(identifier.name) is not None

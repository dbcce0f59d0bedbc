"""What narrows a requestor's permissions: values, addresses, validity, keys.

Without constraints, as by default, irma server's rules stand alone. A constraint never allows what a permission does not. The
words of a refusal name the field and the rule, never a value.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from idemix.credential.metadata import default_expiry
from idemix.errors import MalformedError
from idemix.request import IssuanceRequest, RequestorRequest, attribute_requests
from idemix.scheme.identifiers import AttributeTypeId, IssuerId

from ..inputs import Errors, Message

MOST_ENTRIES: Final = 1000
LONGEST_ENTRY: Final = 2000
#: As many days as the metadata attribute of a credential can tell.
MOST_DAYS: Final = 65_535 * 7
MOST_COUNTER: Final = 65_535

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-\[\]-~]+")
#: What a prefix begins with: the origin and the slash after it, so that no longer host begins likewise.
_ORIGIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/@?#\\]+/")
#: What leads out of a folder: a segment of dots, as such or escaped.
_DOTS: Final = re.compile(r"(^|[/\\])(\.|%2e){1,2}([/\\?#]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AllowedValues:
    """The values that an attribute type may have in requests.

    Attributes:
        attribute: an attribute type, four parts.
        values: each exact.
    """

    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllowedKeys:
    """The keys of an issuer that a requestor may issue with.

    Attributes:
        issuer: an issuer, two parts.
        counters: of its keys; the newest of them that can sign is taken.
    """

    issuer: str
    counters: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """How one setting beside the permissions judged a part of a request.

    Attributes:
        setting: the setting that decided, e.g. `constraints.callback_urls` or `limits.addresses`.
        subject: the part of the request: a field, or an identifier.
        permitted: the verdict, or None where it cannot be told, since the archive keeps neither values nor addresses.
        reason: why it is refused, in a sentence that names subject and rule; "" where it is not.
        grant: the entry that would have to be added to the setting to permit it, or the value that it would have to have;
            None where the setting would have to be taken away.
    """

    setting: str
    subject: str
    permitted: bool | None
    reason: str = ""
    grant: str | None = None

    @property
    def label(self) -> str:
        """What the archive keeps of a refusal."""
        return f"{self.setting} {self.subject}"


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constraints of one requestor. None is no constraint; an empty list of addresses allows none.

    Attributes:
        asked_values: an attribute type named here may be asked, for disclosure or signature, only with one of its values.
        issued_values: an attribute type named here may be issued only with one of its values.
        callback_urls, next_session_urls, client_return_urls: the addresses that requests may name in `callbackUrl`, `nextSession.url`
            and `clientReturnUrl`: whole ones, or all below one that ends in `/*`.
        may_skip_expiry: whether requests may accept expired credentials by `skipExpiryCheck`.
        longest_validity_days: how long credentials may be valid; without `validity` a credential is valid for six months.
        issuer_keys: the keys of the issuers named here that credentials may be issued with.
    """

    asked_values: tuple[AllowedValues, ...] = ()
    issued_values: tuple[AllowedValues, ...] = ()
    callback_urls: tuple[str, ...] | None = None
    next_session_urls: tuple[str, ...] | None = None
    client_return_urls: tuple[str, ...] | None = None
    may_skip_expiry: bool = True
    longest_validity_days: int | None = None
    issuer_keys: tuple[AllowedKeys, ...] = ()

    def check(self, errors: Errors) -> None:
        """Note what breaks a rule."""
        many = Message("must have at most %(limit)d entries", limit=MOST_ENTRIES)
        for name in ("asked_values", "issued_values"):
            entries: tuple[AllowedValues, ...] = getattr(self, name)
            errors.check(len(entries) <= MOST_ENTRIES, name, many)
            for number, entry in enumerate(entries):
                _check_identifier(errors, AttributeTypeId, entry.attribute, f"{name}.{number}.attribute", 4)
                errors.check(len(entry.values) <= MOST_ENTRIES, f"{name}.{number}.values", many)
                short = all(len(value) <= LONGEST_ENTRY for value in entry.values)
                errors.check(short, f"{name}.{number}.values", Message("must have at most %(limit)d characters each", limit=LONGEST_ENTRY))
            _check_once(errors, [entry.attribute for entry in entries], name)
        for name in ("callback_urls", "next_session_urls", "client_return_urls"):
            urls = getattr(self, name) or ()
            errors.check(len(urls) <= MOST_ENTRIES, name, many)
            for number, url in enumerate(urls):
                _check_pattern(errors, url, f"{name}.{number}")
        days = self.longest_validity_days
        errors.check(days is None or 1 <= days <= MOST_DAYS, "longest_validity_days", Message("must be from 1 to %(most)d", most=MOST_DAYS))
        errors.check(len(self.issuer_keys) <= MOST_ENTRIES, "issuer_keys", many)
        for number, keys in enumerate(self.issuer_keys):
            _check_identifier(errors, IssuerId, keys.issuer, f"issuer_keys.{number}.issuer", 2)
            known = bool(keys.counters) and all(0 <= counter <= MOST_COUNTER for counter in keys.counters)
            rule = Message("must be one or more numbers from 0 to %(most)d", most=MOST_COUNTER)
            errors.check(known and len(keys.counters) <= MOST_ENTRIES, f"issuer_keys.{number}.counters", rule)
        _check_once(errors, [keys.issuer for keys in self.issuer_keys], "issuer_keys")

    def judge(self, request: RequestorRequest, now: datetime, *, redacted: bool = False) -> Iterator[Check]:
        """Judge the parts of a request that a constraint is about, in the order of the fields above.

        Args:
            request: the request.
            now: when the session starts or started.
            redacted: the request is one of the archive, which has markers in place of values and addresses.
        """
        yield from self._judge_values(request, redacted=redacted)
        for field, setting, address in (
            ("callbackUrl", "callback_urls", request.callback_url),
            ("nextSession.url", "next_session_urls", request.next_session_url),
            ("clientReturnUrl", "client_return_urls", request.request.client_return_url),
        ):
            patterns = getattr(self, setting)
            if address and patterns is not None:
                found = any(address_matches(pattern, address) for pattern in patterns)
                reason = f"{field}: the address is not among those that the requestor may use"
                yield _check(f"constraints.{setting}", field, None if redacted and patterns else found, reason, address)
        if not self.may_skip_expiry and request.request.skip_expiry_check:
            reason = "skipExpiryCheck: the requestor may not accept expired credentials"
            yield Check("constraints.may_skip_expiry", "skipExpiryCheck", False, reason, "true")
        if self.longest_validity_days is not None and isinstance(request.request, IssuanceRequest):
            yield from self._judge_validity(request.request, now, self.longest_validity_days)

    def _judge_values(self, request: RequestorRequest, *, redacted: bool) -> Iterator[Check]:
        asked = {entry.attribute: entry.values for entry in self.asked_values}
        for where, attribute in attribute_requests(request.request.disclose):
            name = str(attribute.type)
            if name in asked:
                known = redacted and attribute.value is not None
                reason = f"{where}: {name} may be asked only with one of the values that the requestor was allowed"
                yield _check("constraints.asked_values", name, None if known else attribute.value in asked[name], reason, attribute.value)
        if not isinstance(request.request, IssuanceRequest) or not self.issued_values:
            return
        issued = {entry.attribute: entry.values for entry in self.issued_values}
        for number, credential in enumerate(request.request.credentials):
            prefix = f"{credential.credential_type}."
            for name, values in issued.items():
                if not name.startswith(prefix):
                    continue
                value = credential.attributes.get(name.removeprefix(prefix))
                known = redacted and value is not None
                reason = (
                    f"credentials[{number}].attributes: {name} may be issued only with one of the values that the requestor was allowed"
                )
                yield _check("constraints.issued_values", name, None if known else value in values, reason, value)

    @staticmethod
    def _judge_validity(request: IssuanceRequest, now: datetime, days: int) -> Iterator[Check]:
        seconds = int(now.timestamp())
        for number, credential in enumerate(request.credentials):
            expires_at = default_expiry(seconds) if credential.expires_at is None else credential.expires_at
            needed = -((seconds - expires_at) // timedelta(days=1).total_seconds())
            reason = f"credentials[{number}].validity: the requestor may issue for at most {days} days"
            name = str(credential.credential_type)
            yield _check("constraints.longest_validity_days", name, needed <= days, reason, str(int(needed)))

    def keys_of(self, issuer: IssuerId) -> tuple[int, ...] | None:
        """The counters of an issuer's keys that may be used, the newest first; None for all."""
        for keys in self.issuer_keys:
            if keys.issuer == str(issuer):
                return tuple(sorted(set(keys.counters), reverse=True))
        return None

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> "Constraints":
        """Read what was stored."""
        if not data:
            return NO_CONSTRAINTS
        values = {
            name: tuple(AllowedValues(one["attribute"], tuple(one["values"])) for one in data[name])
            for name in ("asked_values", "issued_values")
        }
        urls = {
            name: None if data[name] is None else tuple(data[name]) for name in ("callback_urls", "next_session_urls", "client_return_urls")
        }
        keys = tuple(AllowedKeys(one["issuer"], tuple(one["counters"])) for one in data["issuer_keys"])
        return cls(**{**data, **values, **urls, "issuer_keys": keys})


NO_CONSTRAINTS: Final = Constraints()


def address_matches(pattern: str, address: str) -> bool:
    """Whether an address is the pattern's, or lies below one that ends in `/*`. Characters are compared as they are written."""
    if not pattern.endswith("/*"):
        return address == pattern
    below = address.removeprefix(pattern[:-1])
    # A browser or client would resolve a segment of dots, and take a backslash for a slash.
    return below != address and _ADDRESS.fullmatch(address) is not None and _DOTS.search(below) is None


def _check(setting: str, subject: str, permitted: bool | None, reason: str, grant: str | None) -> Check:
    if permitted is False:
        return Check(setting, subject, False, reason, grant)
    return Check(setting, subject, permitted)


def _check_pattern(errors: Errors, pattern: str, where: str) -> None:
    errors.check(len(pattern) <= LONGEST_ENTRY, where, Message("must have at most %(limit)d characters", limit=LONGEST_ENTRY))
    errors.check(
        _ADDRESS.fullmatch(pattern) is not None, where, Message("must be an address with its scheme, such as https://shop.example/done")
    )
    if pattern.endswith("/*"):
        whole = _ORIGIN.match(pattern) is not None and _DOTS.search(pattern[:-1]) is None
        errors.check(whole, where, Message("must have a host and a slash before the asterisk, such as https://shop.example/*"))


def _check_identifier(errors: Errors, kind: type[AttributeTypeId] | type[IssuerId], text: str, where: str, parts: int) -> None:
    rule = Message("must be an identifier of %(count)d parts", count=parts)
    errors.check(re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", text) is not None, where, rule)
    try:
        kind.parse(text)
    except MalformedError:
        errors.add(where, rule)


def _check_once(errors: Errors, names: list[str], where: str) -> None:
    errors.check(len(set(names)) == len(names), where, Message("must name each identifier once"))

"""What this server is for the revocation of each credential type, and which settings contradict each other.

Source: irmago `irma/revocation.go` (RevocationSetting, Load), `irma/server/conf.go` (verifyRevocation).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self
from urllib.parse import urlsplit

from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import CredentialTypeId
from idemix.verification import DEFAULT_TOLERANCE

from ..config import Problem
from ..inputs import Message

#: Seconds; with less, a proof would be stale between two accumulators of the issuer.
MIN_TOLERANCE: Final = 30
#: A year. More than this tells nothing.
MAX_TOLERANCE: Final = 366 * 24 * 3600

_OPTION: Final = "revocation_settings"


@dataclass(frozen=True, slots=True)
class TypeSettings:
    """The role of this server for one credential type.

    Attributes:
        authority: it issues credentials that can be revoked, and revokes them.
        server: it gives updates to apps and verifiers; every authority does.
        revocation_server_url: the server whose updates it follows, and to which an issuer posts its records.
        tolerance: seconds that an accumulator may be old where a request does not say; 0 for the default.
        sse: it listens to the updates of that server, instead of only asking now and then.
    """

    authority: bool = False
    server: bool = False
    revocation_server_url: str = ""
    tolerance: int = 0
    sse: bool = False

    @property
    def serves(self) -> bool:
        """Whether updates are given to others."""
        return self.server or self.authority

    @property
    def max_age_seconds(self) -> int:
        """The tolerance that holds."""
        return self.tolerance or DEFAULT_TOLERANCE

    @property
    def can_issue(self) -> bool:
        """Whether records of issuance have somewhere to go."""
        return self.authority or bool(self.revocation_server_url)

    def problems(self) -> Iterator[tuple[str, Message]]:
        """What contradicts itself: the field, and the rule."""
        url = self.revocation_server_url
        if self.authority and url:
            yield "revocation_server_url", Message("revocation authority mode cannot be combined with URL")
        if self.server and not self.authority and not url:
            yield "server", Message("revocation server mode requires URL to be configured")
        if self.tolerance and not MIN_TOLERANCE <= self.tolerance <= MAX_TOLERANCE:
            yield (
                "tolerance",
                Message("must be at least %(least)s seconds and at most %(most)s, or 0", least=MIN_TOLERANCE, most=MAX_TOLERANCE),
            )
        if url and not _is_address(url):
            yield "revocation_server_url", Message("must be an http or https address without query")

    @classmethod
    def read(cls, value: Mapping[str, Any], where: str) -> tuple[Self, list[Problem]]:
        """Read the settings of one type as a configuration file has them; what cannot be read has its default."""
        kinds = {field.name: type(field.default) for field in fields(cls)}
        problems = [Problem(f"{where}.{name}", "is not an option") for name in value if name not in kinds]
        read: dict[str, Any] = {}
        for name, kind in kinds.items():
            given = value.get(name)
            if given is None:
                continue
            if type(given) is kind:
                read[name] = given.rstrip("/") if isinstance(given, str) else given
            else:
                problems.append(Problem(f"{where}.{name}", f"must be {_KINDS[kind]}"))
        return cls(**read), problems


_KINDS: Final[Mapping[type, str]] = {bool: "true or false", int: "a number", str: "a text"}

NO_SETTINGS: Final = TypeSettings()


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:
        return False


def read_settings(
    options: Mapping[str, Mapping[str, Any]], configuration: Configuration, *, has_database: bool
) -> tuple[dict[CredentialTypeId, TypeSettings], list[Problem]]:
    """Read `revocation_settings`.

    Args:
        options: the option; identifiers may be in lower case, as the reference's reader of configuration files leaves them.
        configuration: the schemes.
        has_database: whether there is one in which a chain and its records last.

    Returns:
        The settings by credential type, and everything that is wrong with them.
    """
    spelled = {str(type_id).lower(): type_id for type_id in configuration.credential_types}
    found: dict[CredentialTypeId, TypeSettings] = {}
    problems: list[Problem] = []
    for name, value in options.items():
        where = f"{_OPTION}.{name}"
        settings, faults = TypeSettings.read(value, where)
        problems += faults
        problems += [Problem(f"{where}.{field}", str(rule)) for field, rule in settings.problems()]
        type_id = spelled.get(name.lower())
        if type_id is None:
            problems.append(Problem(where, f"unknown credential type {name} in revocation settings"))
            continue
        if type_id in found:
            problems.append(Problem(where, "is given twice"))
        if not configuration.credential_types[type_id].supports_revocation:
            problems.append(Problem(where, "credential type does not support revocation"))
        if settings.serves and not has_database:
            rule = f"revocation mode for {type_id} requires SQL database but no connection string given"
            problems.append(Problem("revocation_db_str", rule))
        found[type_id] = settings
    return found, problems

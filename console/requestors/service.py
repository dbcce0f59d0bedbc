"""What the pages of requestors show beside what the service gives."""

from datetime import datetime

from gateway.permissions import Permissions
from gateway.requestors.models import KeyInfo

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

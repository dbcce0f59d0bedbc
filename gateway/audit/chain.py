"""The chain: each entry's hash covers its own fields and the hash of the entry before.

An edited entry no longer has its hash; a removed or moved one leaves a gap in the sequence or a `previous_hash` that does not
fit; entries cut off at the end are missed by the head row, which holds the last sequence and hash.
"""

import hashlib
import json
from datetime import datetime
from enum import Enum
from typing import Any, Final

#: The hash before the first entry.
FIRST_PREVIOUS_HASH: Final = "0" * 64

_PREFIX: Final = b"irmahub audit entry 1\n"


def entry_hash(fields: dict[str, Any]) -> str:
    """Hash an entry: SHA-256 over a canonical JSON object of all its fields but `hash` itself, as hex."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=plain)
    return hashlib.sha256(_PREFIX + text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Turn a value of a typed model into what JSON can hold.

    Raises:
        TypeError: bytes, say: secrets come as fingerprints.
    """
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"a value of type {type(value).__name__} does not belong in the audit")


def field_changes(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, list[Any]]:
    """The fields that differ, each with its value before and after; None where there was, or is, no such field or nothing in it."""
    before, after = _filled(before), _filled(after)
    differing = [field for field in sorted({*before, *after}) if before.get(field) != after.get(field)]
    fields = {field: [before.get(field), after.get(field)] for field in differing}
    changes: dict[str, list[Any]] = json.loads(json.dumps(fields, default=plain))
    return changes


def _filled(fields: dict[str, Any] | None) -> dict[str, Any]:
    return {field: value for field, value in (fields or {}).items() if value not in (None, "", [], (), {})}

"""An earlier version of a scheme as the content of a next one.

Texts, logos and settings become those of the earlier version. What was added since and may not disappear stays: issuers, credential
types, attributes and keys that clients have learned of (spec of scheme updates, section 5). It is listed, each with the reason.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..errors import MalformedSchemeError
from .diff import DERIVED, Entity, EntityKind, entity_of
from .documents import REVOCATION_KEY, Document, Value, Values
from .tree import byte_order

_KEY_FILE: Final = re.compile(r"[^/]+/(?:Public|Private)Keys/[^/]+|[sp]k\.pem|kss-[0-9]+\.pem")
_REVOCATION: Final = ("revocation_servers", "revocation_update_count", "revocation_update_speed")


class Reason(Enum):
    """Why something stays as it is although the earlier version is without it, or has another one.

    `OTHER` files say nothing about the scheme; `UNREADABLE` documents cannot be brought together with the earlier ones.
    """

    ADDED = "added"
    OPTIONAL = "optional"
    SINGLETON = "singleton"
    KEYS = "keys"
    SCHEME_KEY = "scheme-key"
    UNREADABLE = "unreadable"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays.

    Attributes:
        entity: whose it is.
        key: the field of its document, such as `attributes.level`; empty for the whole entity.
        reason: why.
        may_be_deprecated: whether clients can be told not to offer it any more.
    """

    entity: Entity
    key: str
    reason: Reason
    may_be_deprecated: bool


def restored(
    scheme_id: str, earlier: Mapping[str, bytes], published: Mapping[str, bytes], *, deprecate: Collection[str] = (), now: int = 0
) -> tuple[dict[str, bytes], tuple[Kept, ...]]:
    """Make the content that restores an earlier version.

    Args:
        scheme_id: whose.
        earlier: the files of the version to restore, by path.
        published: those of the newest version, which clients have.
        deprecate: identifiers of issuers and credential types among what stays that are to be deprecated.
        now: since when, in Unix seconds.

    Returns:
        The files, and what stays.
    """
    files = dict(published)
    kept: list[Kept] = []
    for path in sorted((earlier.keys() | published.keys()) - DERIVED, key=byte_order):
        entity = entity_of(path, scheme_id)
        old, new = earlier.get(path), published.get(path)
        if _KEY_FILE.fullmatch(path):
            if entity.kind is EntityKind.PRIVATE_KEY:
                continue
            if old is not None and new is None:
                files[path] = old
            elif old != new:
                kept.append(Kept(entity, "", Reason.KEYS if entity.kind is not EntityKind.SCHEME_KEY else Reason.SCHEME_KEY, False))
        elif entity.kind is EntityKind.FILE:
            # Logos of requestors are such files: what the earlier documents name has to be there.
            if old is not None and new is None:
                files[path] = old
            elif old != new:
                kept.append(Kept(entity, "", Reason.OTHER, False))
        elif path.endswith("/logo.png"):
            _restore_logo(files, path, old, entity.path in earlier)
        elif old is None:
            if entity.kind in (EntityKind.ISSUER, EntityKind.CREDENTIAL_TYPE):
                kept.append(Kept(entity, "", Reason.ADDED, _is_in_use(path, published[path])))
            elif entity.kind is EntityKind.REQUESTORS:
                del files[path]
        else:
            files[path], stays = _restore_document(entity, old, new)
            kept += stays
    for found in kept:
        path = found.entity.path
        if found.may_be_deprecated and found.entity.id in deprecate:
            files[path] = Document(path, files[path]).edited({"deprecated_since": now}).content
    return files, tuple(kept)


def _is_in_use(path: str, content: bytes) -> bool:
    try:
        return Document(path, content).values.get("deprecated_since") is None
    except MalformedSchemeError:
        return False  # nothing can be written into what cannot be read


def _restore_logo(files: dict[str, bytes], path: str, earlier: bytes | None, entity_was_there: bool) -> None:
    if earlier is not None:
        files[path] = earlier
    elif entity_was_there:
        files.pop(path, None)


def _restore_document(entity: Entity, earlier: bytes, published: bytes | None) -> tuple[bytes, list[Kept]]:
    """The earlier document, with what clients have learned of since."""
    if published is None or published == earlier or entity.kind is not EntityKind.CREDENTIAL_TYPE:
        return earlier, []
    try:
        return _with_what_was_added(entity, Document(entity.path, earlier), Document(entity.path, published))
    except MalformedSchemeError:
        return published, [Kept(entity, "", Reason.UNREADABLE, False)]  # the check says what is wrong with it


def _with_what_was_added(entity: Entity, old: Document, new: Document) -> tuple[bytes, list[Kept]]:
    values: Values = dict(old.values)
    kept: list[Kept] = []
    before, now = _keys(old), _keys(new)
    added = [key for key in now if key not in before]
    for key in added:
        prefix = f"attributes.{key}."
        values |= {name: value for name, value in new.values.items() if name.startswith(prefix)}
        kept.append(Kept(entity, f"attributes.{key}", Reason.ADDED, False))
    values["attributes"] = (*before, *added)
    _place_on_card(values, before, added)
    if REVOCATION_KEY in added:
        values |= {name: value for name, value in new.values.items() if name in _REVOCATION}
    for key in before:
        name = f"attributes.{key}.optional"
        if new.values.get(name) and not old.values.get(name) and key in now:
            values[name] = True
            kept.append(Kept(entity, name, Reason.OPTIONAL, False))
    if old.values.get("singleton") and not new.values.get("singleton"):
        values["singleton"] = False
        kept.append(Kept(entity, "singleton", Reason.SINGLETON, False))
    return old.edited(values).content, kept


def _keys(document: Document) -> tuple[str, ...]:
    value = document.values.get("attributes")
    return tuple(str(key) for key in value) if isinstance(value, tuple) else ()


def _place_on_card(values: dict[str, Value], before: Collection[str], added: Collection[str]) -> None:
    """Show added attributes behind the others, where these have an order of their own."""
    ordered = any(values.get(f"attributes.{key}.display_index") is not None for key in before)
    for position, key in enumerate(added, start=len(before)):
        values[f"attributes.{key}.display_index"] = position if ordered else None

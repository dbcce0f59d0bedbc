"""What differs between two versions of a scheme: by entity and field, for people who decide whether it goes out.

Nothing that differs is absent. Of a document, editing the old one with the changed fields gives the new one, or what is left over
stands in `rest`, line by line. Of any other file, the digests differ. The files that signing makes take no part.
"""

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..errors import MalformedError, MalformedSchemeError
from ..keys.public import PublicKey
from .documents import Document, Value, Values, document_kind, new_document
from .documents.document import same
from .tree import byte_order

#: Files that signing makes.
DERIVED: Final = frozenset({"index", "index.sig", "timestamp"})

#: Stands in a unified diff behind a line that ends its file without a line end.
NO_LINE_END: Final = "\\ No newline at end of file"


class EntityKind(Enum):
    """What a file belongs to."""

    SCHEME = "scheme"
    ISSUER = "issuer"
    CREDENTIAL_TYPE = "credential-type"
    REQUESTORS = "requestors"
    PUBLIC_KEY = "public-key"
    PRIVATE_KEY = "private-key"
    KEYSHARE_KEY = "keyshare-key"
    SCHEME_KEY = "scheme-key"
    FILE = "file"


class ChangeKind(Enum):
    """What happened to an entity."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Entity:
    """What files of a scheme are about.

    Attributes:
        kind: see there.
        id: its identifier: `scheme`, `scheme.issuer`, `scheme.issuer.type`, `scheme.issuer-3` for a key; the path for other files.
        path: of its document, or of the file.
    """

    kind: EntityKind
    id: str
    path: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs.

    Attributes:
        key: as in its document (`name.en`), or `logo`, `digest` (SHA-256 in hex), and of a public key `fingerprint`, `bits`, `bases`,
            `expires_at` (Unix seconds), `revocation`.
        before, after: None where it is absent.
    """

    key: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class EntityChange:
    """An entity that differs.

    Attributes:
        entity: which.
        kind: what happened to it.
        fields: every field that differs, in the order of the document.
        rest: what differs beside fields (comments, layout, elements that no reader knows), as lines of a unified diff: from the old
            document with the fields changed, or of an added one from `new_document`, to the new one. Where a document cannot be read or
            written, `fields` is empty and this is `raw_lines` of the whole file.
        paths: its files that differ.
    """

    entity: Entity
    kind: ChangeKind
    fields: tuple[FieldChange, ...]
    rest: tuple[str, ...]
    paths: tuple[str, ...]

    @property
    def is_deprecation(self) -> bool:
        """Whether the entity becomes deprecated."""
        return any(field.key == "deprecated_since" and field.before is None for field in self.fields)

    @property
    def is_risk(self) -> bool:
        """Whether a published key changes, such as by a later expiry without a new key."""
        return self.entity.kind in (EntityKind.PUBLIC_KEY, EntityKind.KEYSHARE_KEY, EntityKind.SCHEME_KEY) and (
            self.kind is not ChangeKind.ADDED
        )


_PLACES: Final = (
    (re.compile(r"(?P<issuer>[^/]+)/Issues/(?P<type>[^/]+)/(?:description\.xml|logo\.png)"), EntityKind.CREDENTIAL_TYPE),
    (re.compile(r"(?P<issuer>[^/]+)/PublicKeys/(?P<key>[0-9]+)\.xml"), EntityKind.PUBLIC_KEY),
    (re.compile(r"(?P<issuer>[^/]+)/PrivateKeys/(?P<key>[0-9]+)\.xml"), EntityKind.PRIVATE_KEY),
    (re.compile(r"(?P<issuer>[^/]+)/(?:description\.xml|logo\.png)"), EntityKind.ISSUER),
    (re.compile(r"description\.(?:xml|json)"), EntityKind.SCHEME),
    (re.compile(r"[^/]+\.json"), EntityKind.REQUESTORS),
    (re.compile(r"kss-(?P<key>[0-9]+)\.pem"), EntityKind.KEYSHARE_KEY),
    (re.compile(r"pk\.pem"), EntityKind.SCHEME_KEY),
    (re.compile(r"sk\.pem"), EntityKind.PRIVATE_KEY),
)


def entity_of(path: str, scheme_id: str) -> Entity:
    """What a file of a scheme belongs to."""
    for pattern, kind in _PLACES:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        parts = found.groupdict()
        identifier = ".".join([scheme_id, *(parts[name] for name in ("issuer", "type") if parts.get(name))])
        if parts.get("key"):
            identifier += f"-{parts['key']}" if "issuer" in parts else f".{path}"
        elif kind in (EntityKind.REQUESTORS, EntityKind.SCHEME_KEY, EntityKind.PRIVATE_KEY):
            identifier = path
        document = path.removesuffix("logo.png") + "description.xml" if path.endswith("/logo.png") else path
        return Entity(kind, identifier, document)
    return Entity(EntityKind.FILE, path, path)


def compare_versions(scheme_id: str, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> tuple[EntityChange, ...]:
    """List what differs between two versions.

    Args:
        scheme_id: whose.
        before, after: files by path; those that signing makes are passed over.

    Returns:
        The entities that differ: the scheme first, then by path.
    """
    touched: dict[Entity, list[str]] = {}
    for path in sorted((before.keys() | after.keys()) - DERIVED, key=byte_order):
        if before.get(path) != after.get(path):
            touched.setdefault(entity_of(path, scheme_id), []).append(path)
    found = [_entity_change(entity, paths, before, after) for entity, paths in touched.items()]
    return tuple(sorted(found, key=lambda change: (change.entity.kind is not EntityKind.SCHEME, byte_order(change.entity.path))))


def value_changes(before: Mapping[str, Value], after: Mapping[str, Value]) -> Values:
    """The changes that make one document's values another's: None where a field is absent there."""
    keys = dict.fromkeys((*before, *after))
    return {key: after.get(key) for key in keys if not same(before.get(key), after.get(key))}


def rest_lines(before: Document, after: Document) -> tuple[str, ...]:
    """What differs between two documents beside their fields, as lines of a unified diff; empty where the fields explain all.

    Raises:
        MalformedSchemeError: a field of `after` says what is not written, such as a text in a language of no known form.
    """
    return _rest(before.edited(value_changes(before.values, after.values)), after)


def raw_lines(path: str, before: bytes | None, after: bytes | None) -> tuple[str, ...]:
    """A file's difference as lines of a unified diff; for a file that is no text, one line each for size and digest."""
    old_name, new_name = (f"a/{path}" if before is not None else "/dev/null"), (f"b/{path}" if after is not None else "/dev/null")
    head = (f"--- {old_name}", f"+++ {new_name}")
    if is_text(before or b"") and is_text(after or b""):
        return (*head, *_unified(before or b"", after or b""))
    sides = (("-", before), ("+", after))
    return (*head, *(f"{sign}{len(content)} bytes, SHA-256 {digest(content)}" for sign, content in sides if content is not None))


def is_text(content: bytes) -> bool:
    """Whether a file can be shown as text."""
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def _entity_change(entity: Entity, paths: list[str], before: Mapping[str, bytes], after: Mapping[str, bytes]) -> EntityChange:
    fields: list[FieldChange] = []
    rest: tuple[str, ...] = ()
    for path in paths:
        old, new = before.get(path), after.get(path)
        if document_kind(path) is not None:
            changes, rest = _document_changes(path, old, new)
            fields += changes
        elif path.endswith("/logo.png"):
            fields.append(FieldChange("logo", _digest(old), _digest(new)))
        else:
            if entity.kind is EntityKind.PUBLIC_KEY:
                facts = _key_facts(old), _key_facts(new)
                fields += [FieldChange(key, facts[0].get(key), value) for key, value in value_changes(*facts).items()]
            fields.append(FieldChange("digest", _digest(old), _digest(new)))
    was_there, is_there = entity.path in before, entity.path in after
    kind = ChangeKind.CHANGED if was_there == is_there else ChangeKind.ADDED if is_there else ChangeKind.REMOVED
    return EntityChange(entity, kind, tuple(fields), rest, tuple(paths))


def _document_changes(path: str, before: bytes | None, after: bytes | None) -> tuple[list[FieldChange], tuple[str, ...]]:
    """The fields that differ and what differs beside them; of a document that cannot be read or written, all its lines."""
    try:
        old = None if before is None else Document(path, before)
        new = None if after is None else Document(path, after)
        values = {} if old is None else old.values
        changes = value_changes(values, {} if new is None else new.values)
        fields = [FieldChange(key, values.get(key), value) for key, value in changes.items()]
        if new is None:
            return fields, ()
        return fields, rest_lines(old, new) if old is not None else _rest(new_document(path, new.values), new)
    except MalformedSchemeError:
        return [], raw_lines(path, before, after)


def _rest(explained: Document, after: Document) -> tuple[str, ...]:
    return () if explained.content == after.content else tuple(_unified(explained.content, after.content))


def _key_facts(content: bytes | None) -> Values:
    if content is None:
        return {}
    try:
        key = PublicKey.from_xml(content)
    except MalformedError:
        return {}
    return {
        "fingerprint": key.fingerprint(),
        "bits": key.N.bit_length(),
        "bases": len(key.R),
        "expires_at": key.expires_at,
        "revocation": key.supports_revocation,
    }


def _digest(content: bytes | None) -> str | None:
    return None if content is None else digest(content)


def _unified(before: bytes, after: bytes) -> Iterator[str]:
    """The lines of a unified diff of two texts, without its head. They are exact: a CR stands in them, and a missing line end is told."""

    def lines(content: bytes) -> list[str]:
        found = content.decode().split("\n")
        return [*(f"{line}\n" for line in found[:-1]), *filter(None, found[-1:])]

    for line in list(difflib.unified_diff(lines(before), lines(after), n=2))[2:]:
        yield line.removesuffix("\n")
        if not line.endswith("\n"):
            yield NO_LINE_END

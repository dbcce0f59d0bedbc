"""The issuers and credential types of a draft, with what is new or changed."""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from console.drafts.models import ContentEntry
from idemix.errors import MalformedError
from idemix.scheme.descriptions import CredentialType, Issuer, parse_credential_type, parse_issuer

T = TypeVar("T")

_ISSUER: Final = re.compile(r"([^/]+)/description\.xml")
_CREDENTIAL_TYPE: Final = re.compile(r"([^/]+)/Issues/([^/]+)/description\.xml")


def read_contents(scheme_id: str, tree: Mapping[str, bytes], base: Mapping[str, bytes]) -> tuple[ContentEntry, ...]:
    """List the issuers of a tree with their credential types, by identifier.

    Args:
        scheme_id: whose.
        tree: the files.
        base: those of the version the draft starts from.
    """
    inside: dict[str, list[ContentEntry]] = {}
    for path in sorted(tree):
        if found := _CREDENTIAL_TYPE.fullmatch(path):
            description = _read(parse_credential_type, tree[path], path)
            entry = _entry(f"{scheme_id}.{found[1]}.{found[2]}", path, description, _change(path, tree, base))
            inside.setdefault(found[1], []).append(entry)
    entries = []
    for path in sorted(tree):
        if found := _ISSUER.fullmatch(path):
            issuer = _read(parse_issuer, tree[path], path)
            entries.append(_entry(f"{scheme_id}.{found[1]}", path, issuer, _change(path, tree, base), tuple(inside.get(found[1], ()))))
    return tuple(entries)


def _entry(
    identifier: str, path: str, found: Issuer | CredentialType | None, change: str, inside: tuple[ContentEntry, ...] = ()
) -> ContentEntry:
    deprecated = found is not None and found.deprecated_since is not None
    return ContentEntry(identifier, {} if found is None else dict(found.name), path, change, deprecated, inside)


def _change(path: str, tree: Mapping[str, bytes], base: Mapping[str, bytes]) -> str:
    if path not in base:
        return "added"
    logo = path.removesuffix("description.xml") + "logo.png"
    return "" if tree[path] == base[path] and tree.get(logo) == base.get(logo) else "changed"


def _read(parse: Callable[[bytes, str], T], content: bytes, path: str) -> T | None:
    """A description; None where it cannot be read, which the check tells."""
    try:
        return parse(content, path)
    except MalformedError:
        return None

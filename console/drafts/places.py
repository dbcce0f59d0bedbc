"""Where a finding is mended: the document and the field that it is about.

Findings name places in the words of their files: elements and attributes of XML (`<Name><en>`, `<Attribute> 3`, `attribute level <Name>`,
`attribute version of <Issuer>`), members of JSON (`url`, `[0].wizards.demo.shop.first.title`, or by identifier `demo.shop.hostnames`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from console.schemes.models import FindingView
from idemix.errors import MalformedSchemeError
from idemix.scheme.diff import EntityKind, entity_of
from idemix.scheme.documents import REQUESTORS, Document, Field, Group, Kind, Value, document_kind
from idemix.scheme.memory import remembered

_ELEMENT: Final = re.compile(r"<([^<>]+)>")
_ATTRIBUTE: Final = re.compile(r"(?:<Attribute> (?P<number>[0-9]+)|attribute (?P<name>[A-Za-z0-9_-]+)(?= <))")
_MARKUP: Final = re.compile(r"attribute (?P<name>[A-Za-z]+)(?: of <(?P<element>[^<>]+)>)?")
_NUMBERED: Final = re.compile(r"\[(?P<number>[0-9]+)\]\.?")
#: The reference's warnings name the element alone; which attribute's and in which language stands in their sentence.
_SUBJECT: Final = re.compile(r"Attribute (?P<name>\S+) of credential type ")
_MISSES: Final = re.compile(r" misses (?P<language>\S+) translation in ")


def place_of(tree: Mapping[str, bytes], scheme_id: str, finding: FindingView) -> tuple[str, str]:
    """The document and the field that mend a finding; both are empty where no form does."""
    if not finding.path and finding.field:
        return _by_identifier(tree, finding.field)
    path = document_of(tree, scheme_id, finding.path) or ""
    if path and finding.path.endswith("logo.png"):
        return path, "logo"
    place, missing = finding.field, _MISSES.search(finding.message)
    if path and finding.rule == "translation":
        subject = _SUBJECT.match(finding.message)
        place = (f"attribute {subject['name']} " if subject else "") + place + (f"<{missing['language']}>" if missing else "")
    return path, key_of(tree, path, place) if path else ""


def document_of(tree: Mapping[str, bytes], scheme_id: str, path: str) -> str | None:
    """The document in whose form a file is cared for: its own, or that of the issuer or type whose logo it is; None where there is none."""
    entity = entity_of(path, scheme_id)
    found = entity.path if entity.kind is not EntityKind.FILE else path
    return found if document_kind(found) is not None and found in tree else None


def key_of(tree: Mapping[str, bytes], path: str, place: str) -> str:
    """The field of a document that a finding is about, as its form names it; empty where it is the whole.

    Args:
        tree: the files.
        path: the document.
        place: the field in the finding's words.
    """
    document = _read(tree, path)
    if document is None:
        return ""
    if document.kind is REQUESTORS:
        return _of_requestors(document, place)
    if not document.kind.root:
        return _of_member(document.values, document.kind.fields, "", place)
    return _of_elements(document, place)


@remembered
def _document(content: bytes, path: str) -> Document:
    return Document(path, content)


def _read(tree: Mapping[str, bytes], path: str) -> Document | None:
    try:
        return _document(tree[path], path)
    except (MalformedSchemeError, KeyError, ValueError):
        return None


def _of_elements(document: Document, place: str) -> str:
    fields: Sequence[Field | Group] = document.kind.fields
    prefix = ""
    found = _ATTRIBUTE.match(place)
    order = _names(document.values, "attributes")
    if found is not None:
        number, name = found["number"], found["name"]
        if number is not None and 0 < int(number) <= len(order):
            name = order[int(number) - 1]
        if name not in order:
            return ""
        prefix = f"attributes.{name}"
        fields = _group(fields, "attributes").fields
        place = place[found.end() :]
    elif markup := _MARKUP.fullmatch(place):
        own = markup["element"] in (None, document.kind.root)
        return next((field.key for field in fields if own and field.source == f"@{markup['name']}"), "")
    elements = _ELEMENT.findall(place)
    name = elements[0] if elements else place.strip()
    field = next((field for field in fields if name and name.casefold() in map(str.casefold, field.source.split("/"))), None)
    if field is None:
        return prefix
    key = f"{prefix}.{field.key}" if prefix else field.key
    if isinstance(field, Field) and field.kind is Kind.TRANSLATED:
        return f"{key}.{elements[1]}" if len(elements) > 1 else _first_language(document.values, key)
    return key


def _of_requestors(document: Document, place: str) -> str:
    """A place in a list of requestors, which counts them from 0."""
    found = _NUMBERED.match(place)
    order = _names(document.values, "requestors")
    if found is None or int(found["number"]) >= len(order):
        return ""
    prefix, rest = f"requestors.{order[int(found['number'])]}", place[found.end() :]
    fields = _group(document.kind.fields, "requestors").fields
    if rest.startswith("wizards."):
        for name in _names(document.values, f"{prefix}.wizards"):
            identifier = str(document.values.get(f"{prefix}.wizards.{name}.id"))
            if rest == f"wizards.{identifier}" or rest.startswith(f"wizards.{identifier}."):
                inside = rest.removeprefix(f"wizards.{identifier}").removeprefix(".")
                return _of_member(document.values, _group(fields, "wizards").fields, f"{prefix}.wizards.{name}", inside)
        return prefix
    return _of_member(document.values, fields, prefix, rest)


def _by_identifier(tree: Mapping[str, bytes], place: str) -> tuple[str, str]:
    """A place that begins with the identifier of a requestor or wizard, whichever file it stands in."""
    for path in tree:
        document = _read(tree, path) if document_kind(path) is REQUESTORS else None
        if document is None:
            continue
        outer = _group(document.kind.fields, "requestors")
        for name in _names(document.values, "requestors"):
            prefix = f"requestors.{name}"
            inner = [
                (f"{prefix}.wizards.{wizard}", _group(outer.fields, "wizards")) for wizard in _names(document.values, f"{prefix}.wizards")
            ]
            for key, group in (*inner, (prefix, outer)):
                identifier = str(document.values.get(f"{key}.id"))
                if place == identifier or place.startswith(f"{identifier}."):
                    return path, _of_member(document.values, group.fields, key, place.removeprefix(identifier).removeprefix("."))
    return "", ""


def _of_member(values: Mapping[str, Value], fields: Sequence[Field | Group], prefix: str, place: str) -> str:
    """A member of a JSON object: `url`, `name.en`, `contents[0][1].type`; what is inside a value is told of the value."""
    name, _, rest = place.partition(".")
    name = name.partition("[")[0]
    field = next((field for field in fields if name and field.source.casefold() == name.casefold()), None)
    if field is None:
        return prefix
    key = f"{prefix}.{field.key}" if prefix else field.key
    if isinstance(field, Field) and field.kind is Kind.TRANSLATED:
        return f"{key}.{rest}" if rest else _first_language(values, key)
    return key


def _group(fields: Sequence[Field | Group], key: str) -> Group:
    return next(group for group in fields if isinstance(group, Group) and group.key == key)


def _names(values: Mapping[str, Value], key: str) -> tuple[str, ...]:
    order = values.get(key)
    return tuple(map(str, order)) if isinstance(order, tuple) else ()


def _first_language(values: Mapping[str, Value], key: str) -> str:
    """A missing or empty translation is told of the element: the field that is empty, or the first."""
    languages = [name for name in values if name.startswith(f"{key}.")]
    empty = [name for name in languages if not values[name]]
    return (empty or languages or [f"{key}.en"])[0]

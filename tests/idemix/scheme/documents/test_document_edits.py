"""Every field of every file of the real schemes and of the reference's test schemes, edited: that element changes, and nothing else."""

import json
from collections.abc import Iterator, Mapping
from functools import cache

import pytest

from gateway.scheme_files import read_tree
from idemix.scheme.documents import Document, DocumentKind, Field, Group, Kind, Value, document_kind
from idemix.scheme.xml_reader import parse_xml
from tests.support.documents import assert_only_element_changed, plain, read, spans
from tests.support.shared import shared

SCHEMES = (
    "irma-demo",
    "pbdf",
    "mutant-base/irma-demo",
    "mutant-base/demo-requestors",
    "testdata/irma_configuration/irma-demo",
    "testdata/irma_configuration/test",
    "testdata/irma_configuration/test2",
    "testdata/irma_configuration/test-requestors",
    "testdata/irma_configuration_updated/irma-demo",
    "testdata/irma_configuration_updated/test-requestors",
    "testdata/irma_configuration_invalid/irma-demo",
)

#: Of so many edits the normal run makes one.
SAMPLE = 90

#: The key of objects that are added.
NEW_OBJECT = "brand-new"


@cache
def files(name: str) -> Mapping[str, bytes]:
    tree = read_tree(shared("schemes", *name.split("/")))
    return {path: tree[path] for path in sorted(tree) if document_kind(path) is not None}


every_scheme = pytest.mark.parametrize("name", SCHEMES)


@pytest.mark.feature("A1.2")
@every_scheme
def test_saving_what_was_opened_changes_no_byte(name: str) -> None:
    for path, content in files(name).items():
        document = Document(path, content)
        assert document.edited(document.values).content == content, path
        assert bytes(document._open()[0]) == content, path
        # Both sides read the same.
        assert plain(path, document.values) == read(path, content), path


@pytest.mark.feature("A2")
@every_scheme
def test_an_edit_changes_its_element_only(name: str) -> None:
    edits = [(document, key, value) for document in documents(name) for key, value in changes(document)]
    assert edits
    for document, key, value in edits[::SAMPLE]:
        check_edit(document, key, value)


@pytest.mark.long
@every_scheme
def test_every_edit_changes_its_element_only(name: str) -> None:
    for document in documents(name):
        for key, value in changes(document):
            check_edit(document, key, value)


@pytest.mark.feature("A1.1")
def test_every_field_is_edited() -> None:
    """The edits above leave out no field of any kind of document."""
    found: dict[str, set[str]] = {}
    for name in SCHEMES:
        for document in documents(name):
            found.setdefault(document.kind.name, set()).update(generic(document, key) for key, _ in changes(document))
    kinds: dict[str, DocumentKind] = {document.kind.name: document.kind for name in SCHEMES for document in documents(name)}
    assert len(kinds) == 5
    for name, kind in kinds.items():
        assert found[name] == set(fields_of(kind.fields, "")), name


def documents(name: str) -> Iterator[Document]:
    for path, content in files(name).items():
        yield Document(path, content)


def fields_of(fields: tuple[Field | Group, ...], prefix: str) -> Iterator[str]:
    for field in fields:
        yield prefix + field.key
        if isinstance(field, Group):
            yield from fields_of(field.fields, f"{prefix}{field.key}.")


def generic(document: Document, key: str) -> str:
    """A key without identifiers and languages."""
    place = document.place(key)
    for name in place.object_key.split("."):
        key = key.replace(f".{name}.", ".", 1) if name else key
    return key.removesuffix(f".{place.language}") if place.language else key


def changes(document: Document) -> Iterator[tuple[str, Value]]:
    """An edit of each field that is there, and one that adds each that is not."""
    yield from _changes(document, document.kind.fields, "")


def _changes(document: Document, fields: tuple[Field | Group, ...], prefix: str) -> Iterator[tuple[str, Value]]:
    for field in fields:
        key = prefix + field.key
        if isinstance(field, Group):
            order = document.values.get(key, ())
            assert isinstance(order, tuple)
            yield key, (*order, NEW_OBJECT)
            yield from ((key, tuple(other for other in order if other != member)) for member in order)
            for member in order:
                yield from _changes(document, field.fields, f"{key}.{member}.")
        elif field.kind is Kind.TRANSLATED:
            present = [name for name in document.values if name.startswith(f"{key}.") and "." not in name[len(key) + 1 :]]
            yield from ((name, another(field, document.values[name])) for name in present)
            yield f"{key}.fr", another(field, None)
            yield from ((name, None) for name in present)
        else:
            yield key, another(field, document.values.get(key))
            if key in document.values and field.key != "id":
                yield key, None


def another(field: Field, value: Value) -> Value:
    """Another value of a field."""
    match field.kind:
        case Kind.FLAG:
            return not value
        case Kind.NUMBER:
            return value + 1 if isinstance(value, int) else 7
        case Kind.TEXTS:
            assert value is None or isinstance(value, tuple)
            return (*(value or ()), "new <1>")
        case Kind.DEPENDENCIES:
            return ((("a.b.c", "a.b.d"), ("a.b.e",)), (("a.b.f",),))
        case Kind.PARTS:
            return ({"question": {"en": "\t“?”"}, "answer": {"en": "!"}},) if field.key == "faq" else ((({"type": "website"},),),)
        case _ if field.key == "id":
            return f"{value}-renamed"
        case _:
            return f'{value or ""}\n\t<&> "new" ]]>'


def check_edit(document: Document, key: str, value: Value) -> None:
    """Make an edit, and check what became of values and bytes."""
    path, where = document.path, f"{document.path}: {key} = {value!r}"
    after = document.edited({key: value})
    if key.endswith("@revocation.revocation"):
        return  # without the flag it is an attribute like others, without identifier: neither side calls it by the same name
    check_values(document, after, key, value, where)
    assert read(path, after.content) == plain(path, after.values), where
    if value is not None or not is_repeated(document, key):  # of repeated elements all go
        assert_only_element_changed(path, document.content, after, key, where)
    check_way_back(document, after, key, where)


def is_repeated(document: Document, key: str) -> bool:
    """Whether several elements at the root say a field, as two do in published files."""
    place = document.place(key)
    outer = place.field.source.partition("/")[0]
    return bool(document.kind.root and not place.object_key and len(list(parse_xml(document.content, document.path).all(outer))) > 1)


def check_values(before: Document, after: Document, key: str, value: Value, where: str) -> None:
    place = before.place(key)
    expected = dict(before.values)
    if value is None or (before.kind.root and (value == () or (value is False and place.field.source.startswith("@")))):
        expected.pop(key, None)
        if isinstance(place.field, Group):
            expected[key] = ()
    else:
        expected[key] = value
    if isinstance(place.field, Group):
        old, new = before.values.get(key, ()), expected[key]
        assert isinstance(old, tuple)
        assert isinstance(new, tuple)
        for member in set(old) - set(new):
            expected = {name: said for name, said in expected.items() if not name.startswith(f"{key}.{member}.")}
        if NEW_OBJECT in new:
            expected[f"{key}.{NEW_OBJECT}.{place.field.identity}"] = NEW_OBJECT
    elif place.object_key and place.field.key == "id":
        # The object is called by its new name.
        group, _, name = key.removesuffix(".id").rpartition(".")
        new_name = str(value).rpartition(".")[2]
        expected = {said.replace(f"{group}.{name}.", f"{group}.{new_name}.", 1): told for said, told in expected.items()}
        order = expected[group]
        assert isinstance(order, tuple)
        expected[group] = tuple(new_name if member == name else member for member in order)
    assert dict(after.values) == expected, where


def check_way_back(before: Document, after: Document, key: str, where: str) -> None:
    """Changing back gives what was there, where it was written as it is written here."""
    value, place = before.values.get(key), before.place(key)
    if place.object_key and place.field.key == "id":
        return
    if isinstance(place.field, Group):
        restored = len(str(value)) < len(str(after.values[key]))
        chain = spans(before.path, before.content, key)
        if restored and chain[-1].is_filled:
            assert after.edited({key: value}).content == before.content, where
        return
    back = after.edited({key: value})
    chain = spans(before.path, before.content, key)
    if value is None:
        # An emptied text that has to be there stays as an element around nothing.
        is_there = any(name.startswith(key.removesuffix(place.language)) for name in before.values)
        is_restored = chain[-1].is_filled and (is_there or not place.field.required)
    elif key not in after.values or place.field.kind in (Kind.DEPENDENCIES, Kind.PARTS):
        is_restored = False  # it stands elsewhere, or in another layout
    elif value is False and place.field.source.startswith("@"):
        is_restored = False  # it is said by the attribute's absence
    elif place.field.kind is Kind.TEXTS:
        is_restored = chain[-1].is_filled
    else:
        is_restored = written(before, place.field, value) in before.content[chain[-1].start : chain[-1].end]
    if is_restored:
        assert back.content == before.content, where
    elif value is not None:
        assert plain(back.path, back.values) == plain(before.path, before.values), where


def written(document: Document, field: Field, value: Value) -> bytes:
    """A value as the published schemes write it."""
    if not document.kind.root:
        return json.dumps(value, ensure_ascii=False).encode()
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (f'{field.source[1:]}="{text}"' if field.source.startswith("@") else f">{text}</").encode()

"""Cases of bringing two versions together, each with what it comes to."""

import pytest

from idemix.scheme.documents import Document, Value
from idemix.scheme.merge import Conflict, Side, merge_document, merge_versions

ISSUER = "Library/description.xml"
TYPE = "Library/Issues/card/description.xml"
JSON = "requestors.json"


def attributes(*names: str, **texts: str) -> str:
    inside = {name: f"><Name><en>{text}</en></Name></Attribute>" for name, text in texts.items()}
    parts = "".join(f'<Attribute id="{name}"{inside.get(name, "/>")}' for name in names)
    return f"<IssueSpecification><Attributes>{parts}</Attributes></IssueSpecification>"


#: label → path, base, mine, theirs, merged without decision, key of each conflict with what base, mine and theirs say
CASES: dict[str, tuple[str, str, str, str, str, dict[str, tuple[Value, Value, Value]]]] = {
    "two fields": (
        ISSUER,
        "<Issuer><ID>a</ID><Name><en>A</en></Name></Issuer>",
        "<Issuer><ID>a</ID><Name><en>B</en></Name></Issuer>",
        "<Issuer><ID>a</ID><Name><en>A</en><nl>N</nl></Name></Issuer>",
        "<Issuer><ID>a</ID><Name><en>B</en><nl>N</nl></Name></Issuer>",
        {},
    ),
    "one field": (
        ISSUER,
        "<Issuer><Name><en>A</en></Name></Issuer>",
        "<Issuer><Name><en>B</en></Name></Issuer>",
        "<Issuer><Name><en>C</en></Name></Issuer>",
        "<Issuer><Name><en>C</en></Name></Issuer>",
        {"name.en": ("A", "B", "C")},
    ),
    "one field, alike": (
        ISSUER,
        "<Issuer><Name><en>A</en></Name></Issuer>",
        "<Issuer><Name><en>B</en></Name></Issuer>",
        "<Issuer><Name><en>B</en></Name></Issuer>",
        "<Issuer><Name><en>B</en></Name></Issuer>",
        {},
    ),
    "a field removed and changed": (
        ISSUER,
        "<Issuer><ContactEMail>a</ContactEMail></Issuer>",
        "<Issuer></Issuer>",
        "<Issuer><ContactEMail>b</ContactEMail></Issuer>",
        "<Issuer><ContactEMail>b</ContactEMail></Issuer>",
        {"contact_email": ("a", None, "b")},
    ),
    "both add other attributes": (
        TYPE,
        attributes("a"),
        attributes("a", "mine"),
        attributes("a", "theirs"),
        attributes("a", "theirs", "mine"),
        {},
    ),
    "both add the same attribute": (
        TYPE,
        attributes("a"),
        attributes("a", "b", b="M"),
        attributes("a", "b", b="T"),
        attributes("a", "b", b="T"),
        {"attributes.b.name.en": (None, "M", "T")},
    ),
    "one adds, one removes": (TYPE, attributes("a", "b"), attributes("b"), attributes("a", "b", "c"), attributes("b", "c"), {}),
    "one adds, one moves": (
        TYPE,
        attributes("a", "b"),
        attributes("b", "a", "mine"),
        attributes("a", "b", "c"),
        attributes("b", "a", "c", "mine"),
        {},
    ),
    "theirs move, mine adds": (
        TYPE,
        attributes("a", "b"),
        attributes("a", "b", "mine"),
        attributes("b", "a"),
        attributes("b", "a", "mine"),
        {},
    ),
    "both move, and mine adds": (
        TYPE,
        attributes("a", "b", "c"),
        attributes("b", "a", "c", "mine"),
        attributes("a", "c", "b"),
        attributes("a", "c", "b", "mine"),
        {"attributes": (("a", "b", "c"), ("b", "a", "c", "mine"), ("a", "c", "b"))},
    ),
    "mine removes what theirs change: it stays in its place": (
        TYPE,
        attributes("a", "b", "c"),
        attributes("a", "c"),
        attributes("a", "b", "c", b="T"),
        attributes("a", "b", "c", b="T"),
        {"attributes.b": (True, False, True)},
    ),
    "theirs remove what mine changes": (
        TYPE,
        attributes("a", "b", "c"),
        attributes("a", "b", "c", b="M", a="A"),
        attributes("a", "c", "d"),
        attributes("a", "c", "d", a="A"),
        {"attributes.b": (True, True, False)},
    ),
    "a comment here, a field there": (
        ISSUER,
        "<Issuer><ID>a</ID></Issuer>",
        "<Issuer><!-- note --><ID>a</ID></Issuer>",
        "<Issuer><ID>b</ID></Issuer>",
        "<Issuer><!-- note --><ID>b</ID></Issuer>",
        {},
    ),
    "two comments": (
        ISSUER,
        "<Issuer><ID>a</ID></Issuer>",
        "<Issuer><!-- mine --><ID>a</ID></Issuer>",
        "<Issuer><!-- theirs --><ID>a</ID></Issuer>",
        "<Issuer><!-- theirs --><ID>a</ID></Issuer>",
        {"": (True, True, True)},
    ),
    "requestors and wizards": (
        JSON,
        '[{"id":"s.a","wizards":{"s.a.v":{"id":"s.a.v"}}},{"id":"s.b"}]',
        '[{"id":"s.a","wizards":{"s.a.v":{"id":"s.a.v"}, "s.a.w":{"id": "s.a.w"}}},{"id":"s.b"}]',
        '[{"id":"s.a","wizards":{"s.a.v":{"id":"s.a.v","color":"#FFF"}}},{"id":"s.b"}, {"id": "s.c"}]',
        '[{"id":"s.a","wizards":{"s.a.v":{"id":"s.a.v","color":"#FFF"}, "s.a.w":{"id": "s.a.w"}}},{"id":"s.b"}, {"id": "s.c"}]',
        {},
    ),
    "a requestor removed and its wizard changed is one conflict": (
        JSON,
        '[{"id":"s.a","wizards":{"s.a.v":{"id":"s.a.v"}}},{"id":"s.b"}]',
        '[{"id":"s.b"}]',
        '[{"id":"s.a","wizards":{"s.a.v":{"id":"s.a.v","color":"#FFF"}}},{"id":"s.b"}]',
        '[{"id":"s.a","wizards":{"s.a.v":{"id":"s.a.v","color":"#FFF"}}},{"id":"s.b"}]',
        {"requestors.a": (True, False, True)},
    ),
    "lists are one value": (
        JSON,
        '[{"id":"s.a","hostnames":["a"]}]',
        '[{"id":"s.a","hostnames":["a", "b"]}]',
        '[{"id":"s.a","hostnames":["a", "c"]}]',
        '[{"id":"s.a","hostnames":["a", "c"]}]',
        {"requestors.a.hostnames": (("a",), ("a", "b"), ("a", "c"))},
    ),
    "what cannot be read": (ISSUER, "<Issuer/>", "<Issuer>", "<Issuer></Issuer>", "<Issuer></Issuer>", {"": (True, True, True)}),
    "what is not written": (
        ISSUER,
        "<Issuer><ID>a</ID></Issuer>",
        "<Issuer><ID>a</ID><Name><pt_BR>x</pt_BR></Name></Issuer>",
        "<Issuer><ID>b</ID></Issuer>",
        "<Issuer><ID>b</ID></Issuer>",
        {"": (True, True, True)},
    ),
    "no document": ("README.md", "a", "b", "c", "c", {"": (True, True, True)}),
}


@pytest.mark.parametrize("label", CASES)
def test_cases(label: str) -> None:
    path, base, mine, theirs, wanted, told = CASES[label]
    files = [{path: content.encode()} for content in (base, mine, theirs)]
    merged, conflicts = merge_versions(files[0], files[1], files[2])
    assert merged[path].decode() == wanted
    assert conflicts == tuple(Conflict(path, key, *values) for key, values in told.items())


#: label → case of above, key, decision, what it comes to
DECISIONS: dict[str, tuple[str, str, "Side | Value", str]] = {
    "my text": ("one field", "name.en", Side.MINE, "<Issuer><Name><en>B</en></Name></Issuer>"),
    "their text": ("one field", "name.en", Side.THEIRS, "<Issuer><Name><en>C</en></Name></Issuer>"),
    "another text": ("one field", "name.en", "D", "<Issuer><Name><en>D</en></Name></Issuer>"),
    "no text": ("a field removed and changed", "contact_email", Side.MINE, "<Issuer></Issuer>"),
    "my order, with nothing lost": ("both move, and mine adds", "attributes", Side.MINE, attributes("b", "a", "c", "mine")),
    "my removal": ("mine removes what theirs change: it stays in its place", "attributes.b", Side.MINE, attributes("a", "c")),
    "my change, in its place": ("theirs remove what mine changes", "attributes.b", Side.MINE, attributes("a", "b", "c", "d", a="A", b="M")),
    "my file": ("two comments", "", Side.MINE, "<Issuer><!-- mine --><ID>a</ID></Issuer>"),
    "my file that is no document": ("no document", "", Side.MINE, "b"),
    "my requestor": ("a requestor removed and its wizard changed is one conflict", "requestors.a", Side.MINE, '[{"id":"s.b"}]'),
}


@pytest.mark.parametrize("label", DECISIONS)
def test_decisions(label: str) -> None:
    case, key, decision, wanted = DECISIONS[label]
    path, *contents = CASES[case][:4]
    files = [{path: content.encode()} for content in contents]
    merged, conflicts = merge_versions(files[0], files[1], files[2], {(path, key): decision})
    assert (merged[path].decode(), conflicts) == (wanted, ())


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "merged", "conflict"),
    [
        (None, "m", None, "m", None),
        (None, None, "t", "t", None),
        (None, "m", "m", "m", None),
        (None, "m", "t", "t", (False, True, True)),
        ("b", None, "b", None, None),
        ("b", "b", None, None, None),
        ("b", None, None, None, None),
        ("b", None, "t", "t", (True, False, True)),
        ("b", "m", None, None, (True, True, False)),
    ],
)
def test_files_that_come_and_go(
    base: str | None, mine: str | None, theirs: str | None, merged: str | None, conflict: tuple[bool, bool, bool] | None
) -> None:
    files = [{"a.txt": content.encode()} if content is not None else {} for content in (base, mine, theirs)]
    found, conflicts = merge_versions(files[0], files[1], files[2])
    assert found == ({} if merged is None else {"a.txt": merged.encode()})
    assert conflicts == (() if conflict is None else (Conflict("a.txt", "", *conflict),))
    decided, left = merge_versions(files[0], files[1], files[2], {("a.txt", ""): Side.MINE})
    assert left == ()
    if conflict is not None:
        assert decided == files[1]


def test_a_document_with_itself() -> None:
    document = Document(TYPE, attributes("a").encode())
    assert merge_document(document, document, document) == (document, ())

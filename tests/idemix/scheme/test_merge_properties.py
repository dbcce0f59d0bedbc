"""Properties of bringing two versions together."""

from collections.abc import Mapping

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from idemix.scheme.diff import DERIVED
from idemix.scheme.documents import Document, Group, Value, Values, find_place
from idemix.scheme.merge import Conflict, Side, merge_document, merge_versions
from tests.support.odd_documents import edits, odd_json, odd_xml

#: Comments behind the root element: what no field tells.
MARKS = (b"", b"", b"<!-- mine -->", b"<!-- theirs -->")

few = settings(max_examples=80, suppress_health_check=list(HealthCheck))


@st.composite
def sides(draw: st.DrawFn) -> tuple[Document, Document, Document]:
    """A document and two that were made of it."""
    base = draw(odd_xml() | odd_json())
    return base, *(marked(base.edited(draw(edits(base))), draw(st.sampled_from(MARKS))) for _ in range(2))  # type: ignore[return-value]


def marked(document: Document, mark: bytes) -> Document:
    return Document(document.path, document.content + mark) if document.kind.root else document


@few
@given(sides())
def test_an_unchanged_side_gives_the_other(case: tuple[Document, Document, Document]) -> None:
    base, mine, theirs = case
    for one, other, wanted in ((base, theirs, theirs), (mine, base, mine), (mine, mine, mine)):
        merged, conflicts = merge_document(base, one, other)
        assert merged.content == wanted.content
        assert conflicts == ()


@few
@given(sides())
def test_no_word_is_lost(case: tuple[Document, Document, Document]) -> None:
    base, mine, theirs = case
    merged, conflicts = merge_document(base, mine, theirs)
    note(f"{base.content!r}\n{mine.content!r}\n{theirs.content!r}\n{merged.content!r}\n{conflicts}")
    for side, told in ((mine, lambda conflict: conflict.mine), (theirs, lambda conflict: conflict.theirs)):
        for key, value in side.values.items():
            if value == base.values.get(key) or merged.values.get(key) == value:
                continue
            if isinstance(side.place(key).field, Group):
                check_order(base, side, merged, conflicts, key)
            else:
                assert any(is_about(conflict, key) and told(conflict) is not None for conflict in conflicts), key
    for key, value in base.values.items():
        if key in mine.values and key in theirs.values and key not in merged.values:
            assert value in (False, ()) or any(is_about(conflict, key) for conflict in conflicts), key


def check_order(base: Document, side: Document, merged: Document, conflicts: tuple[Conflict, ...], key: str) -> None:
    """What a side added to a group is there, whatever became of its order."""
    for name in set(keys(side, key)) - set(keys(base, key)) - set(keys(merged, key)):
        assert any(is_about(conflict, f"{key}.{name}") for conflict in conflicts), (key, name)


def keys(document: Document, key: str) -> tuple[Value, ...]:
    value = document.values.get(key)
    return value if isinstance(value, tuple) else ()


def is_about(conflict: Conflict, key: str) -> bool:
    return not conflict.key or key == conflict.key or key.startswith(f"{conflict.key}.")


@few
@given(sides())
def test_the_sides_are_alike(case: tuple[Document, Document, Document]) -> None:
    base, mine, theirs = case
    merged, conflicts = merge_document(base, mine, theirs)
    other, turned = merge_document(base, theirs, mine)
    note(f"{base.content!r}\n{mine.content!r}\n{theirs.content!r}\n{merged.content!r}\n{other.content!r}")
    # Whether an order is in dispute may hang on which side's word counts for an object that one side removed.
    loose = {found.key.rpartition(".")[0] for found in conflicts if find_place(base.kind, found.key) is None}
    told = {(found.key, found.mine, found.theirs) for found in conflicts if found.key not in loose}
    assert told == {(found.key, found.theirs, found.mine) for found in turned if found.key not in loose}
    assert without(merged, conflicts) == without(other, conflicts)


def without(document: Document, conflicts: tuple[Conflict, ...]) -> Mapping[str, Value]:
    """The values that are no matter of dispute, groups as sets."""
    values: dict[str, object] = {}
    for key, value in document.values.items():
        inner = next((found.key for found in conflicts if found.key.startswith(f"{key}.") and isinstance(value, tuple)), None)
        if any(is_about(found, key) for found in conflicts) or inner:
            continue
        values[key] = frozenset(value) if isinstance(document.place(key).field, Group) and isinstance(value, tuple) else value
    return values  # type: ignore[return-value]


@few
@given(sides())
def test_decisions_are_honoured(case: tuple[Document, Document, Document]) -> None:
    base, mine, theirs = case
    _, conflicts = merge_document(base, mine, theirs)
    for side, of in ((Side.MINE, mine), (Side.THEIRS, theirs)):
        merged, left = merge_document(base, mine, theirs, {(found.path, found.key): side for found in conflicts})
        note(f"{base.content!r}\n{mine.content!r}\n{theirs.content!r}\n{merged.content!r}\n{conflicts}")
        assert left == ()
        for found in conflicts:
            place = find_place(base.kind, found.key)
            if not found.key:
                assert merged.content == of.content
            elif place is None:  # an object
                group, _, name = found.key.rpartition(".")
                assert (name in keys(merged, group)) == (name in keys(of, group))
                assert inside(merged, found.key) == inside(of, found.key)
            elif not isinstance(place.field, Group):
                assert (merged.values.get(found.key) or None) == (of.values.get(found.key) or None)


def inside(document: Document, name: str) -> Values:
    return {key: value for key, value in document.values.items() if key.startswith(f"{name}.")}


@few
@given(sides(), st.sampled_from((b"", b"x")), st.sampled_from((b"", b"y")))
def test_versions_file_by_file(case: tuple[Document, Document, Document], mine_more: bytes, theirs_more: bytes) -> None:
    base, mine, theirs = case
    files = [{side.path: side.content, "README.md": b"r", "index": b"i", "kss-0.pem": b"k"} for side in case]
    files[1] |= {"README.md": b"r" + mine_more, "mine.txt": b"", "index": b"m"}
    files[2] |= {"README.md": b"r" + theirs_more, "theirs.txt": b"", "index": b"t"}
    del files[2]["kss-0.pem"]
    merged, conflicts = merge_versions(*files)
    document, inner = merge_document(base, mine, theirs)
    assert merged[base.path] == document.content
    assert merged.keys() == {base.path, "README.md", "index", "mine.txt", "theirs.txt"}
    assert merged["index"] == b"t"
    assert merged["README.md"] == (b"r" + theirs_more if theirs_more else b"r" + mine_more)
    expected = [*inner, *([Conflict("README.md", "", True, True, True)] if mine_more and theirs_more else [])]
    assert sorted(map(repr, conflicts)) == sorted(map(repr, expected))
    assert not DERIVED & {found.path for found in conflicts}

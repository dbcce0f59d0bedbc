"""Properties of documents in the oddest forms that XML and JSON allow."""

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from idemix.scheme.documents import Document, Group, Value, Values
from tests.support.documents import assert_only_element_changed, plain, read
from tests.support.odd_documents import edits, odd_json, odd_xml

few = settings(max_examples=30, suppress_health_check=list(HealthCheck))
documents = odd_xml() | odd_json()
#: Elements and members repeated, names in other cases, keys that escape letters.
repeating = odd_xml(repeats=True) | odd_json(repeats=True)


@few
@given(documents | repeating)
def test_nothing_edited_is_nothing_changed(document: Document) -> None:
    assert document.edited(document.values).content == document.content
    assert bytes(document._open()[0]) == document.content


@few
@given(documents)
def test_both_readers_read_the_same(document: Document) -> None:
    assert plain(document.path, document.values) == read(document.path, document.content)


@few
@given((documents | repeating).flatmap(lambda document: st.tuples(st.just(document), edits(document))))
def test_what_was_edited_reads_back_and_the_rest_is_as_it_was(case: tuple[Document, Values]) -> None:
    document, changes = case
    note(f"{changes}\n{document.content!r}")
    after = document.edited(changes)
    assert said(after.values) == said(expected(document, changes))
    assert after.edited(changes).content == after.content


@few
@given(documents.flatmap(lambda document: st.tuples(st.just(document), edits(document, most=1))))
def test_one_edit_changes_one_element(case: tuple[Document, Values]) -> None:
    document, changes = case
    note(f"{changes}\n{document.content!r}")
    after = document.edited(changes)
    assert plain(after.path, after.values) == read(after.path, after.content)
    key, value = next(iter(changes.items()), ("", None))
    place = document.place(key) if key else None
    if place is None or after.content == document.content or (isinstance(place.field, Group) and is_moved(document, key, value)):
        return
    assert_only_element_changed(document.path, document.content, after, key, repr(changes))


_ASIDE = re.compile(rb"<!--.*?-->|<\?.*?\?>|<(x:)?zz[\s>].*?</(x:)?zz\s*>", re.DOTALL)


@pytest.mark.feature("A2")
@few
@given(odd_xml().flatmap(lambda document: st.tuples(st.just(document), edits(document))))
def test_comments_and_unknown_elements_stay(case: tuple[Document, Values]) -> None:
    document, changes = case
    note(f"{changes}\n{document.content!r}")
    kept = {key: value for key, value in changes.items() if value is not None and value != () and key != "dependencies"}
    if "attributes" in kept:
        order, before = kept["attributes"], document.values.get("attributes", ())
        assert isinstance(order, tuple)
        assert isinstance(before, tuple)
        kept["attributes"] = (*order, *(key for key in before if key not in order))
    after = document.edited(kept)
    lost = asides(document) - asides(after)
    assert not lost


def asides(document: Document) -> "Counter[bytes]":
    return Counter(found[0] for found in _ASIDE.finditer(document.content))


def expected(document: Document, changes: Values) -> Values:
    values = {**document.values, **changes}
    for key in list(values):
        place = document.place(key)
        if key in values and isinstance(place.field, Group):
            order = values[key] or ()
            assert isinstance(order, tuple)
            for name in order:
                if f"{key}.{name}.{place.field.identity}" not in values and not str(name).startswith("@"):
                    values[f"{key}.{name}.{place.field.identity}"] = name
            inside = [name for name in values if name.startswith(f"{key}.")]
            for name in inside:
                if name[len(key) + 1 :].partition(".")[0] not in order:
                    del values[name]
    return values


def said(values: "dict[str, Value] | Values") -> Values:
    """Values without those that say what an absent field says."""
    return {key: value for key, value in values.items() if value not in (None, False, ())}


def is_moved(document: Document, key: str, value: Value) -> bool:
    before = document.values.get(key, ())
    return isinstance(value, tuple) and isinstance(before, tuple) and sorted(map(str, value)) == sorted(map(str, before))

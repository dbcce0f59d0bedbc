"""Every field of every kind of document has its place, its label and its help in a form."""

from collections import Counter
from collections.abc import Iterator

import pytest

from console.drafts.layout import LAYOUTS, Control, FieldText, layout
from idemix.scheme.documents import CREDENTIAL_TYPE, ISSUER, REQUESTOR_SCHEME, REQUESTORS, SCHEME, DocumentKind, Field, Group, Kind

KINDS = (SCHEME, ISSUER, CREDENTIAL_TYPE, REQUESTOR_SCHEME, REQUESTORS)

#: The controls that can write what a field of a kind holds.
CONTROLS = {
    Kind.TEXT: {Control.LINE, Control.TEXT, Control.HINT},
    Kind.TRANSLATED: {Control.LINE, Control.TEXT},
    Kind.FLAG: {Control.CHECK},
    Kind.NUMBER: {Control.NUMBER, Control.DATE},
    Kind.TEXTS: {Control.LIST},
    Kind.DEPENDENCIES: {Control.DEPENDENCIES},
    Kind.PARTS: {Control.PARTS},
}


def fields(parts: tuple[Field | Group, ...], group: str = "") -> Iterator[tuple[str, Field]]:
    """Every field with the group that its objects stand in, empty for the document's own."""
    for part in parts:
        if isinstance(part, Group):
            yield from fields(part.fields, part.key)
        else:
            yield group, part


def texts(kind: DocumentKind) -> Iterator[tuple[str, FieldText]]:
    """Every field of a form with its group."""
    found = layout(kind)
    for section in found.sections:
        yield from (("", text) for text in section.fields)
    for group, inside in found.groups.items():
        yield from ((group, text) for text in inside)


@pytest.fixture(params=KINDS, ids=[kind.name for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> DocumentKind:
    """Each kind of document."""
    found: DocumentKind = request.param
    return found


def test_every_kind_of_document_has_a_form() -> None:
    assert set(LAYOUTS) == {kind.name for kind in KINDS}


@pytest.mark.feature("A1.1")
def test_every_field_has_one_place_in_its_form_and_the_form_nothing_else(kind: DocumentKind) -> None:
    places = Counter((group, text.key) for group, text in texts(kind))
    assert places == Counter((group, field.key) for group, field in fields(kind.fields))


@pytest.mark.feature("A1.1")
def test_every_field_has_a_label_a_help_text_and_a_control_that_can_write_it(kind: DocumentKind) -> None:
    written = {(group, field.key): field for group, field in fields(kind.fields)}
    for group, text in texts(kind):
        assert str(text.label).strip(), text.key
        assert str(text.help).endswith("."), text.key
        assert text.control in CONTROLS[written[group, text.key].kind], text.key


def test_no_two_fields_of_one_list_have_one_label(kind: DocumentKind) -> None:
    labels = Counter((group, str(text.label)) for group, text in texts(kind))
    assert [label for label, count in labels.items() if count > 1] == []


def test_a_field_is_found_by_its_whole_key() -> None:
    form = layout(REQUESTORS)
    requestor, wizard = dict(texts_of("requestors")), dict(texts_of("wizards"))
    assert form.find("requestors.a.name.en") is requestor["name"]
    assert form.find("requestors.a.wizards.b.title.nl") is wizard["title"]
    assert form.find("requestors.a.wizards.b.languages") is wizard["languages"]
    assert form.find("requestors.a.wizards.b") is None
    assert form.find("requestors") is None
    assert layout(CREDENTIAL_TYPE).find("attributes.a.name.en") is not layout(CREDENTIAL_TYPE).find("name.en")


def texts_of(group: str) -> Iterator[tuple[str, FieldText]]:
    """The fields of a group of a list of requestors, by key."""
    yield from ((text.key, text) for text in layout(REQUESTORS).groups[group])

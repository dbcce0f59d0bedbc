"""Forms of documents: opening and saving one as a browser does changes nothing, and each control changes its own field only."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_babel import Babel
from flask_wtf import CSRFProtect

from console.drafts.forms import FormPlan, document_form, plan, posted_changes
from console.drafts.layout import Control
from console.drafts.models import DocumentView
from console.drafts.service import document_languages
from console.schemes.models import DraftInfo
from idemix.scheme.documents import Document, Kind, document_kind
from tests.support.shared import shared

DRAFT = DraftInfo("scheme", "draft", "Draft", "noor", datetime(2026, 1, 1, tzinfo=UTC), "0" * 40, None, "0" * 40, False)
SCHEMES = (
    ("irma-demo",),
    ("pbdf",),
    ("mutant-base", "irma-demo"),
    ("mutant-base", "demo-requestors"),
    *(("testdata", "irma_configuration", name) for name in ("irma-demo", "test", "test2", "test-requestors")),
    *(("testdata", "irma_configuration_updated", name) for name in ("irma-demo", "test-requestors")),
)


@pytest.fixture(scope="module")
def app() -> Flask:
    """An application that knows just enough for forms."""
    made = Flask("forms")
    made.config.update(SECRET_KEY="for tests", WTF_CSRF_ENABLED=False)
    Babel(made)
    CSRFProtect(made)
    return made


def documents(folder: Path) -> Iterator[Document]:
    """Every editable file of a scheme."""
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder).as_posix()
        if file.is_file() and document_kind(path) is not None:
            yield Document(path, file.read_bytes())


def view(document: Document, published: Document | None = None) -> DocumentView:
    """A document as a form shows it."""
    before = None if published is None else published.values
    return DocumentView(
        DRAFT, document.path, document.kind, "scheme.x", document.values, before, document_languages(document, ()), False, False
    )


def browser_values(app: Flask, shown: DocumentView) -> dict[str, str]:
    """What a browser sends of an untouched form: what the page holds, with the line ends of a browser."""
    sent = {"seen": shown.draft.head}
    with app.test_request_context():
        form, found = document_form(shown)
        for item in found:
            if item.lock is not None:
                continue
            markup = str(form[item.key]())
            if item.text.control is Control.CHECK:
                if " checked" in markup:
                    sent[item.key] = "y"
            elif markup.startswith("<textarea"):
                text = unescape(markup[markup.index(">") + 1 : markup.rindex("</textarea>")])
                # A browser drops the first line end of a text area.
                text = text.removeprefix("\r\n") if text.startswith("\r\n") else text.removeprefix("\n")
                sent[item.key] = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
            elif markup.startswith("<select"):
                chosen = re.search(r'<option selected value="([^"]*)"', markup)
                assert chosen is not None, markup
                sent[item.key] = unescape(chosen[1])
            else:
                value = re.search(r'value="([^"]*)"', markup)
                sent[item.key] = unescape(value[1] if value else "").replace("\n", "").replace("\r", "")
    return sent


def changes_of(app: Flask, shown: DocumentView, sent: dict[str, str]) -> dict[str, Any]:
    """What a form that was sent changes."""
    with app.test_request_context(method="POST", data=sent):
        form, found = document_form(shown)
        changes, errors = posted_changes(form, found)
    assert errors == {}
    return changes


@pytest.mark.feature("A1.2")
@pytest.mark.parametrize("folder", SCHEMES, ids="/".join)
def test_opening_and_saving_a_form_changes_nothing(app: Flask, folder: tuple[str, ...]) -> None:
    seen = 0
    for document in documents(shared("schemes", *folder)):
        for published in (None, document):
            shown = view(document, published)
            assert changes_of(app, shown, browser_values(app, shown)) == {}, document.path
        seen += 1
    assert seen


def other(item: Any, sent: str) -> str:
    """Another value that a control can hold."""
    control = item.text.control
    return {
        Control.NUMBER: "7" if sent != "7" else "8",
        Control.DATE: "2031-05-06",
        Control.LIST: f"{sent}\r\nxx",
        Control.DEPENDENCIES: "a.b.c | a.b.d + a.b.e\r\na.b.f",
        Control.HINT: "yesno" if sent != "yesno" else "portraitPhoto",
        Control.PARTS: "[]" if sent != "[]" else '[{"question": {"en": "?"}, "answer": {"en": "!"}}]',
    }.get(control, f"{sent} & more")


@pytest.mark.feature("A1.1")
@pytest.mark.parametrize(
    ("folder", "path"),
    [
        (("pbdf",), "description.xml"),
        (("pbdf",), "pbdf/description.xml"),
        (("irma-demo",), "RU/Issues/studentCard/description.xml"),
        (("testdata", "irma_configuration", "irma-demo"), "MijnOverheid/Issues/fullName/description.xml"),
        (("mutant-base", "demo-requestors"), "description.json"),
        (("mutant-base", "demo-requestors"), "requestors.json"),
    ],
)
def test_every_control_changes_its_field_and_nothing_else(app: Flask, folder: tuple[str, ...], path: str) -> None:
    document = Document(path, shared("schemes", *folder, path).read_bytes())
    shown = view(document)
    sent = browser_values(app, shown)
    with app.test_request_context():
        controls: FormPlan = plan(shown)
    for item in controls:
        if item.lock is not None:
            continue
        changed = dict(sent)
        if item.text.control is Control.CHECK:
            if item.key in changed:
                del changed[item.key]
            else:
                changed[item.key] = "y"
        else:
            changed[item.key] = other(item, sent[item.key])
        changes = changes_of(app, shown, changed)
        assert set(changes) == {item.key}
        edited = document.edited(changes)
        if item.field.key not in ("id", "revocation"):  # these name the object itself
            assert {key for key in {*edited.values, *document.values} if edited.values.get(key) != document.values.get(key)} <= {item.key}
        if item.field.kind is not Kind.FLAG:
            assert edited.content != document.content, item.key


def test_what_is_no_value_of_its_field_is_told_and_the_rest_is_read(app: Flask) -> None:
    document = Document(
        "RU/Issues/studentCard/description.xml", shared("schemes", "irma-demo", "RU/Issues/studentCard/description.xml").read_bytes()
    )
    shown = view(document)
    sent = browser_values(app, shown) | {"revocation_update_count": "many", "deprecated_since": "soon", "name.en": "Other"}
    with app.test_request_context(method="POST", data=sent):
        form, found = document_form(shown)
        changes, errors = posted_changes(form, found)
    assert changes == {"name.en": "Other"}
    assert errors == {"revocation_update_count": "must be a whole number", "deprecated_since": "must be a date"}


def test_what_a_form_did_not_send_is_no_change(app: Flask) -> None:
    document = Document("RU/description.xml", shared("schemes", "irma-demo", "RU/description.xml").read_bytes())
    assert changes_of(app, view(document), {"name.en": "Only this"}) == {"name.en": "Only this"}

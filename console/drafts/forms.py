"""The form of a document: made from the table of its fields, and read back as changes.

A field that comes back as it was shown is no change, whatever a browser does to line ends; so opening and saving changes nothing.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from flask import request
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, DateField, FileField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.fields.core import UnboundField
from wtforms.validators import Optional

from console.drafts.layout import HINTS, Control, FieldText, Section, layout
from console.drafts.models import DocumentView, Lock
from console.drafts.service import lock_of
from console.forms import Form
from gateway.inputs import Message
from idemix.scheme.documents import Field, Group, Kind, Value, Values, find_place, value_of

_PLAIN: Final = {"spellcheck": "false", "autocapitalize": "none"}
_MULTILINE: Final = frozenset({Control.TEXT, Control.LIST, Control.DEPENDENCIES, Control.PARTS})


class NewIssuerForm(Form):
    """A new issuer; everything else is filled in its own form."""

    id = StringField(_l("Identifier"), render_kw=_PLAIN)
    logo = FileField(_l("Logo"), render_kw={"accept": "image/png"})


class NewCredentialTypeForm(NewIssuerForm):
    """A new credential type, with its first attribute."""

    attribute = StringField(_l("Identifier of the attribute"), render_kw=_PLAIN)


class LogoForm(Form):
    """A picture to put beside a document."""

    logo = FileField(_l("Logo"), render_kw={"accept": "image/png"})


@dataclass(frozen=True, slots=True)
class FormField:
    """One control of a form.

    Attributes:
        key: the field of the document; also the name of the control.
        text: label, help and control.
        field: what the document can hold there.
        language: of a translated field; else empty.
        lock: why it cannot change; None where it can.
        shown: what the control shows at first.
    """

    key: str
    text: FieldText
    field: Field
    language: str
    lock: Lock | None
    shown: Any


@dataclass(frozen=True, slots=True)
class FormObject:
    """An object of a group in a form, such as an attribute.

    Attributes:
        group: the key of its group.
        key: its own key in the group.
        position: its place, from 0.
        is_published: whether wallets know it.
        fields: its controls, those of one translated field together.
        groups: groups inside it.
    """

    group: str
    key: str
    position: int
    is_published: bool
    fields: tuple[tuple[FormField, ...], ...]
    groups: "tuple[FormGroup, ...]"

    @property
    def prefix(self) -> str:
        """What its keys begin with, without the dot."""
        return f"{self.group}.{self.key}"


@dataclass(frozen=True, slots=True)
class FormGroup:
    """A group in a form."""

    key: str
    objects: tuple[FormObject, ...]


@dataclass(frozen=True, slots=True)
class FormSection:
    """A section of a form with its controls, those of one translated field together."""

    section: Section
    fields: tuple[tuple[FormField, ...], ...]


@dataclass(frozen=True, slots=True)
class FormPlan:
    """What a form of a document holds."""

    sections: tuple[FormSection, ...]
    groups: tuple[FormGroup, ...]

    def __iter__(self) -> Iterator[FormField]:
        for section in self.sections:
            for together in section.fields:
                yield from together
        for group in self.groups:
            yield from _group_fields(group)


def plan(view: DocumentView) -> FormPlan:
    """Lay out the form of a document."""
    found = layout(view.kind)
    sections = tuple(
        FormSection(section, tuple(_together(view, text, "", text.key) for text in section.fields)) for section in found.sections
    )
    groups = tuple(_group(view, group, group.key) for group in view.kind.fields if isinstance(group, Group))
    return FormPlan(sections, groups)


def document_form(view: DocumentView) -> tuple[Form, FormPlan]:
    """The form of a document as it was seen, filled with what it says or with what was posted."""
    found = plan(view)
    fields: dict[str, UnboundField] = {item.key: _control(item) for item in found if item.lock is None}
    kind = type("DocumentForm", (Form,), {"seen": HiddenField(), **fields})
    data = {item.key: item.shown for item in found if item.lock is None}
    return kind(data={"seen": view.draft.head, **data}), found


def posted_changes(form: Form, found: FormPlan) -> tuple[Values, dict[str, Message]]:
    """What a posted form changes, and what in it is no value of its field.

    Returns:
        Changes by key, None for what is to go; and errors by key.
    """
    changes: Values = {}
    errors: dict[str, Message] = {}
    # Of a box that is not ticked a browser sends nothing; only a whole form, which names the commit it shows, says so by its silence.
    whole = bool(request.form.get("seen"))
    for item in found:
        if item.lock is not None or (item.key not in request.form and not (whole and item.text.control is Control.CHECK)):
            continue
        posted = form[item.key].data if item.text.control is Control.CHECK else request.form[item.key].replace("\r\n", "\n")
        before = item.shown.isoformat() if isinstance(item.shown, date) else item.shown
        if posted == (before.replace("\r\n", "\n").replace("\r", "\n") if isinstance(before, str) else before or ""):
            continue
        if item.text.control is Control.CHECK and bool(posted) == bool(before):
            continue
        try:
            changes[item.key] = _parsed(item, posted)
        except ValueError as error:
            errors[item.key] = error.args[0]
    return changes, errors


def shown_values(found: FormPlan) -> dict[str, str | bool]:
    """What the controls show, for a page that is open already."""
    return {item.key: item.shown.isoformat() if isinstance(item.shown, date) else item.shown or "" for item in found if item.lock is None}


def shown(control: Control, value: Value) -> Any:
    """A value as its control shows it."""
    if control is Control.CHECK:
        return bool(value)
    if value is None:
        return None if control is Control.DATE else ""
    if control is Control.DATE and isinstance(value, int):
        try:
            return datetime.fromtimestamp(value, UTC).date()
        except (OverflowError, ValueError, OSError):
            return date.max
    if control is Control.LIST and isinstance(value, tuple):
        return "\n".join(map(str, value))
    if control is Control.DEPENDENCIES and isinstance(value, tuple):
        return "\n".join(" | ".join(" + ".join(map(str, _tuple(con))) for con in _tuple(discon)) for discon in value)
    if control is Control.PARTS:
        return json.dumps(value, ensure_ascii=False, indent=2)
    return str(value)


def _together(view: DocumentView, text: FieldText, prefix: str, key: str) -> tuple[FormField, ...]:
    """The controls of one field: one per language where it is translated."""
    place = find_place(view.kind, f"{prefix}{key}") or find_place(view.kind, f"{prefix}{key}.en")
    if place is None or not isinstance(place.field, Field):
        raise LookupError(f"{prefix}{key}: no field of {view.kind.name}")
    languages: Sequence[str] = view.languages if place.field.kind is Kind.TRANSLATED else ("",)
    found = []
    for language in languages:
        whole = f"{prefix}{key}.{language}" if language else f"{prefix}{key}"
        value = view.values.get(whole)
        control = Control.TEXT if text.control is Control.LINE and isinstance(value, str) and "\n" in value else text.control
        replaced = text if control is text.control else FieldText(text.key, text.label, text.help, control, text.asked, text.example)
        found.append(FormField(whole, replaced, place.field, language, lock_of(view, whole, view.published), shown(control, value)))
    return tuple(found)


def _group(view: DocumentView, group: Group, key: str) -> FormGroup:
    order, before = view.values.get(key), (view.published or {}).get(key)
    texts = layout(view.kind).groups[group.key]
    objects = []
    for position, name in enumerate(order if isinstance(order, tuple) else ()):
        prefix = f"{key}.{name}."
        inner = tuple(_group(view, part, f"{prefix}{part.key}") for part in group.fields if isinstance(part, Group))
        # The place on the card is chosen by moving, not by writing a number.
        fields = tuple(_together(view, text, prefix, text.key) for text in texts if text.key != "display_index")
        objects.append(FormObject(key, str(name), position, isinstance(before, tuple) and name in before, fields, inner))
    return FormGroup(key, tuple(objects))


def _group_fields(group: FormGroup) -> Iterator[FormField]:
    for item in group.objects:
        for together in item.fields:
            yield from together
        for inner in item.groups:
            yield from _group_fields(inner)


def _control(item: FormField) -> UnboundField:
    control, label = item.text.control, item.text.label
    marks = {"lang": item.language} if item.language else dict(_PLAIN)
    if item.text.example:
        marks["placeholder"] = item.text.example
    if control is Control.CHECK:
        return BooleanField(label)
    if control is Control.DATE:
        return DateField(label, [Optional()])
    if control is Control.HINT:
        # A hint that we do not know stays what it is.
        words = HINTS if item.shown in HINTS else {**HINTS, item.shown: item.shown}
        return SelectField(label, choices=[SelectChoice(value, word) for value, word in words.items()])
    if control is Control.NUMBER:
        return StringField(label, render_kw={**marks, "inputmode": "numeric"})
    if control in _MULTILINE:
        lines = 3 if control is not Control.PARTS else 12
        return TextAreaField(label, render_kw={**marks, "rows": lines})
    return StringField(label, render_kw=marks)


def _parsed(item: FormField, posted: Any) -> Value:
    """What a posted text means.

    Raises:
        ValueError: it is no value of the field; the argument is the rule.
    """
    control = item.text.control
    if control is Control.CHECK:
        return bool(posted)
    text = str(posted)
    if not text.strip() and not (item.field.required and control in (Control.LINE, Control.TEXT)):
        return None
    if control is Control.NUMBER:
        if not text.strip().lstrip("+-").isdigit() or len(text) > 30 or not text.isascii():
            raise ValueError(Message("must be a whole number"))
        return int(text)
    if control is Control.DATE:
        try:
            return int(datetime.combine(date.fromisoformat(text), time(), UTC).timestamp())
        except ValueError as error:
            raise ValueError(Message("must be a date")) from error
    if control is Control.LIST:
        return tuple(line.strip() for line in text.split("\n") if line.strip())
    if control is Control.DEPENDENCIES:
        return tuple(
            tuple(tuple(name.strip() for name in con.split("+") if name.strip()) for con in line.split("|"))
            for line in text.split("\n")
            if line.strip()
        )
    if control is Control.PARTS:
        try:
            return value_of(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise ValueError(Message("must be JSON")) from error
    return text


def _tuple(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else ()

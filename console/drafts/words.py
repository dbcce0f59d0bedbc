"""What templates say of documents, fields and values."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from flask import Flask
from flask_babel import get_locale, gettext, ngettext
from flask_babel import lazy_gettext as _l

from console.drafts.forms import FormGroup, FormObject, shown
from console.drafts.layout import HINTS, Control, layout
from console.drafts.models import DocumentView
from console.drafts.service import card_order
from console.formats import day, text_in_language
from console.schemes.models import PublicKeyView
from gateway.inputs import Message
from idemix.scheme.diff import EntityChange, EntityKind, FieldChange
from idemix.scheme.documents import REVOCATION_KEY, DocumentKind, Value, document_kind, find_place
from idemix.scheme.merge import Conflict
from idemix.scheme.restore import Kept, Reason

ENTITIES: Final = {
    EntityKind.SCHEME: _l("The scheme"),
    EntityKind.ISSUER: _l("Issuer"),
    EntityKind.CREDENTIAL_TYPE: _l("Credential type"),
    EntityKind.REQUESTORS: _l("Requestors"),
    EntityKind.PUBLIC_KEY: _l("Public key"),
    EntityKind.PRIVATE_KEY: _l("Private key"),
    EntityKind.KEYSHARE_KEY: _l("Keyshare key"),
    EntityKind.SCHEME_KEY: _l("Scheme key"),
    EntityKind.FILE: _l("Other file"),
}

#: Fields of a difference that stand in no form.
_FACTS: Final = {
    "logo": _l("Logo"),
    "digest": _l("SHA-256 of the file"),
    "fingerprint": _l("Fingerprint"),
    "bits": _l("Bits"),
    "bases": _l("Bases"),
    "expires_at": _l("Expires"),
    "revocation": _l("Revocation"),
}

_GROUPS: Final = {"attributes": _l("Attributes"), "requestors": _l("Requestors"), "wizards": _l("Wizards")}
_NEW: Final = {
    "attributes": _l("Identifier of a new attribute"),
    "requestors": _l("Identifier of a new requestor"),
    "wizards": _l("Identifier of a new wizard"),
}

REASONS: Final = {
    Reason.ADDED: _l("Added since: wallets know it, and it may not disappear."),
    Reason.OPTIONAL: _l("Made optional since: issuers that leave it out could no longer issue."),
    Reason.SINGLETON: _l("Holders may have two by now."),
    Reason.KEYS: _l("Keys stay as they are: cards are signed with them."),
    Reason.UNREADABLE: _l("The file cannot be read: the check says why."),
    Reason.OTHER: _l("It says nothing about the scheme."),
    Reason.SCHEME_KEY: _l("Wallets keep the key that they installed the scheme with."),
}

#: The rules of the engine on what a file can hold, as keys of the catalogue (idemix.scheme.documents.document.rule_of).
STORAGE_RULES: Final = (
    Message("is not a language code"),
    Message("must hold identifiers of letters, digits, - and _, each once"),
    Message("must be a whole number"),
    Message("must be a whole number, 0 or more"),
    Message("must be true or false"),
    Message("must be a list of texts"),
    Message("must be a conjunction of disjunctions of conjunctions"),
    Message("must be a text"),
    Message("holds a character that XML cannot hold"),
    Message("holds half a character"),
)


class ObjectWords:
    """What the objects of a document's groups are called."""

    def __init__(self, view: DocumentView) -> None:
        self._view = view

    def title(self, group: FormGroup) -> str:
        """The heading of a group."""
        return str(_GROUPS[group.key.rpartition(".")[2]])

    def new(self, group: FormGroup) -> str:
        """The label of the field for a new one."""
        return str(_NEW[group.key.rpartition(".")[2]])

    def name(self, item: FormObject) -> str:
        """What people read of an object."""
        texts = _texts(self._view, f"{item.prefix}.name") or _texts(self._view, f"{item.prefix}.title")
        return text_in_language(texts)

    def kind(self, item: FormObject) -> str:
        """What an attribute is, in a few words."""
        if item.group != "attributes":
            return ""
        values, prefix = self._view.values, f"{item.prefix}."
        if values.get(f"{prefix}revocation"):
            return gettext("hidden, for revocation")
        hint = values.get(f"{prefix}display_hint") or ""
        words = [str(HINTS.get(str(hint), hint))]
        if values.get(f"{prefix}optional"):
            words.append(gettext("optional"))
        if values.get(f"{prefix}random_blind"):
            words.append(gettext("random and blind"))
        return ", ".join(words)


def document_name(view: DocumentView) -> str:
    """The title of a document's page."""
    return text_in_language(_texts(view, "name")) or view.entity


def language_name(code: str) -> str:
    """`Dutch` of `nl`, in the reader's language; a code that nobody knows stays."""
    try:
        name = Locale.parse(code.replace("-", "_")).get_display_name(get_locale())
    except (UnknownLocaleError, ValueError):
        name = None
    return name or code


def key_label(key: str, kind: DocumentKind) -> str:
    """A field as people read it: `level: Name, Dutch`."""
    place = find_place(kind, key)
    found = layout(kind).find(key)
    if found is None:
        name = key.rpartition(".")[2]
        return str(_GROUPS.get(name, name))
    owner = "" if place is None or not place.object_key else f"{_owner(place.object_key)}: "
    language = f", {language_name(place.language)}" if place is not None and place.language else ""
    return f"{owner}{found.label}{language}"


def field_label(field: FieldChange, change: EntityChange) -> str:
    """The field of a difference as people read it."""
    if field.key in _FACTS:
        return str(_FACTS[field.key])
    kind = document_kind(change.entity.path)
    return field.key if kind is None else key_label(field.key, kind)


def field_language(field: FieldChange) -> str:
    """The language of a text in a difference; empty for anything else."""
    language = field.key.rpartition(".")[2]
    known = isinstance(field.before or field.after, str) and 2 <= len(language) <= 3 and language.islower() and "." in field.key
    return language if known and language not in ("id", "url", "ios") else ""


def field_value(field: FieldChange, side: str) -> str | None:
    """One side of a difference as people read it; None where it is absent."""
    return _value(field.key, field.before if side == "before" else field.after)


def conflict_label(conflict: Conflict) -> str:
    """What a conflict is about."""
    kind = document_kind(conflict.path)
    if kind is None or not conflict.key:
        return gettext("The whole file")
    return key_label(conflict.key, kind)


def conflict_value(conflict: Conflict, side: str) -> str:
    """One side of a conflict as people read it."""
    value = getattr(conflict, side)
    if isinstance(value, bool) and (not conflict.key or _is_object(conflict)):
        return gettext("it is there") if value else gettext("it is gone")
    text = _value(conflict.key, value)
    return gettext("absent") if text is None else text or gettext("empty")


def bases_sentence(view: DocumentView, keys: tuple[PublicKeyView, ...]) -> str:
    """How many attributes the newest key can sign, beside those there are."""
    order = view.values.get("attributes")
    if not isinstance(order, tuple):
        return ""
    if not keys:
        return ngettext("%(num)s, and no key yet", "%(num)s, and no key yet", len(order))
    return gettext("%(count)s of %(most)s that key %(key)s can sign", count=len(order), most=keys[0].bases - 2, key=keys[0].counter)


def kept_label(kept: Kept) -> str:
    """What stays in a restored version."""
    kind = document_kind(kept.entity.path)
    if not kept.key or kind is None:
        return str(ENTITIES[kept.entity.kind])
    name = kept.key.removeprefix("attributes.")
    return gettext("Attribute %(name)s", name=_owner(name)) if kept.reason is Reason.ADDED else key_label(kept.key, kind)


def install_draft_words(app: Flask) -> None:
    """Give the templates these words."""
    app.jinja_env.filters.update(
        bases_sentence=bases_sentence,
        conflict_label=conflict_label,
        conflict_value=conflict_value,
        document_name=document_name,
        entity_kind=lambda kind: str(ENTITIES[kind]),
        field_label=field_label,
        field_language=field_language,
        field_value=field_value,
        kept_label=kept_label,
        kept_reason=lambda reason: str(REASONS[reason]),
        key_label=key_label,
        object_words=ObjectWords,
    )
    app.jinja_env.globals["card_order"] = card_order
    app.jinja_env.tests["startswith"] = lambda text, beginning: text.startswith(beginning)


def _owner(key: str) -> str:
    return gettext("for revocation") if key == REVOCATION_KEY else key


def _is_object(conflict: Conflict) -> bool:
    kind = document_kind(conflict.path)
    return kind is not None and find_place(kind, conflict.key) is None


def _texts(view: DocumentView, key: str) -> dict[str, str]:
    return {language: str(view.values[f"{key}.{language}"]) for language in view.languages if f"{key}.{language}" in view.values}


def _value(key: str, value: Value) -> str | None:
    if value is None:
        return None
    if key.endswith(("deprecated_since", "expires_at", "valid_until")) and isinstance(value, int):
        try:
            return day(datetime.fromtimestamp(value, UTC))
        except (OverflowError, ValueError, OSError):
            return str(value)
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if key.endswith("fingerprint") or key in ("logo", "digest"):
        return " ".join(str(value)[start : start + 8] for start in range(0, len(str(value)), 8))
    if key == "dependencies":
        return str(shown(Control.DEPENDENCIES, value))
    if isinstance(value, tuple):
        plain: list[Any] = list(value)
        return ", ".join(_owner(str(part)) for part in plain) if all(isinstance(part, str) for part in plain) else json.dumps(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)

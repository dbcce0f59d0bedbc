"""What a form says beside its fields, rule by rule."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from console.drafts.advice import advise
from console.drafts.models import DocumentView
from console.schemes.models import DraftInfo
from idemix.scheme.documents import CREDENTIAL_TYPE, ISSUER, SCHEME, DocumentKind, Value

DRAFT = DraftInfo("demo", "work", "Work", "noor", datetime(2026, 11, 23, tzinfo=UTC), "0" * 40, "1" * 40, "2" * 40, False)

#: A credential type to which nothing is to be said.
CARD: dict[str, Value] = {
    "name.en": "Demo Card",
    "name.nl": "Demo Kaart",
    "description.en": "A card",
    "description.nl": "Een kaart",
    "attributes": ("level",),
    "attributes.level.name.en": "Level",
    "attributes.level.name.nl": "Niveau",
    "attributes.level.description.en": "Level",
    "attributes.level.description.nl": "Niveau",
}


def view(changes: dict[str, Value], *, kind: DocumentKind = CREDENTIAL_TYPE, published: dict[str, Value] | None = CARD) -> DocumentView:
    """A document that says what `CARD` says, but for some fields."""
    values = {key: value for key, value in {**CARD, **changes}.items() if value is not None}
    return DocumentView(DRAFT, "I/Issues/c/description.xml", kind, "demo.I.c", values, published, ("en", "nl"), demo=True, has_logo=True)


def attribute(name: str, **fields: Value) -> dict[str, Value]:
    """An attribute behind `level`, with all texts."""
    texts = {f"attributes.{name}.{text}.{language}": "Text" for text in ("name", "description") for language in ("en", "nl")}
    return {"attributes": ("level", name), **texts, **{f"attributes.{name}.{key}": value for key, value in fields.items()}}


#: What is changed -> the field that something is said of, how, and a word of it.
TABLE: dict[str, tuple[dict[str, Value], str, str, str]] = {
    "a new attribute that issuers do not send": (attribute("new"), "attributes.new.optional", "bad", "It is new"),
    "one card alone, where there were more": ({"singleton": True}, "singleton", "bad", "Holders who have two"),
    "a name that does not begin with Demo": ({"name.en": "Card"}, "name.en", "bad", "begins with"),
    "a text that is missing": ({"description.nl": None}, "description.nl", "warn", "missing"),
    "an empty text": ({"description.nl": ""}, "description.nl", "warn", "missing"),
    "a text of an attribute that is missing": ({"attributes.level.name.nl": ""}, "attributes.level.name.nl", "warn", "missing"),
    "an optional text in one language only": ({"category.en": "Work"}, "category.nl", "warn", "missing"),
    "an address that is none": ({"issue_url.en": "javascript:x"}, "issue_url.en", "warn", "no https address"),
    "an address without host": ({"issue_url.en": "https://"}, "issue_url.en", "warn", "no https address"),
    "an address that breaks the parser": ({"issue_url.en": "https://[x"}, "issue_url.en", "warn", "no https address"),
    "a colour that is none": ({"foreground_color": "#12"}, "foreground_color", "warn", "six hexadecimal"),
    "two attributes in one place": (
        attribute("new", optional=True, display_index=0) | {"attributes.level.display_index": 0},
        "attributes",
        "warn",
        "one place",
    ),
    "a server without attribute": ({"revocation_servers": ("https://r.example",)}, "revocation_servers", "bad", "needs an attribute"),
    "an attribute without server": (attribute("@revocation", revocation=True), "revocation_servers", "bad", "needs a revocation server"),
    "a server with a slash at its end": (
        attribute("@revocation", revocation=True) | {"revocation_servers": ("https://r.example/",)},
        "revocation_servers",
        "bad",
        "without a slash",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_what_is_said_beside_a_field(case: str) -> None:
    changes, key, tone, words = TABLE[case]
    found = advise(view(changes))
    assert (found[key].tone, words in found[key].message) == (tone, True), found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"singleton": None},
        {"issue_url.en": "https://x.example/a", "issue_url.nl": "https://x.example/b"},
        {"foreground_color": "#12AbCd"},
        attribute("new", optional=True),
        attribute("new", random_blind=True),
        attribute("new", optional=True, display_index=0) | {"attributes.level.display_index": 1},
        attribute("@revocation", revocation=True) | {"revocation_servers": ("https://r.example",)},
    ],
)
def test_nothing_is_said_where_nothing_is_to_be_said(changes: dict[str, Value]) -> None:
    assert advise(view(changes)) == {}


def test_an_attribute_that_was_optional_stays_so() -> None:
    optional = "attributes.level.optional"
    found = advise(view({}, published={**CARD, optional: True}))
    assert (set(found), found[optional].tone) == ({optional}, "bad")
    assert "optional" in found[optional].message


def test_a_type_that_was_never_published_breaks_nothing() -> None:
    assert advise(view(attribute("new") | {"singleton": True}, published=None)) == {}


def test_outside_demo_schemes_names_do_not_call_themselves_so() -> None:
    found = advise(replace(view({}), demo=False))
    assert {key: advice.tone for key, advice in found.items()} == {"name.en": "warn", "name.nl": "warn"}
    servers: dict[str, Value] = attribute("@revocation", revocation=True) | {"revocation_servers": ("http://r.example",)}
    assert advise(view(servers)) == {}
    assert advise(replace(view(servers), demo=False))["revocation_servers"].tone == "bad"


def test_a_scheme_without_address_cannot_be_updated() -> None:
    texts: dict[str, Value] = dict.fromkeys(("name.en", "name.nl", "description.en", "description.nl"), "Text")
    scheme = replace(view({}, kind=SCHEME, published=None), values=texts)
    assert advise(scheme)["url"].tone == "bad"
    assert "url" not in advise(replace(scheme, values={**texts, "url": "https://x.example/"}))
    assert advise(replace(scheme, values={**texts, "url": "http://x.example/"}))["url"].tone == "warn"


def test_an_issuer_is_asked_for_its_name() -> None:
    issuer = replace(view({}, kind=ISSUER, published=None), values={"name.en": "Demo I"})
    assert advise(issuer)["name.nl"].tone == "warn"

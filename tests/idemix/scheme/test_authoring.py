from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedSchemeError
from idemix.scheme.authoring import (
    add_credential_type,
    add_issuer,
    new_scheme,
    print_credential_type,
    print_issuer,
    print_scheme_manager,
)
from idemix.scheme.descriptions import (
    AppVersion,
    AttributeType,
    CredentialType,
    Issuer,
    SchemeManager,
    parse_credential_type,
    parse_issuer,
    parse_scheme_manager,
)
from idemix.scheme.identifiers import CredentialTypeId
from idemix.scheme.translations import TranslatedString
from tests.support.schemes import PNG, credential_type, library_draft, text

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"], include_characters="\n\r\t"), max_size=12)
translations = st.dictionaries(st.sampled_from(["en", "nl", "fr", "pt-BR"]), words, max_size=3).map(TranslatedString)
#: An element around no text says what its absence says, and is not written.
optional_translations = st.none() | translations.filter(bool)
identifiers = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
seconds = st.none() | st.integers(-(10**10), 10**10)
languages = st.lists(st.sampled_from(["en", "nl", "de"]), max_size=2).map(tuple)
dependencies = st.lists(st.lists(st.lists(identifiers.map(CredentialTypeId), max_size=2).map(tuple), max_size=2).map(tuple), max_size=2)


@st.composite
def credential_types(draw: st.DrawFn) -> CredentialType:
    scheme_id, issuer_id, credential_id = draw(identifiers), draw(identifiers), draw(identifiers)
    identifier = CredentialTypeId(f"{scheme_id}.{issuer_id}.{credential_id}")
    attributes = tuple(
        AttributeType(
            credential_type=identifier,
            attribute_id=name,
            index=index,
            name=draw(translations),
            description=draw(translations),
            optional=draw(st.sampled_from(["", "true"])),
            random_blind=draw(st.booleans()),
            revocation=draw(st.booleans()),
            display_index=draw(st.none() | st.integers(0, 9)),
            display_hint=draw(words),
        )
        for index, name in enumerate(draw(st.lists(identifiers, max_size=3, unique=True)))
    )
    return CredentialType(
        scheme_id=scheme_id,
        issuer_id=issuer_id,
        credential_id=credential_id,
        name=draw(translations),
        description=draw(translations),
        is_singleton=draw(st.booleans()),
        disallow_delete=draw(st.booleans()),
        attributes=attributes,
        revocation_servers=tuple(draw(st.lists(words, max_size=2))),
        revocation_update_count=draw(st.integers(0, 99)),
        revocation_update_speed=draw(st.integers(0, 99)),
        issue_url=draw(optional_translations),
        is_universal_link=draw(st.booleans()),
        deprecated_since=draw(seconds),
        dependencies=tuple(draw(dependencies)),
        foreground_color=draw(words),
        background_gradient_start=draw(words),
        background_gradient_end=draw(words),
        is_in_credential_store=draw(st.booleans()),
        category=draw(optional_translations),
        faq_intro=draw(optional_translations),
        faq_purpose=draw(optional_translations),
        faq_content=draw(optional_translations),
        faq_howto=draw(optional_translations),
        faq_summary=draw(optional_translations),
        languages=draw(languages),
    )


@given(credential_types())
def test_credential_type_read_back(kind: CredentialType) -> None:
    assert parse_credential_type(print_credential_type(kind), "x") == kind


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"display_index": -1}, "attributes.number.display_index"),
        ({"name": TranslatedString({"no language": "x"})}, "attributes.number.name.no language"),
        ({"display_hint": "\x00"}, "attributes.number.display_hint"),
    ],
)
def test_what_a_description_cannot_hold_is_not_written(change: dict[str, Any], key: str) -> None:
    kind = credential_type("tiny", "Library", "card", "number")
    with pytest.raises(MalformedSchemeError) as caught:
        print_credential_type(replace(kind, attributes=(replace(kind.attributes[0], **change),)))
    assert caught.value.field == key


@given(st.builds(Issuer, scheme_id=identifiers, issuer_id=identifiers, name=translations, contact_address=words, contact_email=words,
                 deprecated_since=seconds, languages=languages))  # fmt: skip
def test_issuer_read_back(issuer: Issuer) -> None:
    assert parse_issuer(print_issuer(issuer), "x") == issuer


@given(st.builds(SchemeManager, scheme_id=identifiers, url=words, name=translations, description=translations, demo=st.booleans(),
                 minimum_app_version=st.builds(AppVersion, st.integers(0, 9), st.integers(0, 9)), keyshare_server=words,
                 keyshare_website=words, keyshare_attribute=words, timestamp_server=words, contact=words, languages=languages))  # fmt: skip
def test_scheme_manager_read_back(scheme: SchemeManager) -> None:
    assert parse_scheme_manager(print_scheme_manager(scheme), "x") == scheme


def test_form_of_the_published_schemes() -> None:
    issuer = Issuer(scheme_id="tiny", issuer_id="Library", name=text("A & B", "<C>"), contact_email="a@example.com")
    assert print_issuer(issuer) == (
        b'<Issuer version="4">\n'
        b"\t<ID>Library</ID>\n"
        b"\t<Name>\n"
        b"\t\t<en>A &amp; B</en>\n"
        b"\t\t<nl>&lt;C&gt;</nl>\n"
        b"\t</Name>\n"
        b"\t<SchemeManager>tiny</SchemeManager>\n"
        b"\t<ContactEMail>a@example.com</ContactEMail>\n"
        b"</Issuer>\n"
    )
    kind = credential_type("tiny", "Library", "card", "a")
    with_revocation = replace(
        kind, attributes=(*kind.attributes, AttributeType(credential_type=kind.id, attribute_id="", index=1, revocation=True))
    )
    assert b'\t\t<Attribute id="a">\n\t\t\t<Name>\n\t\t\t\t<en>a</en>\n' in print_credential_type(kind)
    assert b'\t\t<Attribute revocation="true"/>\n' in print_credential_type(with_revocation)
    scheme = library_draft()["description.xml"]
    assert scheme.startswith(b'<SchemeManager version="7">\n\t<Id>tiny</Id>\n')
    assert b"\r" not in scheme


ISSUER = Issuer(scheme_id="tiny", issuer_id="Museum", name=text("Demo Museum"))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"issuer_id": "a.b"}, "<ID>"),
        ({"issuer_id": ""}, "<ID>"),
        ({"issuer_id": "a b"}, "<ID>"),
        ({"issuer_id": "Library"}, "<ID>"),
        ({"issuer_id": "LIBRARY"}, "<ID>"),
        ({"scheme_id": "other"}, "<SchemeManager>"),
        ({"name": text("Museum")}, "<Name>"),
        ({"name": TranslatedString({"en": "Demo Museum"})}, "<Name>"),
        ({"name": TranslatedString({"en": "Demo Museum", "nl": "Demo", "x y": "Demo x"})}, "<Name>"),
        ({"contact_address": "bad \x00 character"}, "contact_address"),
    ],
)
def test_issuers_that_are_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        add_issuer(library_draft(), replace(ISSUER, **values))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (credential_type("tiny", "Library", "card", "a"), "<CredentialID>"),
        (credential_type("tiny", "Library", "CARD", "a"), "<CredentialID>"),
        (credential_type("tiny", "Library", "a.b", "a"), "<CredentialID>"),
        (credential_type("tiny", "None", "new", "a"), "<IssuerID>"),
        (credential_type("other", "Library", "new", "a"), "<SchemeManager>"),
        (credential_type("tiny", "Library", "new"), "<Attributes>"),
        (credential_type("tiny", "Library", "new", "a", "b", "A"), "<Attribute> 3"),
        (credential_type("tiny", "Library", "new", "a.b"), "<Attribute> 1"),
        (credential_type("tiny", "Library", "new", "a", name=text("Card")), "<Name>"),
        (replace(credential_type("tiny", "Library", "other", "a"), credential_id="new"), "<Attribute> 1"),
    ],
)
def test_credential_types_that_are_refused(kind: CredentialType, field: str) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        add_credential_type(library_draft(), kind)
    assert caught.value.field == field


def test_logos_are_images() -> None:
    assert add_issuer(library_draft(), ISSUER, PNG)["Museum/logo.png"] == PNG
    with pytest.raises(MalformedSchemeError) as caught:
        add_issuer(library_draft(), ISSUER, b"\xff\xd8\xff")
    assert caught.value.path == "Museum/logo.png"


@pytest.mark.parametrize("scheme_id", ["a.b", "", "tempscheme", "oldscheme1", "a/b", "a b"])
def test_schemes_that_are_refused(scheme_id: str) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        new_scheme(SchemeManager(scheme_id=scheme_id, name=text("Name")))
    assert caught.value.field == "<Id>"

"""Where findings are mended: each form in which the engine names a place is found again in the document."""

import json
import re

import pytest

from console.drafts.places import document_of, key_of, place_of
from console.schemes.models import FindingView
from gateway.scheme_files import read_tree
from idemix.scheme.tree import SchemeTree
from tests.support.shared import ROOT, shared

CARD = "RU/Issues/studentCard/description.xml"
REQUESTORS = "requestors.json"
WIZARD = {"id": "demo.shop.first", "title": {"en": "First", "nl": ""}, "contents": [[[{"type": "website"}]]]}
SHOP = {"id": "demo.shop", "scheme": "demo", "name": {"en": "Shop"}, "hostnames": ["a.example"], "wizards": {"demo.shop.first": WIZARD}}
LIST = json.dumps([{"id": "demo.other", "scheme": "demo", "name": {"en": "O"}}, SHOP]).encode()


@pytest.fixture(scope="module")
def tree() -> SchemeTree:
    """A scheme of issuers, with a list of requestors beside it."""
    files = dict(read_tree(shared("schemes", "mutant-base", "irma-demo")))
    return SchemeTree({**files, REQUESTORS: LIST, "description.json": b'{"id": "demo", "url": "x"}'}, name="irma-demo")


@pytest.mark.parametrize(
    ("path", "place", "key"),
    [
        ("description.xml", "<Id>", "id"),
        ("description.xml", "id", "id"),
        ("description.xml", "<Url>", "url"),
        ("description.xml", "<SchemeType>", "scheme_type"),
        ("description.xml", "attribute version", "version"),
        ("description.xml", "attribute version of <SchemeManager>", "version"),
        ("description.xml", "<Name><nl>", "name.nl"),
        ("description.xml", "<Description>", "description.en"),
        ("description.xml", "<Android>", "minimum_app_version.android"),
        ("description.xml", "<KeyshareServer>", "keyshare_server"),
        ("RU/description.xml", "<ID>", "id"),
        ("RU/description.xml", "<SchemeManager>", "scheme_id"),
        ("RU/description.xml", "<Name><de>", "name.de"),
        ("RU/description.xml", "<DeprecatedSince>", "deprecated_since"),
        ("RU/description.xml", "<ContactEMail>", "contact_email"),
        (CARD, "<CredentialID>", "id"),
        (CARD, "<IssuerID>", "issuer_id"),
        (CARD, "<IssueURL>", "issue_url.en"),
        (CARD, "<IssueURL><nl>", "issue_url.nl"),
        (CARD, "<FAQSummary>", "faq_summary.en"),
        (CARD, "<ForegroundColor>", "foreground_color"),
        (CARD, "<BackgroundGradientStart>", "background_gradient_start"),
        (CARD, "<BackgroundGradientEnd>", "background_gradient_end"),
        (CARD, "<RevocationServer>", "revocation_servers"),
        (CARD, "<RevocationServers>", "revocation_servers"),
        (CARD, "<RevocationUpdateCount>", "revocation_update_count"),
        (CARD, "<Dependencies>", "dependencies"),
        (CARD, "<ShouldBeSingleton>", "singleton"),
        (CARD, "<Attributes>", "attributes"),
        (CARD, "<Attribute> 4", "attributes.level"),
        (CARD, "<Attribute> 99", ""),
        (CARD, "attribute level <Name>", "attributes.level.name.en"),
        (CARD, "attribute level <Name><nl>", "attributes.level.name.nl"),
        (CARD, "attribute level <Description><en>", "attributes.level.description.en"),
        (CARD, "attribute optional of <Attribute>", ""),
        (CARD, "attribute version of <IssueSpecification>", "version"),
        (CARD, "attribute absent <Name><nl>", ""),
        (CARD, "<Unheard>", ""),
        (CARD, "", ""),
        (CARD, "somewhere", ""),
        ("description.json", "id", "id"),
        ("description.json", "schemetype", "scheme_type"),
        ("description.json", "url", "url"),
        ("description.json", "languages[0]", "languages"),
        (REQUESTORS, "[0].scheme", "requestors.other.scheme_id"),
        (REQUESTORS, "[1].hostnames", "requestors.shop.hostnames"),
        (REQUESTORS, "[1].hostnames[0]", "requestors.shop.hostnames"),
        (REQUESTORS, "[1].id", "requestors.shop.id"),
        (REQUESTORS, "[1].logo", "requestors.shop.logo"),
        (REQUESTORS, "[1].name", "requestors.shop.name.en"),
        (REQUESTORS, "[1].name.nl", "requestors.shop.name.nl"),
        (REQUESTORS, "[1]", "requestors.shop"),
        (REQUESTORS, "[1].wizards.demo.shop.first", "requestors.shop.wizards.first"),
        (REQUESTORS, "[1].wizards.demo.shop.first.id", "requestors.shop.wizards.first.id"),
        (REQUESTORS, "[1].wizards.demo.shop.first.title", "requestors.shop.wizards.first.title.nl"),
        (REQUESTORS, "[1].wizards.demo.shop.first.textColor", "requestors.shop.wizards.first.text_color"),
        (REQUESTORS, "[1].wizards.demo.shop.first.successHeader", "requestors.shop.wizards.first.success_header.en"),
        (REQUESTORS, "[1].wizards.demo.shop.first.contents[0][1][2]", "requestors.shop.wizards.first.contents"),
        (REQUESTORS, "[1].wizards.demo.shop.first.contents[0][0][0].sessionUrl", "requestors.shop.wizards.first.contents"),
        (REQUESTORS, "[1].wizards.absent.id", "requestors.shop"),
        (REQUESTORS, "[7].id", ""),
        (REQUESTORS, "<Title>", ""),
        ("RU/PublicKeys/1.xml", "<ExpiryDate>", ""),
        ("index", "line 3", ""),
        ("absent.json", "[0].id", ""),
    ],
)
def test_every_form_of_a_place_is_found(tree: SchemeTree, path: str, place: str, key: str) -> None:
    assert key_of(tree, path, place) == key


def test_every_form_that_the_engine_writes_stands_in_the_table() -> None:
    """What stands behind `field=` in the engine, by its first word; a new form needs a line above."""
    written: set[str] = set()
    for module in (ROOT / "idemix" / "scheme").glob("*.py"):
        text = module.read_text()
        written |= set(re.findall(r'field=f?"([^"]*)"', text))
        written |= set(re.findall(r'where = f?"([^"]*)"', text))
    shown = re.compile(
        r"<[A-Za-z]+>|<\{name\}>|<Name><\{sanitized\(language\)\}>|<Attribute> \{position \+ 1\}|attribute version"
        r"|attribute \{attribute\.attribute_id\}|id|schemetype"
        r"|\{(?:where|inside)\}\.(?:scheme|hostnames|id|logo|successHeader|contents|type|credential|sessionUrl|url|text|\{name\})"
        r"|\{where\}\.wizards\.\{sanitized\(key\)\}(?:\.id)?|\{where\}\.contents(?:\[\{[ijk]\}\])+|\{outer\}.*|\[\{.*|line \{.*|"
    )
    assert len(written) > 30
    assert {form for form in written if not shown.fullmatch(form)} == set()


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (CARD, CARD),
        ("RU/logo.png", "RU/description.xml"),
        ("RU/Issues/studentCard/logo.png", CARD),
        ("description.xml", "description.xml"),
        (REQUESTORS, REQUESTORS),
        ("RU/PublicKeys/1.xml", None),
        ("pk.pem", None),
        ("timestamp", None),
        ("Absent/description.xml", None),
        ("", None),
    ],
)
def test_the_form_of_a_file(tree: SchemeTree, path: str, document: str | None) -> None:
    assert document_of(tree, "irma-demo", path) == document


@pytest.mark.parametrize(
    ("finding", "place"),
    [
        (FindingView("error", "RU/logo.png", "", "hash", "differs"), ("RU/description.xml", "logo")),
        (FindingView("lint", "", "demo.shop.name", "requestor", "no name"), (REQUESTORS, "requestors.shop.name.en")),
        (FindingView("lint", "", "demo.shop.first.contents", "wizard", "no steps"), (REQUESTORS, "requestors.shop.wizards.first.contents")),
        (FindingView("lint", "", "demo.shop.first", "wizard", "not loaded"), (REQUESTORS, "requestors.shop.wizards.first")),
        (FindingView("lint", "", "demo.unknown.name", "requestor", "no name"), ("", "")),
        (FindingView("lint", "", "", "directory-name", "differs"), ("", "")),
        (
            FindingView("warning", CARD, "<Name>", "translation", "Credential type x misses nl translation in <Name> tag"),
            (CARD, "name.nl"),
        ),
        (
            FindingView(
                "warning", CARD, "<Name>", "translation", "Attribute level of credential type x misses nl translation in <Name> tag"
            ),
            (CARD, "attributes.level.name.nl"),
        ),
        (FindingView("error", "RU/PublicKeys/1.xml", "<Bases>", "key", "too few"), ("", "")),
    ],
)
def test_a_finding_is_located(tree: SchemeTree, finding: FindingView, place: tuple[str, str]) -> None:
    assert place_of(tree, "irma-demo", finding) == place


def test_a_document_that_cannot_be_read_is_told_as_a_whole(tree: SchemeTree) -> None:
    broken = SchemeTree({**tree, CARD: b"<x"}, name="irma-demo")
    assert place_of(broken, "irma-demo", FindingView("error", CARD, "<Name>", "x", "x")) == (CARD, "")

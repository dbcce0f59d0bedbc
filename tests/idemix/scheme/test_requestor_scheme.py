import hashlib
from typing import Any

import pytest

from idemix.scheme.configuration import Configuration
from idemix.scheme.descriptions import RequestorScheme
from idemix.scheme.findings import SchemeStatus
from idemix.scheme.index import SchemeIndex
from idemix.scheme.keys import sign
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verdict import SchemeVerdict
from idemix.scheme.verify import verify_scheme
from tests.support.schemes import NOW, PNG, library_draft, requestors_draft, scheme_key, signed

LOGO = hashlib.sha256(PNG).hexdigest()
SHOP = {"id": "tiny-requestors.shop", "scheme": "tiny-requestors", "name": {"en": "Shop"}, "hostnames": ["shop.example.com"]}
CARD = {"type": "credential", "credential": "tiny.Library.card", "text": {"en": "Get it"}}
SITE = {"type": "website", "header": {"en": "h"}, "text": {"en": "t"}, "label": {"en": "l"}, "url": {"en": "https://example.com"}}


def shop(**values: Any) -> dict[str, Any]:
    return {**SHOP, **values}


def with_wizard(**values: Any) -> list[dict[str, Any]]:
    """The requestors with a wizard, in which dependencies are not expanded unless told."""
    wizard = {"id": "tiny-requestors.shop.w", "title": {"en": "T"}, "expandDependencies": False, "contents": [[[CARD]], [[SITE]]], **values}
    return [shop(wizards={"tiny-requestors.shop.w": wizard})]


def verdict_of(requestors: Any, configuration: Configuration | None = None, **description: Any) -> SchemeVerdict:
    return verify_scheme(signed(requestors_draft(requestors, **description)), now=NOW, configuration=configuration)


def library() -> Configuration:
    configuration, problems = Configuration.load([signed(library_draft())], now=NOW)
    assert problems == ()
    return configuration


def test_a_sound_scheme() -> None:
    verdict = verify_scheme(signed(requestors_draft()), now=NOW)
    assert verdict.is_valid
    assert verdict.warnings == ()
    assert verdict.contents is not None
    scheme = verdict.contents.scheme
    assert isinstance(scheme, RequestorScheme)
    assert [str(requestor.id) for requestor in scheme.requestors] == ["tiny-requestors.shop"]
    assert scheme.timestamp == NOW


@pytest.mark.parametrize(
    ("requestors", "field", "status", "departure"),
    [
        pytest.param([shop(scheme="")], "[0].scheme", "ParsingError", None, id="no scheme"),
        pytest.param([shop(id="other.shop")], "[0].id", "ParsingError", None, id="id of another scheme"),
        pytest.param([shop(logo="../x")], "[0].logo", "ParsingError", None, id="logo that is no hash"),
        pytest.param([shop(hostnames=["a.example", "a.example"])], "[0].hostnames", "ContentParsingError", None, id="host twice"),
        pytest.param([shop(), shop(hostnames=[])], "[1].id", "ContentParsingError", "duplicate-requestor", id="requestor twice"),
        pytest.param([shop(hostnames=7)], "[0].hostnames", "ParsingError", None, id="hosts that are no list"),
        pytest.param([None], "[0]", "ParsingError", None, id="null"),
    ],
)
def test_faults_of_requestors(requestors: Any, field: str, status: str, departure: str | None) -> None:
    verdict = verdict_of(requestors)
    assert [(error.path, error.field, error.departure) for error in verdict.errors] == [("requestors.json", field, departure)]
    assert verdict.status is SchemeStatus(status)


def test_demo_schemes_have_no_hostnames() -> None:
    assert [error.rule for error in verdict_of([shop()], demo=True).errors] == ["hostname"]


def test_logos_are_known_by_their_hash() -> None:
    for logo in (LOGO.upper(), "00" * 32):
        verdict = verdict_of([shop(logo=logo)])
        assert [error.path for error in verdict.errors] == [f"assets/{logo}.png"]
        assert verdict.status is SchemeStatus.INVALID_SIGNATURE
    changed = signed(requestors_draft()).with_files({f"assets/{LOGO}.png": PNG + b"x"})
    assert verify_scheme(changed, now=NOW).status is SchemeStatus.INVALID_SIGNATURE


def test_the_timestamp_is_compared_with_the_index() -> None:
    verdict = verify_scheme(signed(requestors_draft()).with_files({"timestamp": b"1\n"}), now=NOW)
    assert [(error.path, error.departure) for error in verdict.errors] == [("timestamp", "unsigned-timestamp")]


def test_hostnames_stand_once_in_all_schemes() -> None:
    first, problems = Configuration.load([signed(requestors_draft())], now=NOW)
    assert problems == ()
    other = [{"id": "other.x", "scheme": "other", "name": {"en": "X"}, "hostnames": ["shop.example.com"]}]
    tree = requestors_draft(other, id="other")
    verdict = verify_scheme(signed(SchemeTree(dict(tree), name="other")), now=NOW, configuration=first)
    assert [error.field for error in verdict.errors] == ["[0].hostnames"]


# Wizards ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"id": "tiny-requestors.shop.other"}, ".id", id="another key"),
        pytest.param({"color": "#ffffff"}, ".color", id="lower-case colour"),
        pytest.param({"color": "#FFFFFF\n"}, ".color", id="line end in a colour"),
        pytest.param({"textColor": "red"}, ".textColor", id="name of a colour"),
        pytest.param({"successHeader": {"en": "h"}}, ".successHeader", id="header alone"),
        pytest.param({"contents": [[]]}, ".contents[0]", id="no alternative"),
        pytest.param({"contents": [[[SITE]], [[CARD]]]}, ".contents[1][0][0]", id="credential after a website"),
        pytest.param({"contents": [[[CARD]], [[CARD], [CARD, SITE]]]}, ".contents[1][1]", id="mixed alternative"),
        pytest.param({"contents": [[[{**CARD, "type": "other"}]]]}, ".contents[0][0][0].type", id="unknown type"),
        pytest.param({"contents": [[[{"type": "credential"}]]]}, ".contents[0][0][0].credential", id="no credential"),
        pytest.param({"contents": [[[{**SITE, "label": None}]]]}, ".contents[0][0][0].label", id="no label"),
        pytest.param({"contents": [[[{**SITE, "url": None}]]]}, ".contents[0][0][0].url", id="no address"),
        pytest.param({"contents": [[[{**SITE, "type": "session"}]]]}, ".contents[0][0][0].sessionUrl", id="no session"),
        pytest.param({"contents": [[[CARD] * 10]]}, ".contents", id="ten steps"),
        pytest.param({"contents": [[[CARD]], *[[[], [CARD]]] * 9]}, None, id="nine steps, all but one left out"),
    ],
)
def test_faults_of_wizards(values: dict[str, Any], field: str | None) -> None:
    verdict = verdict_of(with_wizard(**values))
    expected = [] if field is None else [f"[0].wizards.tiny-requestors.shop.w{field}"]
    assert [error.field for error in verdict.errors] == expected
    assert verdict.status is (SchemeStatus.VALID if field is None else SchemeStatus.PARSING_ERROR)


def test_a_wizard_with_too_many_ways_through_it_is_refused_and_not_walked() -> None:
    cards = [{**CARD, "credential": f"tiny.Library.c{number}"} for number in range(40)]
    contents = [[[], [cards[number]], [cards[number + 1]]] for number in range(0, 40, 2)]
    contents = [[[cards[0]]], *[[[discon[1][0]], [discon[2][0]]] for discon in contents[1:]]]
    verdict = verdict_of(with_wizard(contents=contents))
    assert verdict.errors
    assert verdict.errors[0].rule == "wizard"


def test_missing_texts_of_a_wizard() -> None:
    verdict = verdict_of(with_wizard(languages=["en", "nl"], contents=[[[SITE]]], faq=[{"question": {"en": "q"}, "answer": {}}]))
    messages = {warning.message for warning in verdict.warnings}
    assert "issue wizard tiny-requestors.shop.w misses nl translation in <Title> tag" in messages
    assert "issue wizard misses nl translation in <Title> tag" in messages
    assert "item 0.0.0 misses nl translation in <URL> tag" in messages
    assert "QA 0 has empty <Answer> tag" in messages
    assert verdict.is_valid


def test_credential_types_are_looked_up_where_their_scheme_is_loaded() -> None:
    unknown = with_wizard(contents=[[[{**CARD, "credential": "tiny.Library.none"}]]])
    assert verdict_of(unknown).is_valid
    assert [error.field for error in verdict_of(unknown, library()).errors] == [
        "[0].wizards.tiny-requestors.shop.w.contents[0][0][0].credential"
    ]
    without_text = with_wizard(contents=[[[{"type": "credential", "credential": "tiny.Library.card"}]]])
    assert verdict_of(without_text).is_valid
    assert [error.field for error in verdict_of(without_text, library()).errors] == [
        "[0].wizards.tiny-requestors.shop.w.contents[0][0][0].text"
    ]
    assert verdict_of(with_wizard(), library()).is_valid


def test_what_could_not_be_looked_up_is_said() -> None:
    verdict = verdict_of(with_wizard(expandDependencies=True))
    assert verdict.is_valid
    assert any("tiny.Library.card is not loaded" in finding.message for finding in verdict.lint)
    assert not any("is not loaded" in finding.message for finding in verdict_of(with_wizard(), library()).lint)


def test_a_description_that_does_not_say_it_is_of_requestors() -> None:
    """The reference knows such a scheme, where its index lists the description, and refuses it."""
    tree = signed(requestors_draft())
    described = tree.with_files({"description.json": tree["description.json"].replace(b'"schemetype"', b'"type"')})
    index = SchemeIndex.of(described, "tiny-requestors", "requestor").print()
    verdict = verify_scheme(described.with_files({"index": index, "index.sig": sign(scheme_key(), index)}), now=NOW)
    assert (verdict.known, verdict.status) == (True, SchemeStatus.PARSING_ERROR)
    assert [error.field for error in verdict.errors] == ["schemetype"]

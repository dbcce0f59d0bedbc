"""docs/compatibility.md shows the rules of `idemix.departures` and the reasons of `irmahub.conformance.reasons`."""

from idemix.departures import DEPARTURES
from idemix.errors import IdemixError
from tests.compatibility import DOCUMENT, with_tables


def test_document_shows_every_rule_and_reason() -> None:
    text = DOCUMENT.read_text()
    assert text == with_tables(text), "run `make compatibility`"


def test_each_rule_has_an_error_class_and_a_sentence() -> None:
    for rule in DEPARTURES.values():
        assert issubclass(rule.error, IdemixError)
        assert rule.reason.endswith(".")

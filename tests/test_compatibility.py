"""docs/compatibility.md shows the rules of `idemix.departures`."""

from idemix.departures import DEPARTURES
from idemix.errors import IdemixError
from tests.compatibility import DOCUMENT, with_table


def test_document_shows_every_rule() -> None:
    text = DOCUMENT.read_text()
    assert text == with_table(text), "run `make compatibility`"


def test_each_rule_has_an_error_class_and_a_sentence() -> None:
    for rule in DEPARTURES.values():
        assert issubclass(rule.error, IdemixError)
        assert rule.reason.endswith(".")

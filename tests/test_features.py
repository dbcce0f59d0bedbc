"""The list of features, and the rules by which `make features` judges it."""

import pytest

from tests.features import DOCUMENT, FeaturesError, read_features

TEXT = """
Finished rows: A1, B2

| Clause | Reason |
| --- | --- |
| A1.2 | Comes later. |

| Clause | Feature | Level | Definition of done |
| --- | --- | --- | --- |
| A1.1 | Forms | M | every element is editable |
| A1.2 | Forms | M | saving unchanged changes nothing |
| B2 | Publishing | M | one commit |
| B3 | Approval | M | two people |
"""


def test_a_finished_row_needs_every_clause_shown_or_left_out() -> None:
    features = read_features(TEXT)
    assert features.clauses["A1.2"] == "saving unchanged changes nothing"
    assert features.left_out == {"A1.2": "Comes later."}
    assert list(features.missing(set())) == ["A1.1", "B2"]
    assert list(features.missing({"A1.1", "B2"})) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("A1, B2", "A1, C9", "C9 is no row"), ("| A1.2 | Comes", "| C1 | Comes", "C1 is no row"), ("| B3 |", "| B2 |", "B2 stands twice")],
)
def test_contradictions_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(FeaturesError, match=message):
        read_features(TEXT.replace(old, new))


def test_document_can_be_read() -> None:
    features = read_features(DOCUMENT.read_text())
    assert len(features.clauses) > 200
    assert features.finished

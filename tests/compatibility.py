"""Writes the tables of docs/compatibility.md from the rules and reasons that the code holds: `python -m tests.compatibility`."""

from collections.abc import Iterator

from idemix.departures import DEPARTURES
from irmahub.conformance.reasons import REASONS
from tests.support.shared import ROOT

DOCUMENT = ROOT / "docs" / "compatibility.md"
BEGIN = "<!-- {}: written by make compatibility -->\n"
END = "<!-- end of {} -->\n"


def rules() -> Iterator[str]:
    """The rules as a table, in the order of the code."""
    yield "| Rule | Error | What we require |"
    yield "| --- | --- | --- |"
    for rule in DEPARTURES.values():
        yield f"| `{rule.rule}` | `{rule.error.__name__}` | {rule.reason} |"


def reasons() -> Iterator[str]:
    """The kinds of reason as a table, in the order of the code."""
    yield "| The reference says | Our error |"
    yield "| --- | --- |"
    for reason in REASONS:
        yield f"| {reason.kind} | `{reason.error.__name__}` |"


def with_tables(text: str) -> str:
    """The document with the present tables."""
    for table in (rules, reasons):
        begin, end = BEGIN.format(table.__name__), END.format(table.__name__)
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = before + begin + "\n" + "\n".join(table()) + "\n\n" + end + after
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text()))

"""Writes the table of docs/compatibility.md from `idemix.departures`: `python -m tests.compatibility`."""

from collections.abc import Iterator

from idemix.departures import DEPARTURES
from tests.support.shared import ROOT

DOCUMENT = ROOT / "docs" / "compatibility.md"
BEGIN = "<!-- rules: written by make compatibility -->\n"
END = "<!-- end of rules -->\n"


def table() -> str:
    """The rules as a table, in the order of the code."""

    def rows() -> Iterator[str]:
        yield "| Rule | Error | What we require |"
        yield "| --- | --- | --- |"
        for rule in DEPARTURES.values():
            yield f"| `{rule.rule}` | `{rule.error.__name__}` | {rule.reason} |"

    return "\n".join(rows()) + "\n"


def with_table(text: str) -> str:
    """The document with the present table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + table() + "\n" + END + after


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))

"""Lists the clauses of docs/features.md with what shows them: `python -m tests.features`, called by `make features`.

Fails where a finished row has a clause that no test and no measurement shows, unless the clause is left out with a reason.
"""

import contextlib
import io
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.shared import ROOT

DOCUMENT = ROOT / "docs" / "features.md"
MEASUREMENTS = ROOT / "docs" / "measurements"


class FeaturesError(Exception):
    """docs/features.md contradicts itself."""


@dataclass(frozen=True)
class Features:
    """What docs/features.md says.

    Attributes:
        clauses: clause → definition of done, in the order of the document.
        finished: the rows that must be shown whole.
        left_out: clause, or whole row, → reason.
    """

    clauses: dict[str, str]
    finished: tuple[str, ...]
    left_out: dict[str, str]

    def missing(self, shown: set[str]) -> Iterator[str]:
        """The clauses of finished rows that nothing shows and that are not left out."""
        for clause in self.clauses:
            if row_of(clause) in self.finished and clause not in shown and clause not in self.left_out:
                yield clause


def row_of(clause: str) -> str:
    """`A5.1` belongs to row `A5`."""
    return clause.partition(".")[0]


def read_features(text: str) -> Features:
    """Read the document.

    Raises:
        FeaturesError: a clause stands twice, or a finished or left-out one stands nowhere.
    """
    clauses: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")] if line.startswith("|") else []
        if not cells or not re.fullmatch(r"[A-Z]\d+(\.\d+)?", cells[0]):
            continue
        table = left_out if len(cells) == 2 else clauses
        if cells[0] in table:
            raise FeaturesError(f"{cells[0]} stands twice")
        table[cells[0]] = cells[-1]
    line = re.search(r"^Finished rows: (.*)$", text, re.MULTILINE)
    finished = tuple(line.group(1).split(", ")) if line and line.group(1) else ()
    rows = {row_of(clause) for clause in clauses}
    for name in (*finished, *(name for name in left_out if name not in clauses)):
        if name not in rows:
            raise FeaturesError(f"{name} is no row of the tables")
    return Features(clauses, finished, left_out)


def measured() -> dict[str, list[str]]:
    """The clauses that measurements show, each with the files."""
    shown = defaultdict(list)
    for path in sorted(MEASUREMENTS.glob("*.json")):
        document = json.loads(path.read_bytes())
        for clause in document.get("features", ()) if isinstance(document, dict) else ():
            shown[clause].append(path.relative_to(ROOT).as_posix())
    return shown


def marked_clauses(item: pytest.Item) -> Iterator[str]:
    """The clauses that a test is marked with."""
    for mark in item.iter_markers("feature"):
        yield from mark.args


class _Collected:
    """A plugin that keeps which test shows which clause."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for clause in marked_clauses(item):
                name = item.nodeid.partition("[")[0]
                if name not in self.tests[clause]:
                    self.tests[clause].append(name)


def main() -> int:
    """Print the list; the exit status tells whether a finished row lacks something."""
    features = read_features(DOCUMENT.read_text())
    collected = _Collected()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = pytest.main(["--collect-only", "-q", str(Path(__file__).parent)], plugins=[collected])
    if status != pytest.ExitCode.OK:
        print(output.getvalue(), "the tests cannot be collected", sep="\n", file=sys.stderr)
        return 1
    shown = measured()
    for clause, tests in collected.tests.items():
        shown[clause] = tests + shown[clause]
    for clause, definition in features.clauses.items():
        print(f"{clause}: {definition}")
        for evidence in shown.get(clause, ()):
            print(f"    {evidence}")
        for name in (clause, row_of(clause)):
            if name in features.left_out:
                print(f"    left out: {features.left_out[name]}")
                break
    missing = list(features.missing(set(shown)))
    print()
    print(f"{len(features.clauses)} clauses, {len(shown)} shown, {len(features.left_out)} left out")
    for clause in missing:
        print(f"{clause} belongs to a finished row, but nothing shows it")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

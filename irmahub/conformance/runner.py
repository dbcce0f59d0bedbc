"""Runs every vector file of a folder through the modules that know its shape, and reports.

A file that nobody knows, a list of a file that nobody takes, and an unexpected exception all count as failed: nothing is
left out in silence.
"""

import importlib
import json
import os
import pkgutil
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irmahub import conformance
from irmahub.conformance.core import Case, Context, Departed, Mismatch, Shape

#: Modules of the package that are no shapes.
_NO_SHAPES = frozenset({"core", "reasons", "runner", "server"})


@dataclass(slots=True)
class FileReport:
    """What came of one file.

    Attributes:
        path: relative to the folder.
        passed: how many cases agree with the record, departures included.
        departed: of these, how many we refuse by which rule of docs/compatibility.md.
        skipped: how many wait for which row of docs/features.md.
        failures: the name of each failed case, and the reason.
    """

    path: str
    passed: int = 0
    departed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a folder."""

    files: tuple[FileReport, ...]

    @property
    def passed(self) -> int:
        return sum(file.passed for file in self.files)

    @property
    def failed(self) -> int:
        return sum(len(file.failures) for file in self.files)

    @property
    def skipped(self) -> int:
        return sum(file.skipped.total() for file in self.files)

    @property
    def departed(self) -> Counter[str]:
        """How many cases we refuse by which rule, over all files."""
        return sum((file.departed for file in self.files), Counter[str]())

    def summary(self) -> str:
        """The closing line."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    def lines(self) -> Iterator[str]:
        """The report for people: a line a file, the departures, what is skipped, the failures, and the closing line."""
        width = max((len(file.path) for file in self.files), default=0)
        for file in self.files:
            line = f"{file.path:<{width}}  {file.passed} passed, {len(file.failures)} failed, {file.skipped.total()} skipped"
            yield line + (f" ({file.departed.total()} departed)" if file.departed else "")
        if self.departed:
            yield "\nDeparted from the reference, by rule of docs/compatibility.md (counted as passed):"
            yield from (f"  {rule}: {count}" for rule, count in sorted(self.departed.items()))
        if self.skipped:
            yield "\nSkipped, by the row of docs/features.md that brings them:"
            yield from (f"  {row}: {count}" for row, count in sorted(sum((file.skipped for file in self.files), Counter[str]()).items()))
        if self.failed:
            yield "\nFailed:"
            yield from (f"  {file.path}: {name}: {reason}" for file in self.files for name, reason in file.failures)
        yield ""
        yield self.summary()

    def to_json(self) -> dict[str, Any]:
        """The report as data."""
        return {
            "passed": self.passed,
            "failed": self.failed,
            "skipped": self.skipped,
            "departed": dict(sorted(self.departed.items())),
            "files": [
                {
                    "path": file.path,
                    "passed": file.passed,
                    "departed": dict(sorted(file.departed.items())),
                    "skipped": dict(sorted(file.skipped.items())),
                    "failures": [{"case": name, "reason": reason} for name, reason in file.failures],
                }
                for file in self.files
            ],
        }


def run_folder(folder: Path, schemes: Path, *, processes: int | None = None) -> Report:
    """Run every `*.json` under a folder, a process for each file at a time.

    Args:
        folder: the folder with the vector files.
        schemes: the folder with the schemes that they name.
        processes: how many files at once; by default as many as there are cores.
    """
    paths = sorted(folder.rglob("*.json"))
    context = Context(folder=folder, schemes=schemes)
    # The largest first, so that no core waits for a long one at the end.
    by_size = sorted(paths, key=lambda path: path.stat().st_size, reverse=True)
    if len(paths) == 1:
        return Report((run_file(paths[0], context),))
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        reports = dict(zip(by_size, pool.map(run_file, by_size, [context] * len(by_size)), strict=True))
    return Report(tuple(reports[path] for path in paths))


def run_file(path: Path, context: Context) -> FileReport:
    """Run the cases of one file."""
    report = FileReport(path.relative_to(context.folder).as_posix())
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        report.failures.append(("file", f"cannot be read: {error}"))
        return report
    taken = set()
    try:
        shapes = [shape for shape in _shapes() if isinstance(document, Mapping) and shape.matches(document)]
        for shape in shapes:
            for case in shape.cases(document, context):
                taken.add(case.group.partition(".")[0])
                taken.add(case.name)
                _run(case, report)
    except Exception as error:  # a fault of a shape's module must show, and must not hide the other files
        report.failures.append(("file", f"its cases cannot be read: {_last_line(error)}"))
        return report
    if not shapes:
        report.failures.append(("file", "its shape is unknown"))
        return report
    for name, cases in document.items():
        names = {case["name"] for case in cases if isinstance(case, Mapping) and "name" in case} if isinstance(cases, list) else set()
        if names and name not in taken and names.isdisjoint(taken):
            report.failures.append((name, "no module takes this list of cases"))
    return report


def _run(case: Case, report: FileReport) -> None:
    if case.row is not None:
        report.skipped[case.row] += 1
        return
    name = f"{case.group}/{case.name}"
    try:
        outcome = case.run()
    except Mismatch as mismatch:
        report.failures.append((name, str(mismatch)))
    except Exception as error:  # whatever else a case raises is a failure of that case, told with its cause
        report.failures.append((name, _last_line(error)))
    else:
        report.passed += 1
        if isinstance(outcome, Departed):
            report.departed[outcome.rule] += 1


def _last_line(error: Exception) -> str:
    """The error, and the line of code that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"


def _shapes() -> Iterator[Shape]:
    for module in pkgutil.iter_modules(conformance.__path__):
        if module.name not in _NO_SHAPES:
            yield importlib.import_module(f"{conformance.__name__}.{module.name}")

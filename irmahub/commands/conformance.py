"""Compare the engine with recorded vectors, folder by folder.

Prints a line for each file, the departures from the reference by rule, what is skipped and for which feature, the failures
with their reasons, and closes with `N passed, N failed, N skipped`. Exit status 1 where a case failed.
"""

import json
from pathlib import Path

import click

from irmahub.conformance.runner import run_folder

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(name="conformance")
@click.argument("folder", type=_FOLDER)
@click.option("--schemes", type=_FOLDER, help="The folder with the schemes that the vectors name.  [default: FOLDER/../schemes]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(folder: Path, schemes: Path | None, as_json: bool) -> None:
    """Run every vector file under FOLDER and compare with what it records."""
    folder = folder.resolve()
    report = run_folder(folder, (schemes or folder.parent / "schemes").resolve())
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=2))
    else:
        for line in report.lines():
            click.echo(line)
    if report.failed:
        raise SystemExit(1)

"""The recorded vectors, file by file, through the command."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from irmahub.cli import command_line
from tests.support.shared import shared

#: The rows that the whole of a file shows; a row that another file would show as well stands with the one it names.
FILES = {
    "attributes.json": ("I3",),
    "auth.json": (),
    "challenge.json": ("I2.1",),
    "cl.json": ("I2.1", "I2.2"),
    "keys.json": ("I1.1", "I1.2", "I1.3", "I1.4"),
    "permissions.json": ("D5.2",),
    "proofs.json": ("I2.1", "I2.2", "I11"),
    "rangeproof.json": ("I10",),
    "requests.json": ("I4.1", "I4.2"),
    "revocation.json": ("I9.2",),
    "scheme_mutants.json": ("A3.1",),
    "schemesig.json": (),
    "verify.json": ("I5",),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.feature(*clauses) if clauses else ()) for name, clauses in FILES.items()]
)
def test_file_passes_whole(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "vectors"
    folder.mkdir()
    (folder / name).symlink_to(shared("vectors", name))
    result = CliRunner().invoke(command_line, ["conformance", str(folder), "--schemes", str(shared("schemes")), "--json"])
    report = json.loads(result.output)
    assert report["files"][0]["failures"] == []
    assert report["failed"] == 0
    assert result.exit_code == 0
    assert report["passed"] + report["skipped"] > 0


def test_every_file_is_listed_here() -> None:
    assert {path.name for path in shared("vectors").glob("*.json")} == set(FILES)


@pytest.mark.feature("J4.1", "J4.2")
def test_the_whole_folder_closes_with_its_counts_and_departures() -> None:
    result = CliRunner().invoke(command_line, ["conformance", str(shared("vectors")), "--schemes", str(shared("schemes"))])
    lines = result.output.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[-1].endswith(" passed, 0 failed, 0 skipped")
    assert "Departed from the reference, by rule of docs/compatibility.md (counted as passed):" in lines

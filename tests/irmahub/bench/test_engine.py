"""`irmahub bench engine`: which figures it gives, not how large they are."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from irmahub.bench.engine import run, table
from irmahub.bench.picture import picture_of
from irmahub.cli import command_line

WITHOUT_NAIVE = {"find_prime", "build_tables", "generate_key_pair"}
NAMES = {
    *("verify_disclosure", "verify_commitment", "sign_credential", "prove_disclosure"),
    *("verify_disclosure_nonrevocation", "prove_disclosure_nonrevocation"),
    *("verify_disclosure_range", "prove_disclosure_range"),
    *WITHOUT_NAIVE,
}
SVG = "{http://www.w3.org/2000/svg}"


def bench(folder: Path, *arguments: str) -> Result:
    few = ["--bits", "1024", "--attributes", "2", "--repetitions", "3", "--key-pairs", "0", "--picture", str(folder / "picture.svg")]
    return CliRunner().invoke(command_line, ["bench", "engine", *few, *arguments])


def test_every_figure_is_there_for_every_size() -> None:
    said: list[str] = []
    rows = run(bits=(1024,), attributes=(2, 5), repetitions=3, key_pairs=1, report=said.append)
    assert {row.name for row in rows} == NAMES
    for name in ("verify_disclosure", "build_tables"):
        assert [(row.bits, row.attributes) for row in rows if row.name == name] == [(1024, 2), (1024, 5)]
    assert all(row.milliseconds > 0 and row.units > 0 for row in rows)
    assert {row.name for row in rows if row.naive_units} == NAMES - WITHOUT_NAIVE
    small, large = (row.memory_bytes or 0 for row in rows if row.name == "build_tables")
    assert 0 < small < large
    assert said
    assert all(row.name in table(rows) for row in rows)


def test_the_picture_has_a_panel_for_each_length_and_two_lines_for_each_work() -> None:
    rows = run(bits=(1024,), attributes=(2, 5), repetitions=3, key_pairs=0)
    rows += [row for row in run(bits=(2048,), attributes=(2,), repetitions=3, key_pairs=0) if row.name == "prove_disclosure"]
    panels = ElementTree.fromstring(picture_of(rows)).findall(f"{SVG}g")
    assert ["1024" in "".join(panel.itertext()) for panel in panels] == [True, False]
    assert [len(panel.findall(f"{SVG}polyline")) for panel in panels] == [16, 2]
    assert {len(line.get("points", "").split()) for line in panels[0].findall(f"{SVG}polyline")} == {2}


@pytest.mark.feature("J5.2")
def test_command_gives_objects_and_a_picture(tmp_path: Path) -> None:
    result = bench(tmp_path, "--json")
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert {row["name"] for row in rows} == NAMES - {"generate_key_pair"}
    assert all(row.keys() == {"name", "bits", "attributes", "milliseconds", "units", "naive_units"} for row in rows)
    assert ElementTree.parse(tmp_path / "picture.svg").getroot().tag == f"{SVG}svg"


def test_command_gives_a_table(tmp_path: Path) -> None:
    result = bench(tmp_path)
    assert result.exit_code == 0
    assert "verify_disclosure" in result.stdout

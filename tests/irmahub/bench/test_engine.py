"""`irmahub bench engine`: which figures it gives, not how large they are."""

import json

import pytest
from click.testing import CliRunner

from irmahub.bench.engine import run, table
from irmahub.cli import command_line

WITHOUT_NAIVE = {"find_prime", "build_tables", "generate_key_pair"}
NAMES = {
    *("verify_disclosure", "verify_commitment", "sign_credential", "prove_disclosure"),
    *("verify_disclosure_nonrevocation", "prove_disclosure_nonrevocation"),
    *WITHOUT_NAIVE,
}


def test_every_figure_is_there_for_every_size() -> None:
    said: list[str] = []
    rows = run(bits=(1024,), attributes=(2, 5), repetitions=3, key_pairs=1, report=said.append)
    assert {row.name for row in rows} == NAMES
    assert {(row.bits, row.attributes) for row in rows if row.name == "verify_disclosure"} == {(1024, 2), (1024, 5)}
    assert all(row.milliseconds > 0 and row.units > 0 for row in rows)
    assert {row.name for row in rows if row.naive_units} == NAMES - WITHOUT_NAIVE
    assert said
    assert all(row.name in table(rows) for row in rows)


@pytest.mark.feature("J5.2")
def test_command_gives_objects() -> None:
    arguments = ["bench", "engine", "--bits", "1024", "--attributes", "2", "--repetitions", "3", "--key-pairs", "0", "--json"]
    result = CliRunner().invoke(command_line, arguments)
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert {row["name"] for row in rows} == NAMES - {"generate_key_pair"}
    assert {"name", "bits", "attributes", "milliseconds", "units", "naive_units"} <= rows[0].keys()


def test_command_gives_a_table() -> None:
    result = CliRunner().invoke(command_line, ["bench", "engine", "--bits", "1024", "--repetitions", "3", "--key-pairs", "0"])
    assert result.exit_code == 0
    assert "verify_disclosure" in result.stdout

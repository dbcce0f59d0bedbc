"""What the engine costs, in multiples of one modular exponentiation."""

import json

import pytest
from click.testing import CliRunner

from irmahub.cli import command_line
from tests.support.measurements import record
from tests.support.shared import ROOT


@pytest.mark.long
def test_engine() -> None:
    result = CliRunner().invoke(
        command_line, ["bench", "engine", "--json", "--picture", str(ROOT / "docs" / "measurements" / "engine.svg")]
    )
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert rows
    record("engine", {"rows": rows})

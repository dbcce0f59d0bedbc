"""A short run of the bench of events; nothing is said of speed here."""

import json

import pytest
from click.testing import CliRunner

from irmahub.cli import command_line


@pytest.mark.feature("E6")
def test_changes_on_one_server_reach_the_listeners_of_another() -> None:
    answer = CliRunner().invoke(command_line, ["bench", "events", "--listeners", "300", "--json"], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    figures = json.loads(answer.stdout)
    assert (figures["listeners"], figures["delivered"]) == (300, 300)
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["memory_mib"] > 0

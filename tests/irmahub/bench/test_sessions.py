"""Short runs of the bench of sessions: that it drives real sessions and counts what it says. Nothing is said of speed here."""

import json

import pytest
from click.testing import CliRunner

from irmahub.bench.http import LoadError
from irmahub.bench.installation import running_installation
from irmahub.bench.profile import PROOF
from irmahub.bench.sessions import drive_apart, make_load
from irmahub.cli import command_line

FIELDS = {"type", "store", "auth", "sessions_per_second", "sessions_per_server_core_unit", "p50_ms", "p95_ms", "p99_ms"}


def bench(*arguments: str) -> list[dict[str, object]]:
    bounds = ("--seconds", "1", "--clients", "4", "--json")
    answer = CliRunner().invoke(command_line, ["bench", "sessions", *arguments, *bounds], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_disclosure_and_issuance_through_redis() -> None:
    rows = bench("--store", "redis", "--auth", "open")
    assert [(row["type"], row["store"], row["auth"]) for row in rows] == [("disclosure", "redis", "open"), ("issuance", "redis", "open")]
    for row in rows:
        assert row.keys() >= FIELDS
        assert row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        # What is counted apart adds up: sessions in a unit are what a session costs, in units, upside down.
        assert row["sessions_per_server_core_unit"] == pytest.approx(row["unit_ms"] / row["cpu_ms_per_session"], rel=0.01)
        assert 0 < row["redis_cpu_ms_per_session"] < row["cpu_ms_per_session"]


def test_the_profile_names_what_a_session_costs() -> None:
    (found,) = bench("--store", "memory", "--auth", "rs256", "--type", "disclosure", "--profile")
    parts = found["cpu_ms_per_session"]
    assert PROOF in parts
    assert len(found["largest_beside_proof"]) == 5
    assert PROOF not in found["largest_beside_proof"]
    assert min(parts.values()) >= 0


def test_a_session_that_fails_ends_the_run() -> None:
    with running_installation(store="memory", opens=False) as installation:
        load = make_load(installation, "disclosure", "open", clients=1, seconds=1, max_sessions=10)
        with pytest.raises(LoadError, match="400"):
            drive_apart(load)

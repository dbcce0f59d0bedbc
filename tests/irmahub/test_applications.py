"""What stands around the applications of a server process."""

from pathlib import Path

import pytest

from gateway.database import DatabaseError
from idemix.arith.fixed_base import TABLES
from irmahub.applications import make_sites, services_of
from irmahub.settings import Settings


def test_database_that_was_not_migrated_is_told_and_nothing_is_made(tmp_path: Path) -> None:
    settings = Settings.from_environment({"IRMAHUB_DATA_DIRECTORY": str(tmp_path / "data")})
    with pytest.raises(DatabaseError, match="irmahub db upgrade"):
        services_of(settings)
    assert not settings.data_directory.exists()


def test_the_memory_for_tables_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = TABLES.max_bytes
    monkeypatch.setenv("IRMAHUB_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("IRMAHUB_TABLES_MIB", "7")
    try:
        with pytest.raises(DatabaseError):
            make_sites()
        assert TABLES.max_bytes == 7 << 20
    finally:
        TABLES.set_max_bytes(before)

"""Schemes that come along are copied where they are missing or older."""

import shutil
from pathlib import Path

import pytest

from gateway.scheme_assets import copy_assets
from gateway.scheme_files import read_tree
from tests.support.shared import shared

NOW = 1_780_000_000


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    shutil.copytree(shared("schemes", "mutant-base", "irma-demo"), tmp_path / "assets" / "irma-demo")
    return tmp_path / "assets"


def test_a_missing_scheme_is_copied(assets: Path, tmp_path: Path) -> None:
    copy_assets(assets, tmp_path / "schemes", NOW)
    assert dict(read_tree(tmp_path / "schemes" / "irma-demo")) == dict(read_tree(assets / "irma-demo"))


def test_an_older_scheme_is_replaced_and_a_newer_one_is_not(assets: Path, tmp_path: Path) -> None:
    copy_assets(assets, tmp_path / "schemes", NOW)
    timestamp = tmp_path / "schemes" / "irma-demo" / "timestamp"
    given = timestamp.read_text()
    for present, expected in ((str(int(given) - 1), given), ("nonsense", given), (str(int(given) + 1), str(int(given) + 1))):
        timestamp.write_text(present)
        copy_assets(assets, tmp_path / "schemes", NOW)
        assert timestamp.read_text() == expected


def test_a_scheme_that_does_not_verify_is_left_out(assets: Path, tmp_path: Path) -> None:
    (assets / "irma-demo" / "description.xml").write_text("<x/>")
    copy_assets(assets, tmp_path / "schemes", NOW)
    assert not (tmp_path / "schemes" / "irma-demo").exists()

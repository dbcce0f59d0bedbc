"""What stands around the applications of a server process."""

from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.test import Client

from gateway.database import DatabaseError
from idemix.arith.fixed_base import TABLES
from irmahub.applications import behind_proxies, make_sites, services_of
from irmahub.settings import Settings


def tell(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An application that tells whom it sees."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']} {environ['HTTP_HOST']}".encode()]


@pytest.mark.parametrize(
    ("proxies", "seen"),
    [(0, "127.0.0.1 http localhost"), (1, "198.51.100.7 https irma.example.org"), (2, "192.0.2.9 http localhost")],
)
def test_only_the_word_of_as_many_proxies_as_there_are_is_taken(proxies: int, seen: str) -> None:
    headers = {"X-Forwarded-For": "192.0.2.9, 198.51.100.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "irma.example.org"}
    answer = Client(behind_proxies(tell, proxies)).get("/", headers=headers, environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert answer.text == seen


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

"""The settings of revocation: read as the reference reads them, contradictions told together."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config import ConfigurationError
from gateway.database import DatabaseError, sqlite_url
from gateway.revocation.opening import database_url
from gateway.revocation.settings import TypeSettings
from tests.support.gateways import TestGateway
from tests.support.sessions import ROOT


def problems(make_gateway: Callable[..., TestGateway], **options: Any) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        make_gateway(**options)
    return {problem.option: problem.message for problem in caught.value.problems}


@pytest.mark.feature("I9.1")
def test_all_faults_are_told_together(make_gateway: Callable[..., TestGateway]) -> None:
    found = problems(
        make_gateway,
        revocation_db_type="mysql",
        revocation_settings={
            str(ROOT): {"authority": True, "revocation_server_url": "https://a.example", "tolerance": 29, "color": 1, "sse": "yes"},
            "irma-demo.RU.studentCard": {"server": True},
            "irma-demo.nobody.card": {"revocation_server_url": "ftp://x"},
        },
    )
    where = f"revocation_settings.{ROOT}"
    assert found == {
        "revocation_db_type": "unsupported database mysql: it is postgres, sqlite or memory",
        f"{where}.color": "is not an option",
        f"{where}.sse": "must be true or false",
        f"{where}.revocation_server_url": "revocation authority mode cannot be combined with URL",
        f"{where}.tolerance": "must be at least 30 seconds and at most 31622400, or 0",
        "revocation_settings.irma-demo.RU.studentCard.server": "revocation server mode requires URL to be configured",
        "revocation_settings.irma-demo.RU.studentCard": "credential type does not support revocation",
        "revocation_settings.irma-demo.nobody.card.revocation_server_url": "must be an http or https address without query",
        "revocation_settings.irma-demo.nobody.card": "unknown credential type irma-demo.nobody.card in revocation settings",
        "revocation_db_str": "revocation mode for irma-demo.RU.studentCard requires SQL database but no connection string given",
    }


@pytest.mark.feature("I9.1")
def test_a_database_of_the_configuration_is_made_ready(make_gateway: Callable[..., TestGateway], tmp_path: Any) -> None:
    url = sqlite_url(tmp_path / "revocation.db")
    gateway = make_gateway(revocation_db_type="sqlite", revocation_db_str=url, revocation_settings={str(ROOT).lower(): {"authority": True}})
    revocation = gateway.gateway.revocation
    assert revocation.settings(ROOT) == TypeSettings(authority=True)
    revocation.work()
    assert list(revocation.tables.heads(ROOT)) == [2]


def test_a_database_that_cannot_be_used(make_gateway: Callable[..., TestGateway]) -> None:
    found = problems(make_gateway, revocation_db_str="host=127.0.0.1 port=1 user=x password=hidden dbname=y")
    assert found == {"revocation_db_str": "the database cannot be used: OperationalError"}


def test_addresses_of_databases() -> None:
    assert database_url("postgres://u@h/n") == "postgresql+psycopg://u@h/n"
    assert database_url("host=/run user=u dbname=n port=5433") == "postgresql+psycopg://u@/n?host=%2Frun&port=5433"
    for text in ("mysql://x", "u:p@tcp(localhost)/n"):
        with pytest.raises(DatabaseError):
            database_url(text)


def test_without_settings_nothing_is_opened(make_gateway: Callable[..., TestGateway]) -> None:
    revocation = make_gateway().gateway.revocation
    revocation.work()
    assert revocation.tables._opened is None

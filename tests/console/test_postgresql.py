"""The console's services over PostgreSQL: the same as over SQLite, from the first log-in to a rotated key."""

from pathlib import Path

import pytest

from console.accounts.models import NewUser
from console.errors import LogInError
from console.issuer_keys.models import KeyState, NewKey
from console.schemes.models import SchemeImport
from console.worker import run_until_idle
from gateway.actor import command_actor
from gateway.models import PublicationState
from tests.console.conftest import Installation, with_settings

PASSWORD = "correct horse battery"


def test_a_key_is_rotated(installation: Installation, postgresql_database_url: str, small_scheme: Path) -> None:
    services = with_settings(installation.services, installation.clock, database_url=postgresql_database_url)
    try:
        services.accounts.create_first_administrator(command_actor("root"), NewUser("noor", "Noor", PASSWORD))
        with pytest.raises(LogInError):
            services.accounts.log_in("noor", "another password", address="192.0.2.1")
        noor = services.accounts.log_in("noor", PASSWORD, address="192.0.2.1").actor
        services.schemes.import_scheme(noor, SchemeImport(str(installation.scheme_repository(small_scheme))))
        services.issuer_keys.generate(noor, NewKey("irma-demo.RU"))
        run_until_idle(services)
        publication = services.issuer_keys.publish(noor, "irma-demo.RU", 3)
        run_until_idle(services)
        publication = services.publishing.get(noor, publication.id)
        assert (publication.state, publication.error) == (PublicationState.LIVE, "")
        assert services.issuer_keys.activate(noor, "irma-demo.RU", 3).state is KeyState.ACTIVE
        assert services.audit.verify(noor).holds
    finally:
        services.close()

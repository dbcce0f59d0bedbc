"""Opens revocation as the configuration describes it."""

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy import URL

from idemix.clock import Clock

from ..audit.service import Audit
from ..config import ConfigurationError, GatewayConfig, Problem
from ..database import Database, DatabaseError, normalised_url, upgrade
from ..schemes import LoadedSchemes
from .service import Revocation
from .settings import read_settings
from .tables import RevocationTables

log = structlog.get_logger(__name__)

_OPTION: Final = "revocation_db_str"


def open_revocation(
    config: GatewayConfig, schemes: Callable[[], LoadedSchemes], tables: RevocationTables | None, clock: Clock
) -> Revocation:
    """Open the revocation of a gateway.

    Args:
        config: its settings were found to be in order (`gateway.startup`).
        schemes: gives the schemes of the moment.
        tables: those of the installation. Without any, they are in the database of the configuration, which is brought to the
            newest migration, or else end with the process.
        clock: tells the time.

    Raises:
        ConfigurationError: the database cannot be used.
    """
    if tables is None:
        tables = _configured_tables(config)
    settings, _ = read_settings(config.revocation_settings, schemes().configuration, has_database=not tables.is_temporary)
    audit = None if tables.is_temporary else Audit(tables.database, clock=clock)
    revocation = Revocation(tables, schemes, settings, audit=audit, policy=config.outbound_policy, clock=clock)
    revocation.begin_chains()
    return revocation


def _configured_tables(config: GatewayConfig) -> RevocationTables:
    if not config.revocation_db_str:
        return RevocationTables.temporary()
    try:
        url = database_url(config.revocation_db_str)
        upgrade(url)
        database = Database(url)
    except Exception as error:
        # Drivers raise what they like. Their text is left out: it may hold the password.
        reason = str(error) if isinstance(error, DatabaseError) else type(error).__name__
        raise ConfigurationError([Problem(_OPTION, f"the database cannot be used: {reason}")]) from error
    return RevocationTables(lambda: database)


def database_url(text: str) -> str:
    """The address of a database from what irma server takes: an address, or `host=… user=… dbname=…` as libpq writes it.

    Raises:
        DatabaseError: it is neither.
    """
    if "://" in text:
        return normalised_url(text)
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parameters = {name: str(value) for name, value in conninfo_to_dict(text).items() if value is not None}
    except ProgrammingError as error:
        raise DatabaseError("it is no address of a database and no list of connection parameters") from error
    name, user, password = (parameters.pop(key, None) for key in ("dbname", "user", "password"))
    url = URL.create("postgresql+psycopg", username=user, password=password, database=name, query=parameters)
    return url.render_as_string(hide_password=False)

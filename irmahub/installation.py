"""What commands need of an installation: its settings and services, and who calls."""

import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import click

from console.publishing.web_root import WebRoot
from console.schemes.served import ServedConfiguration
from gateway.actor import Actor, command_actor
from gateway.custody.kek import KeyRing
from gateway.services import SharedServices, open_shared_services
from idemix.clock import system_clock
from irmahub.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])


def data_option(function: Function) -> Function:
    """The option `--data`: which installation."""
    return click.option(
        "--data",
        "data_directory",
        type=click.Path(file_okay=False, path_type=Path),
        help="The data directory of the installation.  [default: IRMAHUB_DATA_DIRECTORY]",
    )(function)


def json_option(function: Function) -> Function:
    """The option `--json`: the same as data."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def reason_option(*, required: bool) -> Callable[[Function], Function]:
    """The option `--reason`: for the audit."""
    return click.option("--reason", required=required, help="Why, for the audit.")


def settings_of(data_directory: Path | None) -> Settings:
    """The settings of an installation."""
    return Settings.from_environment(data_directory=data_directory)


@contextmanager
def opened(data_directory: Path | None) -> Iterator[SharedServices]:
    """Open an installation for the time of a command."""
    settings = settings_of(data_directory)
    web_root = WebRoot(settings.schemes_directory, settings.data_directory / "versions")
    services = open_shared_services(
        settings.database_url,
        lambda: KeyRing.load(settings.kek_file),
        redis_url=settings.redis_url,
        redis_prefix=settings.redis_prefix,
        configuration=ServedConfiguration(web_root, system_clock),
    )
    try:
        yield services
    finally:
        services.close()


def caller() -> Actor:
    """Who calls the command: the operating system's user."""
    return command_actor(getpass.getuser())


def print_json(value: Any) -> None:
    """Print data; moments as ISO 8601, members of enumerations by their value."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, date):  # a moment is one, too
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} has no place in JSON")

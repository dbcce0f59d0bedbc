"""An installation with irma-demo and one requestor, served by the real command."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.actor import command_actor
from gateway.database import prepare_file, sqlite_file, upgrade
from gateway.models import AuthMethod
from gateway.permissions import Permissions
from gateway.requestors.models import NewKey, NewRequestor
from gateway.scheme_files import read_tree, write_tree
from irmahub.applications import services_of
from irmahub.demo.processes import Processes, answers, free_address
from irmahub.settings import Settings
from tests.support.shared import shared

_ACTOR = command_actor("test")


@dataclass(frozen=True)
class Installation:
    """A running installation.

    Attributes:
        settings: its settings.
        token: the token of the requestor `shop`, who may do everything.
    """

    settings: Settings
    token: str


@dataclass(frozen=True)
class Prepared:
    """An installation that does not run yet.

    Attributes:
        settings: its settings.
        environment: the variables that give them.
        token: the token of the requestor `shop`.
    """

    settings: Settings
    environment: dict[str, str]
    token: str


def prepare_installation(
    data: Path, environment: Mapping[str, str] | None = None, *, permissions: Permissions, scheme: tuple[str, ...] = ("irma-demo",)
) -> Prepared:
    """Make the tables, a scheme and the requestor `shop`, with free ports in the settings.

    Args:
        data: its data directory.
        environment: settings beside the addresses.
        permissions: of the requestor.
        scheme: where irma-demo lies among the shared schemes.
    """
    variables = {
        "IRMAHUB_DATA_DIRECTORY": str(data),
        "IRMAHUB_CONSOLE_ADDRESS": str(free_address(0)),
        "IRMAHUB_GATEWAY_ADDRESS": str(free_address(0)),
        **(environment or {}),
    }
    settings = Settings.from_environment(variables)
    file = sqlite_file(settings.database_url)
    if file is not None:
        prepare_file(file)
    upgrade(settings.database_url)
    write_tree(read_tree(shared("schemes", *scheme)), settings.schemes_directory / "irma-demo")
    services = services_of(settings)
    services.requestors.create(_ACTOR, NewRequestor("shop"))
    token = services.requestors.add_key(_ACTOR, "shop", NewKey(AuthMethod.TOKEN)).secret
    assert token is not None
    services.requestors.set_permissions(_ACTOR, "shop", permissions)
    services.requestors.activate(_ACTOR, "shop")
    services.close()
    return Prepared(settings, variables, token)


@contextmanager
def running_installation(data: Path, environment: Mapping[str, str] | None = None) -> Iterator[Installation]:
    """Run `irmahub serve` on free ports.

    Args:
        data: its data directory.
        environment: settings beside the addresses.
    """
    everything = Permissions(disclose=("*",), sign=("*",), issue=("*",))
    prepared = prepare_installation(data, environment, permissions=everything)
    processes = Processes(prepared.environment, data / "logs")
    processes.start("serve")
    try:
        processes.wait_until("serve", lambda: answers(f"{prepared.settings.gateway_url}health"))
        yield Installation(prepared.settings, prepared.token)
    finally:
        processes.stop()

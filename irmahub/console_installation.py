"""What the commands of the console need beside `irmahub.installation`: its services, typed objects from files, and waiting for jobs."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from console.json_values import from_json, to_json
from console.services import Services
from console.worker import run_until_idle
from gateway.actor import system_actor
from gateway.jobs.service import JobInfo
from irmahub.applications import services_of
from irmahub.installation import settings_of

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])

#: How often a command that waits looks at its job, in seconds.
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Anything:
    """Any JSON value."""

    value: object


@contextmanager
def opened_console(data_directory: Path | None) -> Iterator[Services]:
    """Open the console's services for the time of a command."""
    settings = settings_of(data_directory)
    services = services_of(settings)
    try:
        yield services
    finally:
        services.close()


def wait_option(function: Function) -> Function:
    """The option `--wait`: carry the job out here."""
    return click.option("--wait", is_flag=True, help="Carry the job out here and wait for its end, also where no worker runs.")(function)


def wait_for(services: Services, job_id: int) -> JobInfo:
    """Run jobs in this process until one has ended.

    Raises:
        ClickException: it failed.
    """
    while True:
        job = services.jobs.get(system_actor("command"), job_id)
        if job.has_ended:
            break
        if run_until_idle(services) == 0:
            time.sleep(_LOOK_SECONDS)
    if job.error:
        raise click.ClickException(job.error)
    return job


def read_object(kind: type[T], file: TextIO) -> T:
    """Read a typed object from a JSON file.

    Raises:
        ClickException: it is no JSON.
    """
    try:
        data = json.load(file)
    except ValueError as error:
        raise click.ClickException(f"{file.name}: is no JSON: {error}") from error
    return from_json(kind, data)


def read_json(text: str) -> Any:
    """Read any JSON value, lists as tuples.

    Raises:
        ValueError: it is no JSON.
    """
    return from_json(_Anything, {"value": json.loads(text)}).value


def read_json_object(file: TextIO) -> dict[str, Any]:
    """Read a JSON object from a file, lists in it as tuples.

    Raises:
        ClickException: it is none.
    """
    try:
        found = read_json(file.read())
    except ValueError as error:
        raise click.ClickException(f"{file.name}: is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise click.ClickException(f"{file.name}: is no JSON object")
    return found


def print_object(value: object) -> None:
    """Print a value of the services as JSON, as the API answers it."""
    click.echo(json.dumps(to_json(value), indent=2, ensure_ascii=False))

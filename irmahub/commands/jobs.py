"""See and stop the background work."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from irmahub.console_installation import opened_console, print_object
from irmahub.installation import caller, data_option, json_option, reason_option

if TYPE_CHECKING:
    from gateway.jobs.service import JobInfo


@click.group(name="jobs")
def command() -> None:
    """Background work: publications and key generation."""


@command.command(name="list")
@click.option("--unfinished", is_flag=True, help="Only what has not ended.")
@data_option
@json_option
def list_command(unfinished: bool, data_directory: Path | None, as_json: bool) -> None:
    """List jobs, the newest first."""
    from console.jobs import list_jobs

    with opened_console(data_directory) as services:
        found = list_jobs(services, caller(), unfinished=unfinished)
    if as_json:
        print_object(found)
        return
    for job in found:
        _print_job(job)


@command.command()
@click.argument("job", type=int)
@data_option
def show(job: int, data_directory: Path | None) -> None:
    """Print JOB with its steps as JSON."""
    from console.jobs import get_job

    with opened_console(data_directory) as services:
        print_object(get_job(services, caller(), job))


@command.command()
@click.argument("job", type=int)
@reason_option(required=False)
@data_option
def cancel(job: int, reason: str | None, data_directory: Path | None) -> None:
    """Ask JOB to stop."""
    from console.jobs import cancel_job

    with opened_console(data_directory) as services:
        _print_job(cancel_job(services, caller(), job, reason or ""))


def _print_job(job: "JobInfo") -> None:
    text = job.error or job.message or ""
    click.echo(f"{job.id}  {job.kind}  {job.object}  {job.state.value}  after {job.step or 'no step'}  {job.progress:.0%}  {text}".rstrip())

"""Read the audit, and verify that nothing was edited, deleted or reordered."""

from dataclasses import asdict
from pathlib import Path

import click

from irmahub.installation import caller, data_option, json_option, opened, print_json


@click.group(name="audit")
def command() -> None:
    """The audit: every write with who, when, what and why."""


@command.command()
@data_option
@json_option
def verify(data_directory: Path | None, as_json: bool) -> None:
    """Check the chain of hashes; exit status 1 where it does not hold."""
    with opened(data_directory) as services:
        verdict = services.audit.verify(caller())
    if as_json:
        print_json(asdict(verdict) | {"holds": verdict.holds})
    else:
        for problem in verdict.problems:
            click.echo(f"entry {problem.sequence}: {problem.rule}")
        click.echo(f"{verdict.entries} entries: the chain {'holds' if verdict.holds else 'does not hold'}.")
    if not verdict.holds:
        raise SystemExit(1)


@command.command(name="list")
@click.option("--object", "object_name", help="Only entries of this object, such as requestor:backend.")
@click.option("--action", help="Only this action, such as requestor.suspend.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@data_option
@json_option
def list_command(object_name: str | None, action: str | None, limit: int, data_directory: Path | None, as_json: bool) -> None:
    """Print the newest entries."""
    with opened(data_directory) as services:
        entries = services.audit.entries(caller(), object=object_name, action=action, limit=limit)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    for entry in entries:
        fields = ", ".join(entry.changes)
        reason = f" — {entry.reason}" if entry.reason else ""
        click.echo(f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.actor_name}  {entry.action}  {entry.object}  {fields}{reason}")

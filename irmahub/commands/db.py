"""Bring the database to the tables of this version."""

from pathlib import Path

import click

from gateway.database import current_revision, newest_revision, prepare_file, sqlite_file, upgrade
from irmahub.installation import data_option, settings_of


@click.group(name="db")
def command() -> None:
    """Migrate the database."""


@command.command(name="upgrade")
@data_option
def upgrade_command(data_directory: Path | None) -> None:
    """Run the migrations that the database has not seen yet; run again it does nothing."""
    url = settings_of(data_directory).database_url
    file = sqlite_file(url)
    if file is not None:
        prepare_file(file)
    before = current_revision(url)
    upgrade(url)
    after = current_revision(url)
    click.echo(f"The database is at migration {after}" + ("." if before == after else f"; it was at {before or 'none'}."))


@command.command()
@data_option
def status(data_directory: Path | None) -> None:
    """Tell whether migrations are missing; exit status 1 where they are."""
    url = settings_of(data_directory).database_url
    current, newest = current_revision(url), newest_revision()
    click.echo(f"The database is at migration {current or 'none'}; the newest is {newest}.")
    if current != newest:
        raise SystemExit(1)

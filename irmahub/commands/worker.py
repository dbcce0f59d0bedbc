"""Run the jobs of the console: publications and key generation, until SIGINT or SIGTERM comes."""

from pathlib import Path

import click

from irmahub.installation import data_option, settings_of


@click.command(name="worker")
@data_option
def command(data_directory: Path | None) -> None:
    """Run jobs one after another. Several workers may run; a job of one that dies is taken over by another."""
    from console.worker import run_worker
    from irmahub.applications import services_of
    from irmahub.logs import configure_logs

    settings = settings_of(data_directory)
    configure_logs(settings.log_level, settings.log_format)
    services = services_of(settings)
    services.custody.check()
    click.echo(f"Worker runs on {settings.data_directory}")
    try:
        run_worker(services)
    finally:
        services.close()

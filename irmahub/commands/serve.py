"""Run the console and the gateway under the production server.

Settings are environment variables; without any, everything lies in the data directory and nothing else is needed.
"""

import click

from irmahub.settings import Settings


@click.command(name="serve")
def command() -> None:
    """Serve until SIGINT or SIGTERM comes; requests that run are finished."""
    from irmahub.applications import make_sites
    from irmahub.server import listen, serve

    settings = Settings.from_environment()
    sockets = []
    for address in (settings.console_address, settings.gateway_address, settings.metrics_address):
        if address is None:
            continue
        try:
            sockets.append(listen(address))
        except OSError as error:
            raise click.ClickException(f"{address}: {error.strerror}") from error
    click.echo(f"Console  {settings.console_url}\nGateway  {settings.gateway_url}")
    serve(sockets, make_sites, workers=settings.workers, drain_seconds=settings.drain_seconds)

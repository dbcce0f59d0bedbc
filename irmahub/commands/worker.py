"""Run the work in the background: publishing, key generation and what else takes its time.

Any number of workers may run beside each other; one that dies is taken over by another from its last step.
"""

import click

from irmahub.settings import Settings


@click.command(name="worker")
def command() -> None:
    """Work until SIGINT or SIGTERM comes; the running step is given back."""
    from console.worker import run_worker
    from irmahub.applications import services_of
    from irmahub.logs import configure_logs

    settings = Settings.from_environment()
    configure_logs(settings.log_level)
    services = services_of(settings)
    services.custody.check()
    try:
        run_worker(services)
    finally:
        services.close()

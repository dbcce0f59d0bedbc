"""See which results reached requestors' servers, and send one again."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from irmahub.installation import caller, data_option, json_option, opened, print_json, reason_option

if TYPE_CHECKING:
    from gateway.deliveries.service import DeliveryInfo

_STATES = ("pending", "delivered", "failed", "expired")


@click.group(name="deliveries")
def command() -> None:
    """Results of sessions on their way to requestors' servers."""


@command.command(name="list")
@click.option("--state", type=click.Choice(_STATES), help="Only these.")
@click.option("--requestor", help="Only those of this requestor.")
@click.option("--before", type=click.IntRange(1), help="Only those with a lower number, for the next page.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@data_option
@json_option
def list_command(
    state: str | None, requestor: str | None, before: int | None, limit: int, data_directory: Path | None, as_json: bool
) -> None:
    """List deliveries, the newest first."""
    from gateway.models import DeliveryState

    with opened(data_directory) as services:
        found = services.deliveries.list(
            caller(), state=DeliveryState(state) if state else None, requestor_name=requestor, before_id=before, limit=limit
        )
    if as_json:
        print_json([asdict(delivery) for delivery in found])
        return
    for delivery in found:
        _print(delivery)


@command.command()
@click.argument("delivery", type=int)
@data_option
def show(delivery: int, data_directory: Path | None) -> None:
    """Print DELIVERY as JSON."""
    with opened(data_directory) as services:
        print_json(asdict(services.deliveries.get(caller(), delivery)))


@command.command()
@click.argument("delivery", type=int)
@reason_option(required=False)
@data_option
def resend(delivery: int, reason: str | None, data_directory: Path | None) -> None:
    """Have the result of DELIVERY sent once more, by the gateway, within a second."""
    with opened(data_directory) as services:
        _print(services.deliveries.resend(caller(), delivery, reason or ""))


def _print(delivery: "DeliveryInfo") -> None:
    why = f"  {delivery.last_error}" if delivery.last_error else ""
    status = "" if delivery.last_status is None else f" ({delivery.last_status})"
    line = f"{delivery.id}  {delivery.created_at:%Y-%m-%d %H:%M:%S}  {delivery.requestor_name}  {delivery.origin}"
    click.echo(f"{line}  {delivery.state.value}{status}  attempts {delivery.attempts}{why}")

"""Rotate issuer keys: generate, publish, see live, activate, retire."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from irmahub.console_installation import opened_console, print_object, wait_for, wait_option
from irmahub.installation import caller, data_option, json_option, reason_option

if TYPE_CHECKING:
    from console.issuer_keys.models import IssuerKeyInfo

_ISSUER = click.argument("issuer")
_COUNTER = click.argument("counter", type=click.IntRange(0))
_BASES = click.option("--bases", type=int, default=0, help="How many bases.  [default: what the scheme needs, and some to spare]")
_DAYS = click.option("--days", "lifetime_days", type=int, default=0, help="How long it is valid.  [default: that of the installation]")


@click.group(name="keys")
def command() -> None:
    """Issuer keys. ISSUER is scheme.issuer, COUNTER the number of a key."""


@command.command(name="list")
@click.option("--issuer", default=None, help="Only this issuer's.")
@click.option("--scheme", default=None, help="Only this scheme's.")
@data_option
@json_option
def list_command(issuer: str | None, scheme: str | None, data_directory: Path | None, as_json: bool) -> None:
    """List the register of issuer keys."""
    with opened_console(data_directory) as services:
        found = services.issuer_keys.list(caller(), issuer, scheme)
    if as_json:
        print_object(found)
        return
    for key in found:
        _print_key(key)


@command.command()
@_ISSUER
@data_option
@json_option
def rotation(issuer: str, data_directory: Path | None, as_json: bool) -> None:
    """Tell how far the rotation of ISSUER is, and what comes next."""
    with opened_console(data_directory) as services:
        view = services.issuer_keys.rotation(caller(), issuer)
    if as_json:
        print_object(view)
        return
    for stage in view.stages:
        click.echo(f"{stage.name}  {stage.state.value}  {stage.note}".rstrip())
    click.echo(f"Next: {view.next_action}" if view.next_action and not view.closed_reason else f"Waits: {view.closed_reason}")


@command.command()
@_ISSUER
@_BASES
@_DAYS
@click.option("--draft", default="", help="The draft that its public key goes to.  [default: one of its own]")
@wait_option
@reason_option(required=False)
@data_option
def generate(issuer: str, bases: int, lifetime_days: int, draft: str, wait: bool, reason: str | None, data_directory: Path | None) -> None:
    """Generate the next key of ISSUER in the background; its public key then stands in a draft."""
    from console.issuer_keys.models import NewKey

    with opened_console(data_directory) as services:
        key = services.issuer_keys.generate(caller(), NewKey(issuer, bases, lifetime_days, draft), reason or "")
        if wait and key.job_id is not None:
            wait_for(services, key.job_id)
            key = services.issuer_keys.get(caller(), issuer, key.counter)
    _print_key(key)


@command.command()
@_ISSUER
@_COUNTER
@data_option
def cancel(issuer: str, counter: int, data_directory: Path | None) -> None:
    """Stop the generation of a key."""
    with opened_console(data_directory) as services:
        services.issuer_keys.cancel_generation(caller(), issuer, counter)
    click.echo(f"The generation of {issuer}-{counter} stops.")


@command.command()
@_ISSUER
@_COUNTER
@wait_option
@reason_option(required=False)
@data_option
def publish(issuer: str, counter: int, wait: bool, reason: str | None, data_directory: Path | None) -> None:
    """Publish the public key of a generated key."""
    with opened_console(data_directory) as services:
        publication = services.issuer_keys.publish(caller(), issuer, counter, reason or "")
        if wait and publication.job_id is not None:
            wait_for(services, publication.job_id)
            publication = services.publishing.get(caller(), publication.id)
    click.echo(f"Publication {publication.id} of {publication.scheme_id} is {publication.state.value}.")


@command.command()
@_ISSUER
@_COUNTER
@data_option
def look(issuer: str, counter: int, data_directory: Path | None) -> None:
    """Look whether a public key is served at the public address."""
    with opened_console(data_directory) as services:
        _print_key(services.issuer_keys.look(caller(), issuer, counter))


@command.command()
@_ISSUER
@_COUNTER
@reason_option(required=False)
@data_option
def activate(issuer: str, counter: int, reason: str | None, data_directory: Path | None) -> None:
    """Issue with a key from now on; refused until it was seen live for its waiting period."""
    with opened_console(data_directory) as services:
        _print_key(services.issuer_keys.activate(caller(), issuer, counter, reason or ""))


@command.command()
@_ISSUER
@_COUNTER
@reason_option(required=False)
@data_option
def retire(issuer: str, counter: int, reason: str | None, data_directory: Path | None) -> None:
    """Never issue with a key again; its credentials stay verifiable."""
    with opened_console(data_directory) as services:
        _print_key(services.issuer_keys.retire(caller(), issuer, counter, reason or ""))


@command.command()
@_ISSUER
@_BASES
@_DAYS
@reason_option(required=False)
@data_option
def rotate(issuer: str, bases: int, lifetime_days: int, reason: str | None, data_directory: Path | None) -> None:
    """Take the next steps of a rotation here: generate a key where none is coming, publish it, and activate it where its time has come."""
    from console.issuer_keys.models import NewKey

    with opened_console(data_directory) as services:
        actor = caller()
        while True:
            view = services.issuer_keys.rotation(actor, issuer)
            if view.closed_reason:
                click.echo(f"Waits: {view.closed_reason}")
                return
            counter = -1 if view.new is None else view.new.counter
            if view.next_action == "generate":
                key = services.issuer_keys.generate(actor, NewKey(issuer, bases, lifetime_days), reason or "")
                wait_for(services, key.job_id or 0)
                click.echo(f"Generated {key.id}.")
            elif view.next_action == "publish":
                publication = services.issuer_keys.publish(actor, issuer, counter, reason or "")
                wait_for(services, publication.job_id or 0)
                click.echo(f"Published {issuer}-{counter}.")
            elif view.next_action == "look":
                services.issuer_keys.look(actor, issuer, counter)
            else:
                if view.next_action == "activate":
                    services.issuer_keys.activate(actor, issuer, counter, reason or "")
                click.echo(f"{issuer}-{counter} issues.")
                return


def _print_key(key: "IssuerKeyInfo") -> None:
    expires = f"expires {key.expires_at:%Y-%m-%d}" if key.expires_at else ""
    click.echo(f"{key.id}  {key.state.value}  {key.bits} bits  {key.bases} bases  {key.custody.value}  {expires}".rstrip())

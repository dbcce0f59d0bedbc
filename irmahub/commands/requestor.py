"""Register requestors, their keys and permissions."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from gateway.models import AuthMethod, PermissionKind, RequestorState
from gateway.requestors.models import NewKey, NewRequestor, RequestorDetails, RequestorInfo
from irmahub.installation import caller, data_option, json_option, opened, print_json, reason_option
from irmahub.requestor_files import drift, export, import_command

_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group(name="requestor")
def command() -> None:
    """Requestors: who may start sessions. A change is effective within a second, without a restart."""


@command.command(name="list")
@click.option("--search", default="", help="A part of the name or contact.")
@click.option("--state", type=click.Choice([state.value for state in RequestorState]))
@data_option
@json_option
def list_command(search: str, state: str | None, data_directory: Path | None, as_json: bool) -> None:
    """List the requestors."""
    found: list[RequestorInfo] = []
    with opened(data_directory) as services:
        while True:
            page = services.requestors.list(
                caller(),
                search=search,
                state=None if state is None else RequestorState(state),
                after=found[-1].name if found else "",
                limit=1000,
            )
            found.extend(page)
            if len(page) < 1000:
                break
    if as_json:
        print_json([asdict(requestor) for requestor in found])
        return
    for requestor in found:
        keys = sum(key.revoked_at is None for key in requestor.keys)
        click.echo(f"{requestor.name}  {requestor.state.value}  {keys} keys  {requestor.contact}")


@command.command()
@click.argument("name")
@data_option
@json_option
def show(name: str, data_directory: Path | None, as_json: bool) -> None:
    """Show a requestor with its keys and permissions."""
    with opened(data_directory) as services:
        requestor = services.requestors.get(caller(), name)
    if as_json:
        print_json(asdict(requestor))
        return
    click.echo(f"{requestor.name}  {requestor.state.value}  {requestor.contact}")
    for key in requestor.keys:
        notes = [word for word, holds in (("revoked", key.revoked_at is not None), ("weak", key.weak)) if holds]
        expiry = f"expires {key.expires_at:%Y-%m-%d}" if key.expires_at else "no expiry"
        click.echo(f"  key {key.id}  {key.method.value}  {key.fingerprint[:16]}  {expiry}  {key.label}  {' '.join(notes)}".rstrip())
    for kind in PermissionKind:
        for pattern in getattr(requestor.permissions, kind.value):
            click.echo(f"  {kind.value}  {pattern}")


@command.command()
@click.argument("name")
@click.option("--contact", default="", help="Whom to write to.")
@click.option("--activate", is_flag=True, help="Let it start sessions at once.")
@reason_option(required=False)
@data_option
def add(name: str, contact: str, activate: bool, reason: str | None, data_directory: Path | None) -> None:
    """Register a requestor, as a draft."""
    with opened(data_directory) as services:
        requestor = services.requestors.create(caller(), NewRequestor(name, RequestorDetails(contact)), reason=reason)
        if activate:
            requestor = services.requestors.activate(caller(), name, reason=reason)
    click.echo(f"Requestor {requestor.name} is {requestor.state.value}.")


@command.command()
@click.argument("name")
@reason_option(required=False)
@data_option
def activate(name: str, reason: str | None, data_directory: Path | None) -> None:
    """Let a requestor start sessions."""
    with opened(data_directory) as services:
        services.requestors.activate(caller(), name, reason=reason)
    click.echo(f"Requestor {name} is active.")


@command.command()
@click.argument("name")
@reason_option(required=True)
@data_option
def suspend(name: str, reason: str, data_directory: Path | None) -> None:
    """Refuse a requestor new sessions."""
    with opened(data_directory) as services:
        services.requestors.suspend(caller(), name, reason=reason)
    click.echo(f"Requestor {name} is suspended.")


@command.command()
@click.argument("name")
@reason_option(required=True)
@data_option
def delete(name: str, reason: str, data_directory: Path | None) -> None:
    """Remove a requestor that is not active."""
    with opened(data_directory) as services:
        services.requestors.delete(caller(), name, reason=reason)
    click.echo(f"Requestor {name} is removed.")


@command.command()
@click.argument("name")
@click.option("--disclose", multiple=True, help="Attributes it may ask for, such as irma-demo.* (repeatable).")
@click.option("--sign", multiple=True, help="Attributes it may have messages signed with.")
@click.option("--issue", multiple=True, help="Credential types it may issue.")
@click.option("--revoke", multiple=True, help="Credential types it may revoke.")
@click.option("--host", multiple=True, help="Hosts it may have in session addresses.")
@click.option("--remove", is_flag=True, help="Take these permissions away instead.")
@reason_option(required=False)
@data_option
def permit(
    name: str,
    disclose: tuple[str, ...],
    sign: tuple[str, ...],
    issue: tuple[str, ...],
    revoke: tuple[str, ...],
    host: tuple[str, ...],
    remove: bool,
    reason: str | None,
    data_directory: Path | None,
) -> None:
    """Give a requestor permissions, beside those it has."""
    given = {"disclose": disclose, "sign": sign, "issue": issue, "revoke": revoke, "host": host}
    if not any(given.values()):
        raise click.UsageError("name at least one permission")
    with opened(data_directory) as services:
        requestor = services.requestors.get(caller(), name)
        held = {kind: getattr(requestor.permissions, kind) for kind in given}
        if remove:
            wanted = {kind: tuple(pattern for pattern in held[kind] if pattern not in given[kind]) for kind in given}
        else:
            wanted = {kind: tuple(sorted({*held[kind], *given[kind]})) for kind in given}
        permissions = replace(requestor.permissions, **wanted)
        services.requestors.set_permissions(caller(), name, permissions, version=requestor.version, reason=reason)
    for kind, patterns in wanted.items():
        for pattern in patterns:
            click.echo(f"{kind}  {pattern}")


@command.group()
def key() -> None:
    """The keys with which a requestor authenticates; several may be valid at a time."""


@key.command(name="add")
@click.argument("name")
@click.option("--method", type=click.Choice([method.value for method in AuthMethod]), required=True)
@click.option(
    "--file",
    type=click.File(),
    help="The PEM or JWK of a public key; a token or the base64 of an HMAC secret that exists already (- reads standard input). "
    "Without it a token or secret is made and printed, this once.",
)
@click.option("--label", default="", help="What people call it.")
@click.option("--not-before", type=_DATE, help="From when it is valid, in UTC.")
@click.option("--expires", type=_DATE, help="Until when it is valid, in UTC.")
@reason_option(required=False)
@data_option
def add_key(
    name: str,
    method: str,
    file: TextIO | None,
    label: str,
    not_before: datetime | None,
    expires: datetime | None,
    reason: str | None,
    data_directory: Path | None,
) -> None:
    """Add a key to a requestor."""
    material = "" if file is None else file.read().strip()
    new = NewKey(AuthMethod(method), material, label, _utc(not_before), _utc(expires))
    with opened(data_directory) as services:
        created = services.requestors.add_key(caller(), name, new, reason=reason)
    for warning in created.warnings:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"Key {created.key.id} of requestor {name} is added.", err=created.secret is not None)
    if created.secret is not None:
        # Alone on standard output, so that it can be caught without standing on a screen.
        click.echo(created.secret)


@key.command(name="revoke")
@click.argument("name")
@click.argument("key_id", type=int)
@reason_option(required=False)
@data_option
def revoke_key(name: str, key_id: int, reason: str | None, data_directory: Path | None) -> None:
    """Make key KEY_ID of a requestor invalid for good."""
    with opened(data_directory) as services:
        services.requestors.revoke_key(caller(), name, key_id, reason=reason)
    click.echo(f"Key {key_id} of requestor {name} is revoked.")


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


for _of_files in (import_command, export, drift):
    command.add_command(_of_files)

"""Register requestors, their keys and permissions."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

import click

from console.json_values import from_json
from gateway.models import AuthMethod, PermissionKind, RequestorState
from gateway.permissions import Permissions
from gateway.requestors.constraints import Constraints
from gateway.requestors.limits import Limits
from gateway.requestors.models import NewKey, NewRequestor, RequestorDetails, RequestorInfo
from irmahub.installation import caller, data_option, json_option, opened, print_json, reason_option, settings_of
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
        used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
        kind = "JWKS" if key.jwks_url else key.algorithm.value if key.algorithm else ""
        words = [key.method.value, kind, key.kid or "", key.fingerprint[:16], expiry, used, key.label, *notes]
        click.echo("  ".join([f"  key {key.id}", *filter(None, words)]))
    for kind in PermissionKind:
        for pattern in getattr(requestor.permissions, kind.value):
            click.echo(f"  {kind.value}  {pattern}")
    for what, value in (("limits", requestor.limits), ("constraints", requestor.constraints)):
        for setting, entry in asdict(value).items():
            if entry != asdict(type(value)())[setting]:
                click.echo(f"  {what}  {setting}  {json.dumps(entry, ensure_ascii=False)}")


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
@click.option("--contact", help="Whom to write to.")
@click.option("--organisation", type=int, help="The number of the organisation that it belongs to; 0 for none.")
@reason_option(required=False)
@data_option
def update(name: str, contact: str | None, organisation: int | None, reason: str | None, data_directory: Path | None) -> None:
    """Change the details of a requestor; what is not given stays."""
    with opened(data_directory) as services:
        found = services.requestors.get(caller(), name)
        details = RequestorDetails(
            found.contact if contact is None else contact,
            found.organisation_id if organisation is None else organisation or None,
        )
        services.requestors.update(caller(), name, details, version=found.version, reason=reason)
    click.echo(f"Requestor {name} is changed.")


@command.command(name="global-permissions")
@click.option("--file", type=click.File(), help="A JSON file with the permissions as they shall be (- reads standard input).")
@reason_option(required=False)
@data_option
def global_permissions(file: TextIO | None, reason: str | None, data_directory: Path | None) -> None:
    """Print the permissions that every requestor has as JSON, or replace them with those of a file of that form."""
    new = None if file is None else from_json(Permissions, _json(file))
    with opened(data_directory) as services:
        if new is not None:
            services.requestors.set_global_permissions(caller(), new, reason=reason)
        found = services.requestors.global_permissions(caller())
    print_json(asdict(found))


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


@command.command()
@click.argument("name")
@click.option("--file", type=click.File(), help="A JSON file with the limits as they shall be (- reads standard input).")
@reason_option(required=False)
@data_option
def limits(name: str, file: TextIO | None, reason: str | None, data_directory: Path | None) -> None:
    """Print the limits of a requestor as JSON, or replace them with those of a file of that form."""
    _print_or_replace(Limits, name, file, reason, data_directory)


@command.command()
@click.argument("name")
@click.option("--file", type=click.File(), help="A JSON file with the constraints as they shall be (- reads standard input).")
@reason_option(required=False)
@data_option
def constraints(name: str, file: TextIO | None, reason: str | None, data_directory: Path | None) -> None:
    """Print the constraints of a requestor as JSON, or replace them with those of a file of that form."""
    _print_or_replace(Constraints, name, file, reason, data_directory)


def _print_or_replace(
    kind: type[Limits] | type[Constraints], name: str, file: TextIO | None, reason: str | None, data_directory: Path | None
) -> None:
    new = None if file is None else from_json(kind, _json(file))
    with opened(data_directory) as services:
        requestor = services.requestors.get(caller(), name)
        if isinstance(new, Limits):
            requestor = services.requestors.set_limits(caller(), name, new, version=requestor.version, reason=reason)
        elif new is not None:
            requestor = services.requestors.set_constraints(caller(), name, new, version=requestor.version, reason=reason)
    print_json(asdict(requestor.limits if kind is Limits else requestor.constraints))


def _json(file: TextIO) -> object:
    try:
        found: object = json.load(file)
    except ValueError as error:
        raise click.UsageError(f"the file is no JSON: {error}") from error
    return found


@command.command()
@click.argument("name")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="The first day, in UTC; by default 29 days before the last.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day, by default today.")
@data_option
@json_option
def usage(name: str, since: datetime | None, until: datetime | None, data_directory: Path | None, as_json: bool) -> None:
    """Count what a requestor asked for, by day and type of session."""
    last = (until or datetime.now(UTC)).date()
    first = last - timedelta(days=29) if since is None else since.date()
    with opened(data_directory) as services:
        days = services.requestors.usage(caller(), name, first, last)
    if as_json:
        print_json([asdict(one) for one in days])
        return
    for one in days:
        click.echo(f"{one.day}  {one.action}  {one.started} started  {one.refused} refused  {one.limited} limited")


@command.command()
@click.argument("name", required=False)
@click.option("--file", type=click.File(), help="The request as JSON or JWT (- reads standard input).")
@click.option("--session", type=int, help="Instead of a requestor and a request: the number of a session in the archive.")
@click.option("--address", help="Where the request would come from.")
@data_option
@json_option
def explain(
    name: str | None, file: TextIO | None, session: int | None, address: str | None, data_directory: Path | None, as_json: bool
) -> None:
    """Tell whether a request of a requestor would be allowed, by which rule, and what it lacks. Nothing is started."""
    with opened(data_directory) as services:
        host = urlsplit(settings_of(data_directory).gateway_url).netloc
        if session is not None and name is None and file is None:
            found = services.explainer.session(caller(), session, host)
        elif name is not None and file is not None and session is None:
            found = services.explainer.request(caller(), name, file.read(), host, address=address)
        else:
            raise click.UsageError("give a requestor and --file, or --session alone")
    if as_json:
        print_json(asdict(found))
        return
    click.echo(f"{found.requestor}  {found.action}  {'allowed' if found.allowed else 'refused'}")
    if not found.allowed:
        click.echo(f"  decided by {found.decided_by}" + (f": {found.reason}" if found.reason else ""))
    for decision in found.decisions:
        rule = "no rule" if decision.rule is None else f"{decision.rule.pattern} ({decision.rule.origin.value})"
        click.echo(f"  {decision.kind.value}  {decision.subject}  {rule}")
    for check in found.checks:
        verdict = "cannot be told" if check.permitted is None else "permits" if check.permitted else "refuses"
        click.echo(f"  {check.setting}  {check.subject}  {verdict}")
    for grant in found.missing:
        click.echo("  ".join(filter(None, ["  missing", grant.setting, grant.subject, "none" if grant.pattern is None else grant.pattern])))


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
@click.option("--jwks-url", default="", help="Instead of a public key: the https address where the requestor publishes its keys.")
@click.option("--kid", default="", help="The name of the key in the header of JWTs.")
@click.option("--label", default="", help="What people call it.")
@click.option("--not-before", type=_DATE, help="From when it is valid, in UTC.")
@click.option("--expires", type=_DATE, help="Until when it is valid, in UTC.")
@reason_option(required=False)
@data_option
def add_key(
    name: str,
    method: str,
    file: TextIO | None,
    jwks_url: str,
    kid: str,
    label: str,
    not_before: datetime | None,
    expires: datetime | None,
    reason: str | None,
    data_directory: Path | None,
) -> None:
    """Add a key to a requestor."""
    material = "" if file is None else file.read().strip()
    new = NewKey(AuthMethod(method), material, label, _utc(not_before), _utc(expires), kid, jwks_url)
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

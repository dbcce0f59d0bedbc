"""Revocation: what this installation is for each credential type, what is revoked, and revoking."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.revocation.service import TypeStatus
from gateway.revocation.settings import TypeSettings
from idemix.scheme.identifiers import CredentialTypeId
from irmahub.installation import caller, data_option, json_option, opened, print_json, reason_option


@click.group(name="revocation")
def command() -> None:
    """Credentials that can be revoked. A change is effective within a second, without a restart."""


@command.command()
@click.argument("credential_type", required=False)
@data_option
@json_option
def status(credential_type: str | None, data_directory: Path | None, as_json: bool) -> None:
    """Show the roles of this installation, and the chain of each key."""
    with opened(data_directory) as services:
        found = services.revocation.status(caller(), None if credential_type is None else CredentialTypeId(credential_type))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        _show(one)


@command.command()
@click.argument("credential_type")
@click.option("--url", default="", help="The server to follow, and to which records of issuance go. Without it, this is the authority.")
@click.option("--server", is_flag=True, help="With --url: give what that server gives to apps and verifiers too.")
@click.option("--sse", is_flag=True, help="With --url: listen to that server, instead of only asking now and then.")
@click.option("--tolerance", default=0, help="Seconds that a proof may be behind.  [default: 600]")
@reason_option(required=False)
@data_option
def enable(
    credential_type: str, url: str, server: bool, sse: bool, tolerance: int, reason: str | None, data_directory: Path | None
) -> None:
    """Have credentials of a type revoked here, or follow the server where they are.

    As the authority, each of the issuer's keys that supports revocation gets its first accumulator.
    """
    settings = TypeSettings(not url, server or not url, url.rstrip("/"), tolerance, sse)
    with opened(data_directory) as services:
        _show(services.revocation.configure(caller(), CredentialTypeId(credential_type), settings, reason=reason))


@command.command()
@click.argument("credential_type")
@reason_option(required=False)
@data_option
def disable(credential_type: str, reason: str | None, data_directory: Path | None) -> None:
    """Take the role of this installation for a type away. What was issued and revoked stays on record."""
    with opened(data_directory) as services:
        services.revocation.unset(caller(), CredentialTypeId(credential_type), reason=reason)
    click.echo(f"Revocation of {credential_type} is off.")


@command.command()
@click.argument("credential_type")
@click.option("--key", "key_counter", type=int, help="Only of this key of the issuer.")
@click.option("--limit", default=50, help="How many, at most 500.")
@click.option("--before", type=int, help="Go on behind this record.")
@data_option
@json_option
def revoked(
    credential_type: str, key_counter: int | None, limit: int, before: int | None, data_directory: Path | None, as_json: bool
) -> None:
    """List what was revoked and has not expired: when it was issued and revoked, and nothing that tells whose it is."""
    with opened(data_directory) as services:
        found = services.revocation.revoked(
            caller(), CredentialTypeId(credential_type), key_counter=key_counter, before=before, limit=limit
        )
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        click.echo(f"{one.id}  key {one.key_counter}  issued {_moment(one.issued_ns)}  revoked {_moment(one.revoked_ns)}")


@command.command()
@click.argument("credential_type")
@click.argument("revocation_key")
@click.option("--issued", default=0, help="Only what was issued at this moment, in Unix nanoseconds.")
@reason_option(required=False)
@data_option
def revoke(credential_type: str, revocation_key: str, issued: int, reason: str | None, data_directory: Path | None) -> None:
    """Revoke what was issued under a revocation key."""
    with opened(data_directory) as services:
        count = services.revocation.revoke(caller(), CredentialTypeId(credential_type), revocation_key, issued_ns=issued, reason=reason)
    click.echo(f"{count} credentials are revoked.")


def _show(status: TypeStatus) -> None:
    settings = status.settings
    role = "authority" if settings.authority else "server" if settings.server else "verifier"
    follows = f"  follows {settings.revocation_server_url}" if settings.revocation_server_url else ""
    fetched = f"  fetched {status.synced_at:%Y-%m-%d %H:%M:%S}" if status.synced_at else ""
    click.echo(f"{status.credential_type}  {role}{follows}{fetched}")
    for key in status.keys:
        click.echo(
            f"  key {key.key_counter}  {key.events} events  signed {key.signed_at:%Y-%m-%d %H:%M:%S}"
            f"  {key.records} credentials, {key.revoked} revoked{'' if key.can_revoke else '  no private key'}"
        )


def _moment(nanoseconds: int) -> str:
    return f"{datetime.fromtimestamp(nanoseconds // 10**9, UTC):%Y-%m-%d %H:%M:%S}"

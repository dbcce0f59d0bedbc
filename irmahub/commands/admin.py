"""Make the first administrator, and look after users, roles, log-ins and API tokens."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from irmahub.console_installation import opened_console, print_object
from irmahub.installation import caller, data_option, json_option, reason_option

if TYPE_CHECKING:
    from gateway.actor import Grant

_NAME = click.argument("name")
_PASSWORD = click.option(
    "--password-file",
    type=click.File(),
    help="Where the password stands (- reads standard input).  [default: one is made and printed, this once]",
)
_GRANT = click.option(
    "--grant",
    "grants",
    multiple=True,
    metavar="ROLE[@SCOPE]",
    help="A role, for everything or in a scope such as scheme:irma-demo (repeatable).",
)


@click.group(name="admin")
def command() -> None:
    """Users, roles, log-ins and API tokens."""


@command.command()
@_NAME
@click.option("--display-name", default="", help="How the person is called.  [default: NAME]")
@click.option("--email", default="", help="Where mail goes.")
@_PASSWORD
@data_option
def create(name: str, display_name: str, email: str, password_file: TextIO | None, data_directory: Path | None) -> None:
    """Make the first administrator NAME. Refused where there is one."""
    from console.accounts.models import NewUser

    password, made = _password(password_file)
    with opened_console(data_directory) as services:
        user = services.accounts.create_first_administrator(caller(), NewUser(name, display_name or name, password, email))
    _tell(f"Administrator {user.name} can sign in.", password if made else None)


@command.command()
@data_option
@json_option
def users(data_directory: Path | None, as_json: bool) -> None:
    """List the users."""
    with opened_console(data_directory) as services:
        found = services.accounts.list_users(caller())
    if as_json:
        print_object(found)
        return
    for user in found:
        roles = ", ".join(f"{grant.role.value}@{grant.scope}" for grant in user.grants)
        click.echo(f"{user.id}  {user.name}  {user.display_name}  {'open' if user.is_active else 'closed'}  {roles}".rstrip())


@command.command(name="add-user")
@_NAME
@click.option("--display-name", default="", help="How the person is called.  [default: NAME]")
@click.option("--email", default="", help="Where mail goes.")
@_GRANT
@_PASSWORD
@reason_option(required=False)
@data_option
def add_user(
    name: str,
    display_name: str,
    email: str,
    grants: tuple[str, ...],
    password_file: TextIO | None,
    reason: str | None,
    data_directory: Path | None,
) -> None:
    """Make a user."""
    from console.accounts.models import NewUser

    password, made = _password(password_file)
    with opened_console(data_directory) as services:
        new = NewUser(name, display_name or name, password, email, _grants(grants))
        user = services.accounts.create_user(caller(), new, reason or "")
    _tell(f"User {user.name} can sign in.", password if made else None)


@command.command(name="set-roles")
@_NAME
@_GRANT
@reason_option(required=False)
@data_option
def set_roles(name: str, grants: tuple[str, ...], reason: str | None, data_directory: Path | None) -> None:
    """Replace the roles of user NAME."""
    with opened_console(data_directory) as services:
        user = services.accounts.find_user(caller(), name)
        services.accounts.set_grants(caller(), user.id, _grants(grants), reason or "")
    click.echo(f"The roles of {name} are replaced.")


@command.command(name="close")
@_NAME
@reason_option(required=False)
@data_option
def close_account(name: str, reason: str | None, data_directory: Path | None) -> None:
    """Close the account of user NAME; log-ins end and tokens no longer work."""
    with opened_console(data_directory) as services:
        services.accounts.set_active(caller(), services.accounts.find_user(caller(), name).id, False, reason or "")
    click.echo(f"The account of {name} is closed.")


@command.command(name="open")
@_NAME
@reason_option(required=False)
@data_option
def open_account(name: str, reason: str | None, data_directory: Path | None) -> None:
    """Open a closed account again."""
    with opened_console(data_directory) as services:
        services.accounts.set_active(caller(), services.accounts.find_user(caller(), name).id, True, reason or "")
    click.echo(f"The account of {name} is open.")


@command.command(name="password")
@_NAME
@_PASSWORD
@data_option
def password_command(name: str, password_file: TextIO | None, data_directory: Path | None) -> None:
    """Give user NAME another password; the user's log-ins end."""
    password, made = _password(password_file)
    with opened_console(data_directory) as services:
        services.accounts.change_password(caller(), services.accounts.find_user(caller(), name).id, "", password)
    _tell(f"The password of {name} is changed.", password if made else None)


@command.command(name="preferences")
@_NAME
@click.option("--language", default="", help="en or nl.  [default: that of the browser]")
@click.option("--theme", default="", help="light or dark.  [default: that of the system]")
@data_option
def preferences(name: str, language: str, theme: str, data_directory: Path | None) -> None:
    """Keep language and theme of user NAME."""
    with opened_console(data_directory) as services:
        user = services.accounts.find_user(caller(), name)
        services.accounts.set_preferences(caller(), user.id, language=language, theme=theme)
    click.echo(f"The preferences of {name} are kept.")


@command.command(name="log-ins")
@_NAME
@data_option
@json_option
def log_ins(name: str, data_directory: Path | None, as_json: bool) -> None:
    """List where user NAME is signed in."""
    with opened_console(data_directory) as services:
        found = services.accounts.list_log_ins(caller(), services.accounts.find_user(caller(), name).id)
    if as_json:
        print_object(found)
        return
    for log_in in found:
        click.echo(f"{log_in.id}  {log_in.address or 'unknown'}  seen {log_in.last_seen_at:%Y-%m-%d %H:%M}  {log_in.user_agent}")


@command.command(name="end-log-in")
@click.argument("log_in", type=int)
@data_option
def end_log_in(log_in: int, data_directory: Path | None) -> None:
    """End LOG_IN."""
    with opened_console(data_directory) as services:
        services.accounts.revoke_log_in(caller(), log_in)
    click.echo(f"Log-in {log_in} is ended.")


@command.command()
@click.option("--user", "name", default="", help="Only those of this user.")
@data_option
@json_option
def tokens(name: str, data_directory: Path | None, as_json: bool) -> None:
    """List API tokens."""
    with opened_console(data_directory) as services:
        user_id = services.accounts.find_user(caller(), name).id if name else None
        found = services.accounts.list_api_tokens(caller(), user_id)
    if as_json:
        print_object(found)
        return
    for token in found:
        state = "revoked" if token.revoked_at else f"expires {token.expires_at:%Y-%m-%d}"
        click.echo(f"{token.id}  {token.user_name}/{token.name}  {state}  {', '.join(token.actions)}")


@command.command(name="add-token")
@_NAME
@click.argument("token_name")
@click.option("--action", "actions", multiple=True, required=True, help="What it may do, such as scheme.publish (repeatable).")
@click.option("--days", type=int, default=90, show_default=True, help="How long it is valid.")
@data_option
def add_token(name: str, token_name: str, actions: tuple[str, ...], days: int, data_directory: Path | None) -> None:
    """Make the API token TOKEN_NAME for user NAME; it is printed, this once."""
    from console.accounts.models import NewApiToken

    with opened_console(data_directory) as services:
        user = services.accounts.find_user(caller(), name)
        created = services.accounts.create_api_token(caller(), NewApiToken(token_name, actions, days), user.id)
    _tell(f"Token {created.token.id} acts for {name} until {created.token.expires_at:%Y-%m-%d}.", created.secret)


@command.command(name="revoke-token")
@click.argument("token", type=int)
@reason_option(required=False)
@data_option
def revoke_token(token: int, reason: str | None, data_directory: Path | None) -> None:
    """End TOKEN."""
    with opened_console(data_directory) as services:
        services.accounts.revoke_api_token(caller(), token, reason or "")
    click.echo(f"Token {token} is revoked.")


def _password(file: TextIO | None) -> tuple[str, bool]:
    """The password in a file, or one just made, and whether it was made."""
    if file is not None:
        return str(file.read()).rstrip("\n"), False
    return secrets.token_urlsafe(18), True


def _tell(text: str, secret: str | None) -> None:
    """Say what was done; a secret stands alone on standard output, so that it can be caught without standing on a screen."""
    click.echo(text, err=secret is not None)
    if secret is not None:
        click.echo(secret)


def _grants(texts: tuple[str, ...]) -> "tuple[Grant, ...]":
    from gateway.actor import Grant, Role

    grants = []
    for text in texts:
        role, _, scope = text.partition("@")
        if role not in [known.value for known in Role]:
            raise click.BadParameter(f"{role} is no role; there are {', '.join(known.value for known in Role)}", param_hint="--grant")
        grants.append(Grant(Role(role), scope or "*"))
    return tuple(grants)

"""Run the gateway alone, in place of irma server and from its configuration.

Options are those of `irma server`: flags with dashes, environment variables `IRMASERVER_…`, a file with underscores; in this order of
precedence.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import click

from gateway.options import KINDS, Kind
from irmahub.installation import json_option, print_json
from irmahub.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])

_SHORT: Final = {
    "schemes_path": "s",
    "privkeys": "k",
    "url": "u",
    "port": "p",
    "listen_addr": "l",
    "api_prefix": "a",
    "jwt_issuer": "j",
    "email": "e",
    "quiet": "q",
}
_METAVAR: Final = {Kind.TEXT: "TEXT", Kind.NUMBER: "NUMBER", Kind.FLAG: "[true|false]", Kind.LIST: "NAME,NAME…", Kind.MAP: "JSON"}


class _Command(click.Command):
    """A command whose flags may stand alone (`--sse`), and whose names may have underscores, as irma server takes them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _as_click_reads(args))


class _Group(click.Group):
    """The same for the command that has others below it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _as_click_reads(args))


_ALONE: Final = {f"--{name.replace('_', '-')}" for name, kind in KINDS.items() if kind is Kind.FLAG}


def _as_click_reads(args: Sequence[str]) -> list[str]:
    read: list[str] = []
    for arg in args:
        if arg == "--":
            return [*read, *args[len(read) :]]
        if arg.startswith("--"):
            name, equals, value = arg.partition("=")
            name = name.replace("_", "-")
            read.append(f"{name}=true" if name in _ALONE and not equals else f"{name}{equals}{value}")
        else:
            read.append("--quiet=true" if arg == "-q" else arg)
    return read


def _server_options(function: Function) -> Function:
    """Every option of irma server, and those of our own."""
    decorated: Any = function
    for name, kind in reversed(list(KINDS.items())):
        flag = f"--{name.replace('_', '-')}"
        if name == "verbose":
            decorated = click.option("-v", "--verbose", "verbose", count=True, help="Log more; may be repeated.")(decorated)
            continue
        names = [flag, name] if name not in _SHORT or kind is Kind.FLAG else [f"-{_SHORT[name]}", flag, name]
        decorated = click.option(*names, multiple=kind is Kind.LIST, metavar=_METAVAR[kind])(decorated)
    decorated = click.option("-c", "--config", "config", metavar="FILE", help="The configuration file: JSON, TOML or YAML.")(decorated)
    decorated = click.option(
        "--database", "database", is_flag=True, help="Also use the requestors, issuer keys and archive of the installation (IRMAHUB_…)."
    )(decorated)
    return click.option(  # type: ignore[no-any-return]
        "--workers", "workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes; several need Redis."
    )(decorated)


def _given(options: dict[str, Any]) -> dict[str, str | Sequence[str]]:
    """The options that stood on the command line."""
    given: dict[str, str | Sequence[str]] = {}
    for name, value in options.items():
        if name == "verbose":
            if value:
                given[name] = str(value)
        elif isinstance(value, tuple):
            if value:
                given[name] = [item for text in value for item in text.split(",") if item]
        elif value is not None:
            given[name] = value
    return given


@click.group(name="gateway", cls=_Group, invoke_without_command=True)
@_server_options
@click.pass_context
def command(ctx: click.Context, database: bool, workers: int, **options: Any) -> None:
    """Serve until SIGINT or SIGTERM comes, as irma server does.

    Every fault of the configuration is told at once, and then nothing is started.
    """
    if ctx.invoked_subcommand is None:
        _run(database, workers, options)
    elif _given(options) or database or workers != 1:
        raise click.UsageError(f"give the options behind {ctx.invoked_subcommand}")


@command.command(name="run", cls=_Command)
@_server_options
def run(database: bool, workers: int, **options: Any) -> None:
    """The same as the command without a name."""
    _run(database, workers, options)


@command.command(name="check", cls=_Command)
@_server_options
@json_option
def check(database: bool, workers: int, as_json: bool, **options: Any) -> None:
    """Tell everything that is wrong with a configuration, what has no effect, and what would run. Nothing is started."""
    from irmahub.logs import configure_logs
    from irmahub.standalone import inspect

    configure_logs("error")
    inspection = inspect(_given(options), os.environ, settings=_settings(database), workers=workers)
    problems = [{"option": problem.option, "message": problem.message} for problem in inspection.problems]
    notes = [{"option": note.option, "message": note.message} for note in inspection.notes]
    if as_json:
        told = {"problems": problems, "notes": notes, "drift": dict(inspection.drift)}
        print_json(told | {"origins": dict(inspection.options.origins), "would_run": inspection.summary})
    else:
        for label, found in (("Problem", problems), ("Note", notes)):
            for one in found:
                click.echo(f"{label}: {one['option']}: {one['message']}" if one["option"] else f"{label}: {one['message']}")
        for name, text in inspection.drift.items():
            click.echo(f"Drift: {name}: {text}")
        click.echo("This would run:" if not problems else "This would run, were it not for the problems:")
        _print_summary(inspection.summary)
    if problems:
        raise click.exceptions.Exit(1)


def _print_summary(summary: dict[str, Any]) -> None:
    for name, value in summary.items():
        if name == "listeners":
            for listener in value:
                click.echo(f"  listens at {listener['address']}{' with TLS' if listener['tls'] else ''} for {listener['serves']}")
        else:
            shown = ", ".join(value) if isinstance(value, list) else {None: "none", True: "yes", False: "no"}.get(value, value)
            click.echo(f"  {name.replace('_', ' ')}: {shown or 'none'}")


def _settings(database: bool) -> Settings | None:
    return Settings.from_environment() if database else None


def _run(database: bool, workers: int, options: dict[str, Any]) -> None:
    from functools import partial

    from irmahub.logs import configure_logs
    from irmahub.server import listen, serve
    from irmahub.standalone import inspect, make_sites, require_startable

    configure_logs("error")
    inspection = inspect(_given(options), os.environ, settings=_settings(database), workers=workers, prepares_schemes=True)
    launch = require_startable(inspection)
    sockets = []
    for address in launch.addresses:
        try:
            sockets.append(listen(address))
        except OSError as error:
            raise click.ClickException(f"{address}: {error.strerror}") from error
    configure_logs(launch.log_level, launch.log_format)
    _log_start(inspection)
    serve(sockets, partial(make_sites, launch), workers=workers)


def _log_start(inspection: Any) -> None:
    import structlog

    log = structlog.get_logger(__name__)
    log.info("gateway.starting", **{name: value for name, value in inspection.summary.items() if value is not None})
    for note in inspection.notes:
        log.warning("config.note", option=note.option, note=note.message)
    for name, text in inspection.drift.items():
        log.warning("requestors.drift", requestor=name, difference=text)

"""Measure the product on this machine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


@click.group(name="bench")
def command() -> None:
    """Measure the product on this machine."""


@command.command()
@click.option("--bits", type=click.Choice(["1024", "2048", "4096"]), multiple=True, default=["1024", "2048", "4096"], show_default=True)
@click.option("--attributes", type=click.IntRange(1, 200), multiple=True, default=[5, 10, 20, 40], show_default=True)
@click.option("--repetitions", type=click.IntRange(3), default=25, show_default=True)
@click.option("--key-pairs", type=click.IntRange(0), default=20, show_default=True, help="How many key pairs to make; 0 for none.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    default="irmahub-bench-engine.svg",
    show_default=True,
    help="Where the picture of cost against number of attributes is written.",
)
def engine(bits: tuple[str, ...], attributes: tuple[int, ...], repetitions: int, key_pairs: int, as_json: bool, picture: Path) -> None:
    """Measure the engine, in milliseconds and in units of one modular exponentiation of 2048 bits."""
    from irmahub.bench import engine as bench
    from irmahub.bench.picture import picture_of

    rows = bench.run(
        bits=[int(length) for length in bits],
        attributes=sorted(attributes),
        repetitions=repetitions,
        key_pairs=key_pairs,
        report=lambda what: click.echo(what, err=True),
    )
    picture.write_text(picture_of(rows))
    click.echo(json.dumps([row.to_json() for row in rows], indent=2) if as_json else bench.table(rows))


@command.command()
@click.option("--type", "kinds", type=click.Choice(["disclosure", "issuance"]), multiple=True, default=["disclosure", "issuance"])
@click.option("--store", "stores", type=click.Choice(["redis", "memory"]), multiple=True, default=["redis", "memory"], show_default=True)
@click.option(
    "--auth", "authentications", type=click.Choice(["open", "rs256"]), multiple=True, default=["open", "rs256"], show_default=True
)
@click.option("--clients", type=click.IntRange(1, 256), default=16, show_default=True, help="Sessions at a time.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=20, show_default=True, help="Of each run, after three to warm up.")
@click.option("--runs", type=click.IntRange(1, 20), default=1, show_default=True, help="Of each kind; figures are their medians.")
@click.option("--max-sessions", type=click.IntRange(2), default=1_000_000, show_default=True, help="Ends a run that reaches it.")
@click.option("--database-url", help="A PostgreSQL database for the tables, empty or of this version.  [default: SQLite in a new folder]")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--profile", "profiles", is_flag=True, help="Tell what a session costs part by part instead.")
def sessions(
    kinds: tuple[str, ...],
    stores: tuple[str, ...],
    authentications: tuple[str, ...],
    clients: int,
    seconds: float,
    runs: int,
    max_sessions: int,
    database_url: str | None,
    as_json: bool,
    profiles: bool,
) -> None:
    """Measure whole sessions on a server of its own, in processor time of one modular exponentiation of 2048 bits.

    The server is the production server on loopback: a process for each core with Redis, one with sessions in memory, the archive on.
    A load generator in its own process creates sessions, connects, proves or commits, and fetches the results. Processor time is
    read from the process table, that of gateway, worker and Redis apart from the generator's; a PostgreSQL server's is not counted.
    """
    from irmahub.bench import sessions as bench

    bounds = {"clients": clients, "seconds": seconds, "runs": runs, "max_sessions": max_sessions}
    measured = {"kinds": kinds, "stores": stores, "authentications": authentications}
    environment = {"IRMAHUB_DATABASE_URL": database_url} if database_url else {}

    def report(what: str) -> None:
        click.echo(what, err=True)

    if profiles:
        found = bench.profile(**measured, **bounds, environment=environment, report=report)
        click.echo(json.dumps([one.to_json() for one in found], indent=2) if as_json else "\n\n".join(map(bench.profile_table, found)))
        return
    rows = bench.run(**measured, **bounds, environment=environment, report=report)
    click.echo(json.dumps([row.to_json() for row in rows], indent=2) if as_json else bench.table(rows))


@command.command()
@click.option("--listeners", type=click.IntRange(2, 20_000), default=5000, show_default=True)
@click.option("--clients", type=click.IntRange(1, 64), default=4, show_default=True, help="Changes that are raised at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def events(listeners: int, clients: int, as_json: bool) -> None:
    """Measure status events: listeners on one server, changes raised on another that shares its Redis.

    Each listener has a session of its own, which is cancelled on the other server; the time is from that request to the event's
    arrival. Memory is that of all processes of both servers while everybody listens.
    """
    from irmahub.bench import events as bench

    figures = bench.run(listeners=listeners, clients=clients, report=lambda what: click.echo(what, err=True))
    click.echo(json.dumps(figures.to_json(), indent=2) if as_json else bench.table(figures))

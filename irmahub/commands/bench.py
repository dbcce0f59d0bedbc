"""Measure the product on this machine."""

import json
from pathlib import Path

import click


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

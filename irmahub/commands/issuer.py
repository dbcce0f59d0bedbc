"""Make keys for issuers."""

import os
import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
_KEY_FILE = re.compile(r"([0-9]{1,10})\.xml", re.ASCII)
_PERIOD = re.compile(r"([0-9]{1,6})([yMdhm])", re.ASCII)


@click.group(name="issuer")
def command() -> None:
    """Make keys for issuers."""


@command.command()
@click.argument("path", type=_DIRECTORY, default=".")
@click.option("-l", "--keylength", "length", type=click.Choice(["1024", "2048", "4096"]), default="2048", show_default=True)
@click.option(
    "-a", "--numattributes", "bases", type=click.IntRange(2, 1000), default=12, show_default=True, help="Bases: attributes and 2."
)
@click.option("--attributes", type=click.IntRange(1, 998), help="Attributes, instead of --numattributes.")
@click.option("-c", "--counter", type=click.IntRange(0, (1 << 32) - 1), default=0, help="Number of the key.  [default: highest and 1]")
@click.option("-e", "--expirydate", "expires", help="When the key expires, RFC 3339; goes before --valid-for.")
@click.option("-v", "--valid-for", "valid_for", default="1y", show_default=True, help="A number and one of y M d h m.")
@click.option("-s", "--privatekey", "private_path", type=click.Path(path_type=Path), help="[default: PrivateKeys/COUNTER.xml]")
@click.option("-p", "--publickey", "public_path", type=click.Path(path_type=Path), help="[default: PublicKeys/COUNTER.xml]")
@click.option("-f", "--force-overwrite", "overwrite", is_flag=True, help="Take the place of existing files.")
def keygen(
    path: Path,
    length: str,
    bases: int,
    attributes: int | None,
    counter: int,
    expires: str | None,
    valid_for: str,
    private_path: Path | None,
    public_path: Path | None,
    overwrite: bool,
) -> None:
    """Make a key pair for the issuer in PATH (default: the working directory)."""
    from idemix.keys.generate import generate_key_pair

    number = counter or _next_counter(path)
    expires_at = _expiry(expires, valid_for)
    private_file = private_path or path / "PrivateKeys" / f"{number}.xml"
    public_file = public_path or path / "PublicKeys" / f"{number}.xml"
    # Both are looked at first, so that no half pair stays behind.
    for file in (private_file, public_file):
        if not overwrite and os.path.lexists(file):
            raise click.ClickException(f"File {file} already exists, not overwriting")
    click.echo("Generating keys (may take several minutes)")
    with click.progressbar(range(100), label="Searching for primes", file=sys.stderr) as bar:

        def show(part: float) -> None:
            bar.update(max(0, int(part * 100) - bar.pos))

        number_of_bases = bases if attributes is None else attributes + 2
        pair = generate_key_pair(int(length), counter=number, expires_at=expires_at, bases=number_of_bases, progress=show)
    _write(private_file, pair.private.to_xml(), mode=0o600)
    _write(public_file, pair.public.to_xml(), mode=0o644)
    click.echo(f"Private key written at {private_file}")
    click.echo(f"Public key written at {public_file}")


def _next_counter(path: Path) -> int:
    """The highest number of a public key and one; 0 where there is none."""
    folder = path / "PublicKeys"
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return max((int(match[1]) for name in names if (match := _KEY_FILE.fullmatch(name))), default=-1) + 1


def _expiry(expires: str | None, valid_for: str) -> int:
    """The expiry in Unix seconds."""
    if expires is not None:
        try:
            moment = datetime.fromisoformat(expires)
        except ValueError as error:
            raise click.BadParameter(f"{expires!r} is not RFC 3339", param_hint="--expirydate") from error
        if moment.tzinfo is None:
            raise click.BadParameter("the time zone is missing", param_hint="--expirydate")
        return int(moment.timestamp())
    match = _PERIOD.fullmatch(valid_for)
    if not match:
        raise click.BadParameter(f"{valid_for!r} is not a number and one of y M d h m", param_hint="--valid-for")
    return _later(datetime.now(UTC), int(match[1]), match[2])


def _later(start: datetime, count: int, unit: str) -> int:
    """A moment some years, months, days, hours or minutes later, in Unix seconds.

    A day that the month does not have counts on into the next month, as in Go's `time.AddDate`.
    """
    if unit in "dhm":
        return int(start.timestamp()) + count * {"d": 86_400, "h": 3_600, "m": 60}[unit]
    months = start.year * 12 + start.month - 1 + count * (12 if unit == "y" else 1)
    if months // 12 > 9_999:
        raise click.BadParameter("beyond the year 9999", param_hint="--valid-for")
    first = start.replace(year=months // 12, month=months % 12 + 1, day=1)
    return int(first.timestamp()) + (start.day - 1) * 86_400


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a key in one step; directories are made for the owner only."""
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(content)
        shutil.move(new, path)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error

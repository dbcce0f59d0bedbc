"""Check, sign and make keys for schemes.

Output and flags are those of `irma scheme`; exit status 0 success, 1 failure, 2 wrong use.
"""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from irmahub.commands.issuer import command as issuer_command

if TYPE_CHECKING:
    from idemix.scheme.findings import Finding
    from idemix.scheme.verdict import SchemeVerdict

_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


class _Moment(click.ParamType[int]):
    """A moment as ISO 8601 or Unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            if value.lstrip("-").isdigit():
                return int(value)
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither ISO 8601 nor Unix seconds", param, ctx)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@click.group(name="scheme")
def command() -> None:
    """Check, sign and make keys for schemes."""


command.add_command(issuer_command)


@command.command()
@click.argument("path", type=_DIRECTORY, default=".")
@click.option("--at", "now", type=_Moment(), metavar="TIME", help="Judge expiry at this time (ISO 8601 or Unix seconds).  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON, with our own advice (lint).")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
def verify(path: Path, now: int | None, as_json: bool, strict: bool) -> None:
    """Check the scheme, or the folder of schemes, in PATH (default: the working directory)."""
    from gateway.scheme_files import is_configuration, is_scheme, read_tree, scheme_directories
    from idemix.scheme.configuration import verify_configuration
    from idemix.scheme.verify import verify_scheme

    moment = _now() if now is None else now
    is_folder = is_configuration(path)
    if not is_folder and not is_scheme(path) and not any((path / name).exists() for name in ("description.xml", "description.json")):
        raise click.ClickException("Verification failed: path must contain a scheme, or multiple schemes in subdirectories")
    if is_folder:
        checked = verify_configuration((read_tree(directory) for directory in scheme_directories(path)), now=moment, lint=as_json)
        verdicts, errors = checked.verdicts, [(problem.directory, problem.finding) for problem in checked.problems]
    else:
        verdict = verify_scheme(read_tree(path), now=moment, lint=as_json)
        verdicts, errors = {path.resolve().name: verdict}, [("", finding) for finding in verdict.errors]
    warnings = [finding for verdict in verdicts.values() for finding in verdict.warnings]
    failed = bool(errors or (strict and warnings))
    if as_json:
        click.echo(json.dumps(_as_data(verdicts, errors, failed=failed, at=moment), indent=2))
    else:
        _print_verdict(is_folder, warnings, errors, strict=strict)
    if failed:
        raise SystemExit(1)


@command.command()
@click.argument("private_key", type=_FILE, default="sk.pem", metavar="[PRIVATEKEY]")
@click.argument("path", type=_DIRECTORY, default=".")
@click.option("-n", "--noverification", is_flag=True, help="Do not check the scheme that comes out.")
def sign(private_key: Path, path: Path, noverification: bool) -> None:
    """Sign the scheme in PATH with PRIVATEKEY: write timestamp, index, index.sig and pk.pem.

    Defaults are sk.pem and the working directory. Nothing is written if the scheme that would come out is faulty.
    """
    from gateway.scheme_files import read_tree, write_signature
    from idemix.scheme import keys
    from idemix.scheme.signing import previous_timestamp, sign_tree
    from idemix.scheme.verify import verify_scheme

    key = _read_private_key(private_key)
    public_key = keys.print_public_key(key.public_key())
    tree = read_tree(path)
    now, previous = _now(), previous_timestamp(tree)
    if previous is not None:
        # Installations fetch a scheme when its timestamp rises, and it counts whole seconds.
        now = max(now, previous + 1)
    signed = sign_tree(tree, partial(keys.sign, key), public_key, now=now, previous=previous)
    if not noverification:
        verdict = verify_scheme(signed, now=_now(), lint=False)
        for warning in verdict.warnings:
            click.echo(f"Warning: {_shown(warning.message)}")
        if verdict.errors:
            _print_errors(("", error) for error in verdict.errors)
            raise click.ClickException("The scheme was not signed: what would come out is faulty")
    if "pk.pem" in tree and not _same_key(tree["pk.pem"], public_key):
        click.echo("Warning: pk.pem changes; whoever installed the scheme under the old key will refuse this one", err=True)
    write_signature(signed, path)


@command.command()
@click.option("-s", "--privatekey", "private_key", type=_FILE, default="sk.pem", show_default=True, help="Where the private key goes.")
@click.option("-p", "--publickey", "public_key", type=_FILE, default="pk.pem", show_default=True, help="Where the public key goes.")
@click.option("--pass", "with_passphrase", is_flag=True, help="Protect the private key with a passphrase.")
def keygen(private_key: Path, public_key: Path, with_passphrase: bool) -> None:
    """Make a key with which schemes are signed. Existing files stay as they are."""
    from idemix.scheme import keys

    _require_absent(private_key)
    _require_absent(public_key)
    passphrase = _new_passphrase() if with_passphrase else None
    key = keys.generate_scheme_key()
    _write_new(private_key, keys.print_private_key(key, passphrase), mode=0o600)
    _write_new(public_key, keys.print_public_key(key.public_key()), mode=0o644)
    click.echo(f"Private key written at {private_key}")
    click.echo(f"Public key written at {public_key}")


@command.command()
@click.option("-i", "--in", "source", type=_FILE, default="sk.pem", show_default=True, help="The private key.")
@click.option("-o", "--out", "target", type=_FILE, default="sk-copy.pem", show_default=True, help="Where the copy goes.")
@click.option("--pass/--no-pass", "with_passphrase", default=True, show_default=True, help="Protect the copy with a passphrase.")
def keycopy(source: Path, target: Path, with_passphrase: bool) -> None:
    """Copy a scheme's private key, with another passphrase or none. An existing file stays as it is."""
    from idemix.scheme import keys

    _require_absent(target)
    key = _read_private_key(source)
    _write_new(target, keys.print_private_key(key, _new_passphrase() if with_passphrase else None), mode=0o600)


# Output -----------------------------------------------------------------------------------------------------------------


def _print_verdict(is_folder: bool, warnings: "Iterable[Finding]", errors: "list[tuple[str, Finding]]", *, strict: bool) -> None:
    warnings = list(warnings)
    click.echo("Verifying as configuration directory" if is_folder else "Verifying scheme")
    for warning in warnings:
        click.echo(f"Warning: {_shown(warning.message)}")
    if errors:
        _print_errors(errors)
        count = len(errors)
        click.echo(f"Verification failed: {count} error{'' if count == 1 else 's'}.", err=True)
    elif strict and warnings:
        click.echo("Verification failed: --strict takes warnings for errors.", err=True)
    else:
        click.echo()
        click.echo("Verification was successful.")


def _print_errors(errors: "Iterable[tuple[str, Finding]]") -> None:
    for directory, error in errors:
        click.echo(f"Error: {_shown(f'{directory}: ' if directory else '')}{_shown(error.message)}", err=True)


def _as_data(verdicts: "dict[str, SchemeVerdict] | Any", errors: "list[tuple[str, Finding]]", *, failed: bool, at: int) -> dict[str, Any]:
    return {
        "verdict": "fail" if failed else "pass",
        "at": at,
        "schemes": [
            {
                "directory": directory,
                "scheme": verdict.scheme_id,
                "status": verdict.status.value,
                "errors": [finding.to_json() for where, finding in errors if where in ("", directory)],
                "warnings": [finding.to_json() for finding in verdict.warnings],
                "lint": [finding.to_json() for finding in verdict.lint],
            }
            for directory, verdict in verdicts.items()
        ],
    }


def _shown(text: str) -> str:
    """A text for a terminal: what is not printable is written out."""
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in text)


# Files and passphrases --------------------------------------------------------------------------------------------------


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


def _read_private_key(path: Path) -> Any:
    from idemix.scheme import keys

    try:
        content = path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"The private key cannot be read: {path}: {error.strerror}") from error
    passphrase = None
    if keys.is_encrypted(content):
        passphrase = click.prompt("Enter passphrase", hide_input=True, default="", show_default=False).encode()
    return keys.read_private_key(content, passphrase, where=str(path))


def _new_passphrase() -> bytes:
    passphrase: str = click.prompt("Enter passphrase", hide_input=True, confirmation_prompt="Repeat passphrase")
    return passphrase.encode()


def _require_absent(path: Path) -> None:
    if os.path.lexists(path):
        raise click.ClickException(f"File {path} already exists, not overwriting")


def _write_new(path: Path, content: bytes, *, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _same_key(old: bytes, new: bytes) -> bool:
    from idemix.errors import MalformedKeyError
    from idemix.scheme import keys

    try:
        return keys.print_public_key(keys.read_public_key(old)) == new
    except MalformedKeyError:
        return False

"""Look after the private keys: key-encryption key, import, export."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import click

from gateway.custody.kek import KEK_VARIABLE, create_kek_file
from gateway.models import IssuerKeyState
from irmahub.installation import caller, data_option, json_option, opened, print_json, reason_option, settings_of

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(name="custody")
def command() -> None:
    """Keys in custody: encrypted under a key-encryption key that never enters the database."""


@command.command()
@data_option
def init(data_directory: Path | None) -> None:
    """Make the key-encryption key, where there is none, and custody's own keys. Run again it does nothing."""
    settings = settings_of(data_directory)
    if not os.environ.get(KEK_VARIABLE):
        create_kek_file(settings.kek_file)
    with opened(data_directory) as services:
        services.custody.pepper()
        services.custody.jwt_key()
        status = services.custody.status(caller())
    where = KEK_VARIABLE if os.environ.get(KEK_VARIABLE) else settings.kek_file
    click.echo(f"Custody is ready. Key-encryption key {status.current_kek} comes from {where}: keep a copy where the database is not.")


@command.command()
@data_option
@json_option
def status(data_directory: Path | None, as_json: bool) -> None:
    """Tell what lies in custody and under which key-encryption keys."""
    with opened(data_directory) as services:
        found = services.custody.status(caller())
    if as_json:
        kinds = {kind.value: count for kind, count in found.envelopes.items()}
        print_json({"current_kek": found.current_kek, "keks": found.keks, "envelopes": kinds, "to_rewrap": found.to_rewrap})
        return
    for kek_id, count in sorted(found.keks.items()):
        click.echo(f"key-encryption key {kek_id}{' (current)' if kek_id == found.current_kek else ''}: {count} envelopes")
    for kind, count in sorted(found.envelopes.items(), key=lambda item: item[0].value):
        click.echo(f"{kind.value}: {count}")
    if found.to_rewrap:
        click.echo(f"{found.to_rewrap} envelopes lie under a former key: run `irmahub custody rewrap`")


@command.command()
@data_option
def rewrap(data_directory: Path | None) -> None:
    """Bring every envelope under the current key-encryption key. Stopped half-way, it goes on where it was."""
    with opened(data_directory) as services:
        count = services.custody.rewrap(
            caller(), progress=lambda done, total: click.echo(f"\r{done} of {total}", nl=done == total, err=True)
        )
        current = services.custody.status(caller()).current_kek
    click.echo(f"{count} envelopes were brought under key-encryption key {current}.")


@command.command(name="keys")
@click.argument("issuer", required=False)
@data_option
@json_option
def keys_command(issuer: str | None, data_directory: Path | None, as_json: bool) -> None:
    """List the register of issuer keys."""
    with opened(data_directory) as services:
        found = services.custody.issuer_keys.list(caller(), issuer)
    if as_json:
        print_json([asdict(key) for key in found])
        return
    for key in found:
        place = "in custody" if key.in_custody else "elsewhere"
        click.echo(
            f"{key.issuer_id}-{key.counter}  {key.state.value}  {key.modulus_bits} bits  {key.bases} bases  "
            f"expires {key.expires_at:%Y-%m-%d}  {place}"
        )


@command.command(name="import-issuer-key")
@click.argument("issuer")
@click.argument("private_key", type=_FILE)
@click.argument("public_key", type=_FILE)
@click.option(
    "--state",
    type=click.Choice([state.value for state in IssuerKeyState]),
    default=IssuerKeyState.GENERATED.value,
    show_default=True,
    help="How far the key is; only an active key signs.",
)
@click.option("--demo", is_flag=True, help="The key belongs to a demo scheme; its primes are not checked.")
@reason_option(required=False)
@data_option
def import_issuer_key(
    issuer: str, private_key: Path, public_key: Path, state: str, demo: bool, reason: str | None, data_directory: Path | None
) -> None:
    """Take PRIVATE_KEY (PrivateKeys/N.xml) and PUBLIC_KEY (PublicKeys/N.xml) of ISSUER into custody."""
    with opened(data_directory) as services:
        key = services.custody.issuer_keys.import_files(
            caller(),
            issuer,
            private_key.read_bytes(),
            public_key.read_bytes(),
            state=IssuerKeyState(state),
            demo=demo,
            reason=reason,
        )
    click.echo(f"Key {key.issuer_id}-{key.counter} ({key.modulus_bits} bits) is in custody; remove the private file.")


@command.command(name="export-issuer-key")
@click.argument("issuer")
@click.argument("counter", type=click.IntRange(0))
@click.argument("file", type=_NEW_FILE)
@reason_option(required=True)
@data_option
def export_issuer_key(issuer: str, counter: int, file: Path, reason: str, data_directory: Path | None) -> None:
    """Write the private key COUNTER of ISSUER to FILE, which must not exist. The export stands in the audit."""
    with opened(data_directory) as services, _secret_file(file) as write:
        write(services.custody.issuer_keys.export(caller(), issuer, counter, reason=reason))
    click.echo(f"The private key {issuer}-{counter} is in {file}.")


@command.command(name="import-scheme-key")
@click.argument("scheme")
@click.argument("private_key", type=_FILE)
@click.option("--passphrase", "with_passphrase", is_flag=True, help="The key has a passphrase; it is asked for.")
@reason_option(required=False)
@data_option
def import_scheme_key(scheme: str, private_key: Path, with_passphrase: bool, reason: str | None, data_directory: Path | None) -> None:
    """Take PRIVATE_KEY (sk.pem) of SCHEME into custody."""
    passphrase = click.prompt("Passphrase", hide_input=True).encode() if with_passphrase else None
    with opened(data_directory) as services:
        key = services.custody.scheme_keys.import_file(caller(), scheme, private_key.read_bytes(), passphrase=passphrase, reason=reason)
    click.echo(f"The key of scheme {key.scheme_id} ({key.fingerprint[:16]}) is in custody; remove the private file.")


@command.command(name="export-scheme-key")
@click.argument("scheme")
@click.argument("file", type=_NEW_FILE)
@click.option("--passphrase", "with_passphrase", is_flag=True, help="Encrypt the file under a passphrase; it is asked for.")
@reason_option(required=True)
@data_option
def export_scheme_key(scheme: str, file: Path, with_passphrase: bool, reason: str, data_directory: Path | None) -> None:
    """Write the private key of SCHEME to FILE, which must not exist. The export stands in the audit."""
    passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True).encode() if with_passphrase else None
    with opened(data_directory) as services, _secret_file(file) as write:
        write(services.custody.scheme_keys.export(caller(), scheme, passphrase=passphrase, reason=reason))
    click.echo(f"The private key of scheme {scheme} is in {file}.")


@contextmanager
def _secret_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """A new file that only its owner can read, made before the secret is taken out; it goes away where that fails."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield lambda content: _write(file, content)
        except BaseException:
            path.unlink()
            raise


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())

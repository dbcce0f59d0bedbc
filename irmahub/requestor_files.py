"""The commands of `irmahub requestor` that read and write configurations of irma server."""

from dataclasses import asdict
from pathlib import Path

import click

from gateway.configuration_text import format_of
from gateway.models import PermissionKind
from gateway.options import Options, read_text
from gateway.permissions import NO_PERMISSIONS, Permissions
from gateway.requestors.irma_config import Comparison, RequestorFiles, Standing, difference_text, read_requestors
from gateway.services import SharedServices
from irmahub.installation import caller, data_option, json_option, opened, print_json, reason_option

FORMATS = click.Choice(["json", "toml", "yaml"])


@click.command(name="import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", "text_format", type=FORMATS, help="Of the file, where its name does not tell.")
@click.option("--apply", "is_applied", is_flag=True, help="Write it; without this nothing is changed.")
@click.option("--without-global-permissions", is_flag=True, help="Leave the permissions of every requestor as they are.")
@reason_option(required=False)
@data_option
@json_option
def import_command(
    file: Path,
    text_format: str | None,
    is_applied: bool,
    without_global_permissions: bool,
    reason: str | None,
    data_directory: Path | None,
    as_json: bool,
) -> None:
    """Take over the requestors of a configuration of irma server.

    First it is told what is new, changed, the same or cannot be taken over; names of the file count in lower case.
    """
    filed = read_requestors(read_options(file, text_format), read_key_files=True)
    with opened(data_directory) as services:
        files = _files(services)
        comparison = files.compare(caller(), filed)
        if is_applied and not comparison.all_problems:
            files.take_over(caller(), filed, global_permissions=not without_global_permissions, reason=reason)
    if as_json:
        print_json(asdict(comparison) | {"applied": is_applied and not comparison.all_problems})
    else:
        print_comparison(comparison, with_global=not without_global_permissions)
        click.echo(_conclusion(comparison, is_applied=is_applied))
    if comparison.all_problems:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--format", "text_format", type=FORMATS, default="json", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.  [default: standard output]")
@data_option
def export(text_format: str, output: Path | None, data_directory: Path | None) -> None:
    """Write the requestors as a configuration of irma server.

    Keys that are secret are not in it: a reference with the fingerprint stands in their place.
    """
    with opened(data_directory) as services:
        written = _files(services).export(caller(), text_format)
    for warning in written.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if output is None:
        click.echo(written.text, nl=False)
    else:
        output.write_text(written.text)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--format", "text_format", type=FORMATS, help="Of the file, where its name does not tell.")
@click.option("--revision", help="Of the git repository that the file lies in: a branch, tag or commit, instead of what lies there now.")
@data_option
@json_option
def drift(file: Path, text_format: str | None, revision: str | None, data_directory: Path | None, as_json: bool) -> None:
    """Show how a configuration of irma server and the installation differ; keys are compared by their fingerprints.

    Exit status 1 where they do.
    """
    filed = read_requestors(read_options(file, text_format, revision), read_key_files=True)
    with opened(data_directory) as services:
        comparison = _files(services).compare(caller(), filed)
    if as_json:
        print_json(asdict(comparison) | {"is_same": comparison.is_same})
    elif comparison.is_same:
        click.echo("The file and the installation say the same.")
    else:
        print_comparison(comparison, with_global=True, only_drift=True)
    if not comparison.is_same:
        raise click.exceptions.Exit(1)


def read_options(file: Path, text_format: str | None, revision: str | None = None) -> Options:
    """The options of a file, as it lies there or as it was at a revision of the git repository around it.

    Raises:
        click.ClickException: it cannot be read, or its format is not known.
    """
    chosen = text_format or format_of(file.name)
    if chosen is None:
        raise click.UsageError("give --format: the name of the file does not tell")
    if revision is not None:
        return read_text(_at_revision(file, revision), chosen)
    try:
        return read_text(file.read_bytes(), chosen)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error


def _at_revision(file: Path, revision: str) -> bytes:
    from git import Repo
    from git.exc import GitError, ODBError

    absolute = file.parent.resolve() / file.name
    try:
        with Repo(absolute.parent, search_parent_directories=True) as repository:
            inside = absolute.relative_to(Path(str(repository.working_tree_dir)))
            content: bytes = (repository.commit(revision).tree / str(inside)).data_stream.read()
    except (GitError, ODBError, KeyError, ValueError) as error:
        raise click.ClickException(f"{file} is in no git repository that has it at {revision}") from error
    return content


def print_comparison(comparison: Comparison, *, with_global: bool, only_drift: bool = False) -> None:
    """Print what differs, a line each."""
    for problem in comparison.problems:
        click.echo(f"problem  {problem}")
    if with_global:
        for text, permissions in (
            ("only in the file", comparison.permissions_missing),
            ("only in the installation", comparison.permissions_only_here),
        ):
            if permissions != NO_PERMISSIONS:
                click.echo(f"every requestor  {_patterns(permissions)} {text}")
    for difference in comparison.requestors:
        if difference.drifts or not only_drift:
            notes = "".join(f" ({note})" for note in difference.notes)
            click.echo(f"{difference.standing.value.replace('_', ' ')}  {difference.name}  {difference_text(difference)}{notes}")


def _conclusion(comparison: Comparison, *, is_applied: bool) -> str:
    counts = {standing: sum(one.standing is standing for one in comparison.requestors) for standing in Standing}
    text = f"{counts[Standing.NEW]} new, {counts[Standing.CHANGED]} changed, {counts[Standing.SAME]} the same"
    if comparison.all_problems:
        return f"{text}. Nothing was written, since not everything can be taken over."
    return f"{text}. All was taken over." if is_applied else f"{text}. Nothing was written; --apply writes it."


def _patterns(permissions: Permissions) -> str:
    return ", ".join(f"{kind.value} {pattern}" for kind in PermissionKind for pattern in getattr(permissions, kind.value))


def _files(services: SharedServices) -> RequestorFiles:
    return RequestorFiles(services.requestors, services.custody)

"""Import, author, check and publish the schemes under the console's care."""

from pathlib import Path
from typing import TextIO

import click

from irmahub.console_installation import opened_console, print_object, read_object, wait_for, wait_option
from irmahub.installation import caller, data_option, json_option, reason_option

_SCHEME = click.argument("scheme")
_DRAFT_OPTION = click.option("--draft", default="", help="A draft, instead of the published version.")
_FILE = click.argument("file", type=click.File())


@click.group(name="schemes")
def command() -> None:
    """Schemes under the console's care. `irmahub scheme` works on folders without an installation."""


@command.command(name="list")
@data_option
@json_option
def list_command(data_directory: Path | None, as_json: bool) -> None:
    """List the schemes."""
    with opened_console(data_directory) as services:
        found = services.schemes.list(caller())
    if as_json:
        print_object(found)
        return
    for scheme in found:
        published = f"{scheme.published_at:%Y-%m-%d %H:%M}" if scheme.published_at else "never published"
        click.echo(
            f"{scheme.id}  {scheme.channel.value}  {scheme.state.value}  {published}  {scheme.issuers} issuers  "
            f"{scheme.credential_types} credential types  {scheme.errors} errors  {scheme.warnings} warnings  {scheme.drafts} drafts"
        )


@command.command()
@_SCHEME
@_DRAFT_OPTION
@data_option
def show(scheme: str, draft: str, data_directory: Path | None) -> None:
    """Print all of SCHEME as JSON."""
    with opened_console(data_directory) as services:
        print_object(services.schemes.browse(caller(), scheme, draft or None))


@command.command(name="import")
@click.argument("source")
@click.option(
    "--kind",
    type=click.Choice(["detect", "folder", "git", "address", "zip"]),
    default="detect",
    show_default=True,
    help="What SOURCE is; address: where a scheme is published.",
)
@click.option("--branch", default="", help="The branch to follow.  [default: the repository's own]")
@click.option("--channel", type=click.Choice(["demo", "staging", "production"]), default="demo", show_default=True)
@click.option("--public-key", type=click.File(), help="The pk.pem that must have signed it.  [default: the one found]")
@click.option("--remote", default="", help="Where publications are pushed.  [default: SOURCE, where it is a repository]")
@click.option("--public-url", default="", help="Where clients fetch the scheme.  [default: this installation]")
@reason_option(required=False)
@data_option
@json_option
def import_command(
    source: str,
    kind: str,
    branch: str,
    channel: str,
    public_key: TextIO | None,
    remote: str,
    public_url: str,
    reason: str | None,
    data_directory: Path | None,
    as_json: bool,
) -> None:
    """Import a scheme from SOURCE; its signature is checked first.

    SOURCE is a directory, a zip file, the path or https address of a git repository, or the https address of a published scheme.
    """
    from console.schemes.models import SchemeImport, SourceKind
    from gateway.models import Channel

    local = Path(source)
    new = SchemeImport(
        source="" if local.is_file() else str(local.absolute()) if local.exists() else source,
        kind=SourceKind(kind),
        archive=local.read_bytes() if local.is_file() else b"",
        branch=branch,
        channel=Channel(channel),
        public_key="" if public_key is None else public_key.read(),
        remote=str(Path(remote).absolute()) if remote and Path(remote).exists() else remote,
        public_url=public_url,
    )
    with opened_console(data_directory) as services:
        scheme = services.schemes.import_scheme(caller(), new, reason or "")
    if as_json:
        print_object(scheme)
    else:
        click.echo(f"{scheme.id} is imported: {scheme.issuers} issuers, {scheme.credential_types} credential types.")


@command.command()
@_SCHEME
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--version", default="", help="The commit of an earlier version.  [default: the one in force]")
@data_option
def export(scheme: str, file: Path, version: str, data_directory: Path | None) -> None:
    """Write a zip of the published version of SCHEME to FILE."""
    with opened_console(data_directory) as services:
        content = services.schemes.export(caller(), scheme, version or None)
    file.write_bytes(content)
    click.echo(f"{scheme} is in {file}: {len(content)} bytes.")


@command.command()
@_SCHEME
@reason_option(required=False)
@data_option
def pull(scheme: str, reason: str | None, data_directory: Path | None) -> None:
    """Take over what somebody else pushed to the remote of SCHEME; it is verified first."""
    with opened_console(data_directory) as services:
        summary = services.schemes.pull(caller(), scheme, reason or "")
    click.echo(f"{scheme} is at {(summary.commit or '')[:12]}.")


@command.command()
@_FILE
@reason_option(required=False)
@data_option
def create(file: TextIO, reason: str | None, data_directory: Path | None) -> None:
    """Begin a scheme from FILE, a JSON object as the API takes it; its first draft is printed."""
    from console.schemes.models import NewScheme

    new = read_object(NewScheme, file)
    with opened_console(data_directory) as services:
        print_object(services.schemes.create(caller(), new, reason or ""))


@command.command(name="add-issuer")
@_SCHEME
@click.argument("draft")
@_FILE
@data_option
def add_issuer(scheme: str, draft: str, file: TextIO, data_directory: Path | None) -> None:
    """Add the issuer in FILE (JSON; the logo as base64) to DRAFT of SCHEME."""
    from console.schemes.models import NewIssuer

    new = read_object(NewIssuer, file)
    with opened_console(data_directory) as services:
        print_object(services.schemes.add_issuer(caller(), scheme, draft, new))


@command.command(name="add-credential-type")
@_SCHEME
@click.argument("draft")
@_FILE
@data_option
def add_credential_type(scheme: str, draft: str, file: TextIO, data_directory: Path | None) -> None:
    """Add the credential type in FILE (JSON; the logo as base64) to DRAFT of SCHEME."""
    from console.schemes.models import NewCredentialType

    new = read_object(NewCredentialType, file)
    with opened_console(data_directory) as services:
        print_object(services.schemes.add_credential_type(caller(), scheme, draft, new))


@command.command()
@_SCHEME
@data_option
@json_option
def drafts(scheme: str, data_directory: Path | None, as_json: bool) -> None:
    """List the drafts of SCHEME."""
    with opened_console(data_directory) as services:
        found = services.schemes.drafts(caller(), scheme)
    if as_json:
        print_object(found)
        return
    for draft in found:
        click.echo(
            f"{draft.name}  {draft.title}  {draft.author}  {draft.changed_at:%Y-%m-%d %H:%M}  {'stale' if draft.is_stale else ''}".rstrip()
        )


@command.command(name="start-draft")
@_SCHEME
@click.argument("title")
@data_option
def start_draft(scheme: str, title: str, data_directory: Path | None) -> None:
    """Begin a draft of SCHEME on its published version."""
    with opened_console(data_directory) as services:
        draft = services.schemes.start_draft(caller(), scheme, title)
    click.echo(f"Draft {draft.name} is open.")


@command.command(name="discard-draft")
@_SCHEME
@click.argument("draft")
@reason_option(required=False)
@data_option
def discard_draft(scheme: str, draft: str, reason: str | None, data_directory: Path | None) -> None:
    """Throw DRAFT of SCHEME away."""
    with opened_console(data_directory) as services:
        services.schemes.discard_draft(caller(), scheme, draft, reason or "")
    click.echo(f"Draft {draft} is discarded.")


@command.command(name="rebase-draft")
@_SCHEME
@click.argument("draft")
@data_option
def rebase_draft(scheme: str, draft: str, data_directory: Path | None) -> None:
    """Put DRAFT of SCHEME onto the published version."""
    with opened_console(data_directory) as services:
        rebased = services.drafts.rebase(caller(), scheme, draft)
    if rebased.conflicts:
        for conflict in rebased.conflicts:
            click.echo(f"conflict: {conflict.path} {conflict.key}".rstrip(), err=True)
        raise click.ClickException("Both changed the same: choose in the console, or by the API.")
    click.echo(f"Draft {draft} starts from the published version now.")


@command.command()
@_SCHEME
@click.option("--after", default="", help="Begin after the version of this commit.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@data_option
@json_option
def versions(scheme: str, after: str, limit: int, data_directory: Path | None, as_json: bool) -> None:
    """List the versions of SCHEME that were ever published, the newest first; * marks the one in force."""
    with opened_console(data_directory) as services:
        found = services.schemes.versions(caller(), scheme, after=after, limit=limit)
    if as_json:
        print_object(found)
        return
    for version in found:
        signed = f"{version.timestamp:%Y-%m-%d %H:%M}" if version.timestamp else "no timestamp"
        mark = "*" if version.is_in_force else " "
        click.echo(f"{mark} {version.commit[:12]}  {signed}  {version.author}  {version.message.partition(chr(10))[0]}".rstrip())


@command.command()
@_SCHEME
@_DRAFT_OPTION
@data_option
@json_option
def check(scheme: str, draft: str, data_directory: Path | None, as_json: bool) -> None:
    """Check SCHEME as it would be published. Exit status 1 where it may not be."""
    with opened_console(data_directory) as services:
        result = services.schemes.check(caller(), scheme, draft or None)
    if as_json:
        print_object(result)
    else:
        for finding in result.findings:
            click.echo(f"{finding.level}: {finding.path}: {finding.message}")
        for change in result.incompatibilities:
            since = f" (published since {change.since_at:%Y-%m-%d})" if change.since_at else ""
            click.echo(f"incompatible: {change.subject}: {change.message}{since} {change.alternative}")
        for refusal in result.refusals:
            click.echo(refusal)
        if result.may_publish:
            click.echo("It may be published.")
    if not result.may_publish:
        raise click.exceptions.Exit(1)


@command.command()
@_SCHEME
@_DRAFT_OPTION
@wait_option
@reason_option(required=False)
@data_option
@json_option
def publish(scheme: str, draft: str, wait: bool, reason: str | None, data_directory: Path | None, as_json: bool) -> None:
    """Publish a draft of SCHEME, or sign its published content again. A worker carries it out."""
    with opened_console(data_directory) as services:
        publication = services.publishing.publish(caller(), scheme, draft, reason or "")
        if wait and publication.job_id is not None:
            wait_for(services, publication.job_id)
            publication = services.publishing.get(caller(), publication.id)
    if as_json:
        print_object(publication)
    else:
        click.echo(f"Publication {publication.id} of {scheme} is {publication.state.value}.")


@command.command()
@click.argument("scheme", required=False)
@data_option
@json_option
def publications(scheme: str | None, data_directory: Path | None, as_json: bool) -> None:
    """List publications, the newest first."""
    with opened_console(data_directory) as services:
        found = services.publishing.list(caller(), scheme)
    if as_json:
        print_object(found)
        return
    for publication in found:
        commit = (publication.commit or "")[:12]
        click.echo(f"{publication.id}  {publication.scheme_id}  {publication.state.value}  {commit}  {publication.error}".rstrip())


@command.command(name="cancel-publication")
@click.argument("publication", type=int)
@reason_option(required=False)
@data_option
def cancel_publication(publication: int, reason: str | None, data_directory: Path | None) -> None:
    """Stop PUBLICATION before it is pushed."""
    with opened_console(data_directory) as services:
        services.publishing.cancel(caller(), publication, reason or "")
    click.echo(f"Publication {publication} stops; the version before stays live.")

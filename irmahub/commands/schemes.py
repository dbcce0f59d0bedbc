"""Import, author, check and publish the schemes under the console's care."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from irmahub.console_installation import opened_console, print_object, read_json, read_json_object, read_object, wait_for, wait_option
from irmahub.installation import caller, data_option, json_option, reason_option

if TYPE_CHECKING:
    from console.drafts.models import Saved
    from console.services import Services
    from idemix.scheme.diff import EntityChange
    from idemix.scheme.merge import Conflict

_SCHEME = click.argument("scheme")
_DRAFT = click.argument("draft")
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


@command.command()
@_SCHEME
@_DRAFT
@click.argument("path", required=False)
@data_option
@json_option
def document(scheme: str, draft: str, path: str | None, data_directory: Path | None, as_json: bool) -> None:
    """Print the document PATH in DRAFT of SCHEME, a field on each line; without PATH, list the documents.

    PATH is that of the file in the scheme, such as RU/Issues/studentCard/description.xml. A field marked with = cannot change.
    """
    from console.drafts.answers import document_answer
    from console.drafts.service import locks

    with opened_console(data_directory) as services:
        if path is None:
            contents = services.drafts.contents(caller(), scheme, draft)
            documents = services.drafts.documents(caller(), scheme, draft)
        else:
            view = services.drafts.document(caller(), scheme, draft, path)
    if path is None:
        if as_json:
            print_object({"contents": contents, "documents": documents})
            return
        for name in documents:
            click.echo(name)
        for issuer in contents:
            for entry in (issuer, *issuer.inside):
                click.echo(f"{entry.path}  {entry.id}  {entry.change}  {'deprecated' if entry.is_deprecated else ''}".rstrip())
    elif as_json:
        print_object(document_answer(view))
    else:
        locked = locks(view, view.published)
        for key, value in view.values.items():
            click.echo(f"{'=' if key in locked else ' '} {key}: {_shown(value)}")


@command.command()
@_SCHEME
@_DRAFT
@click.argument("path")
@click.argument("change", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--unset", multiple=True, metavar="KEY", help="A field to remove; may be given more than once.")
@click.option("--from", "file", type=click.File(), help="A JSON object of values by key, null to remove; or - for standard input.")
@data_option
@json_option
def edit(
    scheme: str,
    draft: str,
    path: str,
    change: tuple[str, ...],
    unset: tuple[str, ...],
    file: TextIO | None,
    data_directory: Path | None,
    as_json: bool,
) -> None:
    """Change fields of the document PATH in DRAFT of SCHEME. Where one breaks a rule, none is changed.

    KEY is what "schemes document" prints. VALUE is the text of a text, and JSON for all else: true, 3, '["en", "nl"]'.

    \b
    irmahub schemes edit irma-demo work RU/description.xml "name.en=Demo University" 'languages=["en"]'
    """
    values: dict[str, Any] = read_json_object(file) if file is not None else {}
    for text in change:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"{text}: is not KEY=VALUE")
        values[key] = _value(path, key, value)
    values |= dict.fromkeys(unset)
    with opened_console(data_directory) as services:
        saved = services.drafts.edit(caller(), scheme, draft, path, values)
    _print_saved(saved, as_json)


@command.command()
@_SCHEME
@_DRAFT
@click.argument("path")
@click.argument("key")
@click.option("--group", default="attributes", show_default=True, help="What it is added to, such as requestors.")
@data_option
@json_option
def add(scheme: str, draft: str, path: str, key: str, group: str, data_directory: Path | None, as_json: bool) -> None:
    """Add the attribute KEY (or an object of another group) to the document PATH in DRAFT of SCHEME; it is the last."""
    with opened_console(data_directory) as services:
        saved = services.drafts.add_object(caller(), scheme, draft, path, group, key)
    _print_saved(saved, as_json)


@command.command()
@_SCHEME
@_DRAFT
@click.argument("path")
@click.argument("key")
@click.option("--steps", type=int, required=True, help="How many places later; negative for earlier.")
@data_option
@json_option
def move(scheme: str, draft: str, path: str, key: str, steps: int, data_directory: Path | None, as_json: bool) -> None:
    """Show the attribute KEY of the credential type PATH later or earlier on the card. Its place in credentials stays."""
    with opened_console(data_directory) as services:
        saved = services.drafts.move_on_card(caller(), scheme, draft, path, key, steps)
    _print_saved(saved, as_json)


@command.command(name="set-logo")
@_SCHEME
@_DRAFT
@click.argument("path")
@click.argument("file", required=False, type=click.File("rb"))
@click.option("--remove", is_flag=True, help="Take the logo away.")
@data_option
def set_logo(scheme: str, draft: str, path: str, file: BinaryIO | None, remove: bool, data_directory: Path | None) -> None:
    """Put the logo in FILE, a square PNG, beside the document PATH of an issuer or a credential type in DRAFT of SCHEME."""
    if (file is None) != remove:
        raise click.UsageError("Give either FILE or --remove.")
    with opened_console(data_directory) as services:
        services.drafts.set_logo(caller(), scheme, draft, path, None if file is None else file.read())
    click.echo(f"The logo is {'taken away' if remove else 'set'}.")


@command.command()
@_SCHEME
@_DRAFT
@click.argument("path")
@data_option
def remove(scheme: str, draft: str, path: str, data_directory: Path | None) -> None:
    """Take the issuer or credential type with the document PATH out of DRAFT of SCHEME. What was published stays."""
    with opened_console(data_directory) as services:
        services.drafts.remove(caller(), scheme, draft, path)
    click.echo(f"{path} and what belongs to it is taken out of draft {draft}.")


@command.command()
@_SCHEME
@click.option("--draft", default="", help="A draft, against the published version that it starts from.")
@click.option("--from", "before", default="", metavar="COMMIT", help="A version to compare with.  [default: the one before]")
@click.option("--to", "after", default="", metavar="COMMIT", help="A version.  [default: the one in force]")
@click.option("--raw", is_flag=True, help="Print the lines of the files that differ.")
@data_option
@json_option
def changes(scheme: str, draft: str, before: str, after: str, raw: bool, data_directory: Path | None, as_json: bool) -> None:
    """Print what a draft or a version of SCHEME changes, by entity and field."""
    if draft and (before or after):
        raise click.UsageError("Give either --draft, or --from and --to.")
    with opened_console(data_directory) as services:
        if draft:
            found = services.drafts.changes(caller(), scheme, draft)
        else:
            found = services.drafts.version_changes(caller(), scheme, after or _in_force(services, scheme), before)
        lines = services.drafts.raw(caller(), scheme, found.before, found.after) if raw else ()
    if as_json:
        print_object([{"path": path, "lines": text} for path, text in lines] if raw else found)
    elif raw:
        for _, text in lines:
            click.echo("\n".join(text))
    else:
        _print_changes(found.changes)


@command.command(name="rebase-draft")
@_SCHEME
@_DRAFT
@click.option("--mine", multiple=True, metavar="PATH#KEY", help="A conflict where the draft is right; may be given more than once.")
@click.option("--theirs", multiple=True, metavar="PATH#KEY", help="A conflict where the published version is right; likewise.")
@data_option
def rebase_draft(scheme: str, draft: str, mine: tuple[str, ...], theirs: tuple[str, ...], data_directory: Path | None) -> None:
    """Put DRAFT of SCHEME onto the published version. Where both changed one field differently, nothing is changed until it is decided."""
    from idemix.scheme.merge import Side

    decisions = {}
    for side, places in ((Side.MINE, mine), (Side.THEIRS, theirs)):
        for place in places:
            path, _, key = place.partition("#")
            if (path, key) in decisions:
                raise click.UsageError(f"{place}: is given twice")
            decisions[path, key] = side
    with opened_console(data_directory) as services:
        rebased = services.drafts.rebase(caller(), scheme, draft, decisions)
    if rebased.conflicts:
        _print_conflicts(rebased.conflicts)
        raise click.ClickException("Both changed the same: decide with --mine or --theirs for each; nothing is changed so far.")
    click.echo(f"Draft {draft} starts from the published version now.")


@command.command()
@_SCHEME
@click.argument("commit")
@click.argument("title")
@click.option("--deprecate", multiple=True, metavar="ID", help="An issuer or credential type that stays and is to be deprecated.")
@click.option("--dry-run", is_flag=True, help="Print what it would change and what stays, and begin no draft.")
@data_option
@json_option
def restore(
    scheme: str, commit: str, title: str, deprecate: tuple[str, ...], dry_run: bool, data_directory: Path | None, as_json: bool
) -> None:
    """Begin a draft called TITLE with the texts, logos and settings of the version COMMIT of SCHEME.

    What was added since and may not disappear stays, and is listed.
    """
    with opened_console(data_directory) as services:
        found = services.drafts.restoration(caller(), scheme, commit)
        draft = None if dry_run else services.drafts.restore(caller(), scheme, commit, title, deprecate)
    if as_json:
        print_object(found if draft is None else draft)
        return
    if draft is None:
        _print_changes(found.changes)
    for kept in found.kept:
        place = f"{kept.entity.id} {kept.key}".rstrip()
        click.echo(f"stays: {place} ({kept.reason.value}){'; it may be deprecated' if kept.may_be_deprecated else ''}")
    if draft is not None:
        click.echo(f"Draft {draft.name} is open.")


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
    from console.drafts.answers import check_answer

    with opened_console(data_directory) as services:
        result = services.schemes.check(caller(), scheme, draft or None)
        located = services.drafts.locate(caller(), scheme, draft or None, result)
    if as_json:
        print_object(check_answer(result, located))
    else:
        for found in located[: len(result.findings)]:
            place = f"{found.path}#{found.key}" if found.key else found.finding.path
            click.echo(f"{found.finding.level}: {place}: {found.finding.message}")
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


def _value(path: str, key: str, text: str) -> Any:
    """What a value of the command line means: the text of a text, JSON for all else."""
    from idemix.scheme.documents import Field, Kind, document_kind, find_place

    kind = document_kind(path)
    place = None if kind is None else find_place(kind, key)
    if place is None or (isinstance(place.field, Field) and place.field.kind in (Kind.TEXT, Kind.TRANSLATED)):
        return text
    try:
        return read_json(text)
    except ValueError as error:
        raise click.UsageError(f'{key}: takes JSON, such as true, 3 or ["en"]') from error


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _in_force(services: "Services", scheme: str) -> str:
    commit = services.schemes.get(caller(), scheme).commit
    if commit is None:
        raise click.ClickException(f"{scheme} was never published; name a draft with --draft.")
    return commit


def _print_saved(saved: "Saved", as_json: bool) -> None:
    """Print what came of a save; a conflict with somebody who saved at the same time ends the command."""
    from console.drafts.answers import conflict_answer

    if as_json:
        print_object(conflict_answer(saved))
    else:
        for key in saved.saved:
            click.echo(f"{key}: {_shown(saved.document.values.get(key))}")
    if saved.conflicts:
        _print_conflicts(saved.conflicts)
        raise click.ClickException("Somebody else changed the same meanwhile: what they wrote stands. Look, and edit again.")
    if not as_json and not saved.saved:
        click.echo("Nothing changed.")


def _print_conflicts(conflicts: "Iterable[Conflict]") -> None:
    for conflict in conflicts:
        place = f"{conflict.path}#{conflict.key}" if conflict.key else conflict.path
        click.echo(f"conflict: {place}", err=True)
        for name, value in (("before", conflict.base), ("mine", conflict.mine), ("theirs", conflict.theirs)):
            click.echo(f"  {name}: {_shown(value)}", err=True)


def _print_changes(found: "Iterable[EntityChange]") -> None:
    """Print what differs: a line for each entity, two for each field."""
    for change in found:
        click.echo(f"{change.kind.value}: {change.entity.id}")
        for field in change.fields:
            click.echo(f"  {field.key}")
            if field.before is not None:
                click.echo(f"    - {_shown(field.before)}")
            if field.after is not None:
                click.echo(f"    + {_shown(field.after)}")
        for line in change.rest:
            click.echo(f"  {line}")

"""Importing schemes from every kind of source, and exporting them again."""

import base64
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from console.accounts.models import NewApiToken, NewUser
from console.app import create_app
from console.errors import RefusedAddressError, RepositoryError, SchemeImportError
from console.input_guard import LARGE_BODIES, MAX_BODY_BYTES
from console.publishing import git
from console.publishing.archive import MAX_ARCHIVE_BYTES, read_archive, write_archive
from console.schemes.models import Channel, SchemeImport, SourceKind
from console.services import Services
from gateway.actor import Actor, ActorKind, Grant, Role, command_actor
from gateway.addresses import WITH_PRIVATE
from gateway.authorization import Action, PermissionDeniedError
from gateway.inputs import InvalidInputError, NotFoundError
from gateway.scheme_files import read_tree, write_tree
from idemix.scheme import keys
from tests.console.conftest import Installation, make_installation, with_settings
from tests.support.histories import make_history, signed
from tests.support.shared import shared

PASSWORD = "correct horse battery"


class PublishedFiles(SimpleHTTPRequestHandler):
    """Serves a folder and notes what is asked for."""

    asked: list[str]

    def __init__(self, *arguments: object, asked: list[str], **options: object) -> None:
        self.asked = asked
        super().__init__(*arguments, **options)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def published(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder; give its address, and the paths that are asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(PublishedFiles, directory=str(folder), asked=asked))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def open_services(installation: Installation) -> Iterator[Services]:
    """Services that may reach addresses of this machine."""
    services = with_settings(installation.services, installation.clock, outbound=WITH_PRIVATE)
    yield services
    services.close()


@pytest.fixture
def folder(tmp_path: Path, small_scheme: Path) -> Path:
    """A scheme's folder that may be changed."""
    target = tmp_path / "served" / "irma-demo"
    shutil.copytree(small_scheme, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def kept(services: Services, actor: Actor) -> tuple[object, ...]:
    """What an import that failed must not leave behind."""
    settings = services.settings
    return (
        services.schemes.list(actor),
        services.custody.issuer_keys.list(actor),
        list(settings.repositories_directory.iterdir()),
        list(settings.schemes_directory.iterdir()),
    )


NOTHING: tuple[object, ...] = ((), (), [], [])


@pytest.mark.feature("A11.1")
@pytest.mark.feature("A11.2")
@pytest.mark.parametrize(("scheme", "channel"), [("irma-demo", Channel.DEMO), ("pbdf", Channel.PRODUCTION)])
def test_a_zip_of_what_is_published_is_the_same_scheme_again(
    installation: Installation, administrator: Actor, tmp_path: Path, migrated_sqlite_file: Path, scheme: str, channel: Channel
) -> None:
    services = installation.services
    source = shared("schemes", scheme)
    services.schemes.import_scheme(administrator, SchemeImport(str(source), channel=channel))
    content = services.schemes.export(administrator, scheme)
    assert services.schemes.export(administrator, scheme) == content
    assert read_archive(content) == dict(read_tree(source))
    with pytest.raises(SchemeImportError, match="here already"):
        services.schemes.import_scheme(administrator, SchemeImport(archive=content, channel=channel))
    (tmp_path / "other").mkdir()
    for other in make_installation(tmp_path / "other", migrated_sqlite_file, installation.clock):
        again = other.services.schemes.import_scheme(administrator, SchemeImport(archive=content, channel=channel))
        assert again.errors == 0
        assert other.services.schemes.export(administrator, scheme) == content
        trees = [found.schemes.versions(administrator, scheme)[0].tree for found in (services, other.services)]
        assert trees[0] == trees[1]


@pytest.mark.feature("A11.1")
def test_a_zip_is_imported_served_and_exported_unchanged(installation: Installation, administrator: Actor, small_scheme: Path) -> None:
    services = installation.services
    content = write_archive("irma-demo", read_tree(small_scheme))
    imported = services.schemes.import_scheme(administrator, SchemeImport(archive=content))
    assert (imported.id, imported.remote, imported.issuers) == ("irma-demo", "", 3)
    assert dict(read_tree(services.settings.schemes_directory / "irma-demo")) == dict(read_tree(small_scheme))
    assert services.schemes.export(administrator, "irma-demo") == content
    assert len(services.custody.issuer_keys.list(administrator)) == 5
    (entry,) = services.audit.entries(administrator, object="scheme:irma-demo", action="scheme.import")
    assert entry.changes["kind"] == [None, "zip"]


@pytest.mark.feature("A11.1")
@pytest.mark.parametrize("change", ["a byte", "a file less", "unsigned", "another key", "no zip"])
def test_a_zip_that_is_not_a_signed_scheme_leaves_nothing(
    installation: Installation, administrator: Actor, small_scheme: Path, change: str
) -> None:
    services = installation.services
    files = dict(read_tree(small_scheme))
    new = SchemeImport()
    if change == "a byte":
        files["RU/logo.png"] += b"x"
    elif change == "a file less":
        del files["RU/description.xml"]
    elif change == "unsigned":
        del files["index.sig"]
    elif change == "another key":
        new = replace(new, public_key=keys.print_public_key(keys.generate_scheme_key().public_key()).decode())
    archive = b"no zip" if change == "no zip" else write_archive("irma-demo", files)
    with pytest.raises(SchemeImportError):
        services.schemes.import_scheme(administrator, replace(new, archive=archive))
    assert kept(services, administrator) == NOTHING


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (SchemeImport(), "source"),
        (SchemeImport(kind=SourceKind.ZIP), "archive"),
        (SchemeImport("/tmp", archive=b"x"), "source"),
        (SchemeImport(kind=SourceKind.GIT, archive=b"x"), "kind"),
        (SchemeImport("https://example.org/x", kind=SourceKind.FOLDER), "source"),
        (SchemeImport("/no/such/folder", kind=SourceKind.FOLDER), "source"),
    ],
)
def test_a_source_that_does_not_fit_its_kind_names_the_field(
    services: Services, administrator: Actor, new: SchemeImport, field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        services.schemes.import_scheme(administrator, new)
    assert set(caught.value.errors) == {field}


@pytest.mark.feature("A11.1")
def test_a_scheme_is_installed_from_its_address_as_a_client_installs_it(
    open_services: Services, administrator: Actor, folder: Path
) -> None:
    (folder / "RU" / "PrivateKeys" / "1.xml").unlink()
    (folder / "README.md").write_text("not in the index")
    with published(folder.parent) as (url, asked):
        imported = open_services.schemes.import_scheme(administrator, SchemeImport(f"{url}irma-demo/description.xml"))
    assert (imported.id, imported.remote, imported.issuers) == ("irma-demo", "", 3)
    (folder / "README.md").unlink()
    assert read_archive(open_services.schemes.export(administrator, "irma-demo")) == dict(read_tree(folder))
    # The look whether it is a scheme, then the order of a client.
    beginning = ["index", "description.xml", "pk.pem", "index", "index.sig", "timestamp"]
    assert [path.removeprefix("/irma-demo/") for path in asked[:6]] == beginning
    assert "/irma-demo/RU/PrivateKeys/1.xml" in asked


def test_a_key_that_is_given_is_not_fetched(open_services: Services, administrator: Actor, folder: Path) -> None:
    own = (folder / "pk.pem").read_text()
    other = keys.print_public_key(keys.generate_scheme_key().public_key()).decode()
    with published(folder) as (url, asked):
        with pytest.raises(SchemeImportError, match="no scheme can be installed") as caught:
            open_services.schemes.import_scheme(administrator, SchemeImport(url, kind=SourceKind.ADDRESS, public_key=other))
        assert "not signed by the scheme’s key" in caught.value.findings[0]
        assert kept(open_services, administrator) == NOTHING
        imported = open_services.schemes.import_scheme(
            administrator, SchemeImport(url, kind=SourceKind.ADDRESS, public_key=own.replace("\n", "\r\n"))
        )
    assert imported.id == "irma-demo"
    assert "/pk.pem" not in asked
    assert open_services.schemes.file(administrator, "irma-demo", "pk.pem").decode() == own


def test_a_requestor_scheme_is_installed_with_its_logos(open_services: Services, administrator: Actor, tmp_path: Path) -> None:
    source = tmp_path / "demo-requestors"
    shutil.copytree(shared("schemes", "mutant-base", "demo-requestors"), source)
    source.chmod(0o755)
    (source / "sk.pem").unlink()
    with published(source) as (url, _):
        new = SchemeImport(url, kind=SourceKind.ADDRESS, channel=Channel.PRODUCTION)
        assert open_services.schemes.import_scheme(administrator, new).kind == "requestor"
    assert read_archive(open_services.schemes.export(administrator, "demo-requestors")) == dict(read_tree(source))


def test_a_logo_that_leads_out_is_not_fetched(open_services: Services, administrator: Actor, tmp_path: Path) -> None:
    files = dict(read_tree(shared("schemes", "mutant-base", "demo-requestors")))
    (path,) = (path for path in files if path.endswith(".json") and path != "description.json")
    requestors = json.loads(files[path])
    requestors[0]["logo"] = "../../x"
    files[path] = json.dumps(requestors).encode()
    write_tree(signed(files, 1_700_000_000, "demo-requestors"), tmp_path / "demo-requestors")
    with published(tmp_path / "demo-requestors") as (url, asked), pytest.raises(SchemeImportError) as caught:
        open_services.schemes.import_scheme(administrator, SchemeImport(url, kind=SourceKind.ADDRESS, channel=Channel.PRODUCTION))
    assert "must be relative" in caught.value.findings[0]
    assert not any("x.png" in one for one in asked)


def unsigned(folder: Path) -> None:
    (folder / "index.sig").write_bytes(b"x")


def another_file(folder: Path) -> None:
    (folder / "RU" / "description.xml").write_bytes(b"<Issuer/>")


def no_timestamp(folder: Path) -> None:
    (folder / "timestamp").unlink()


def another_timestamp(folder: Path) -> None:
    (folder / "timestamp").write_bytes(b"1\n")


def no_description(folder: Path) -> None:
    (folder / "description.xml").unlink()


def description_unreadable(folder: Path) -> None:
    (folder / "description.xml").write_bytes(b"<html>")


def no_key(folder: Path) -> None:
    (folder / "pk.pem").unlink()


def key_unreadable(folder: Path) -> None:
    (folder / "pk.pem").write_bytes(b"no key")


@pytest.mark.feature("A11.1")
@pytest.mark.parametrize(
    "change", [unsigned, another_file, no_timestamp, another_timestamp, no_description, description_unreadable, no_key, key_unreadable]
)
def test_an_address_that_serves_no_whole_scheme_leaves_nothing(
    open_services: Services, administrator: Actor, folder: Path, change: Callable[[Path], None]
) -> None:
    change(folder)
    with published(folder) as (url, _), pytest.raises(SchemeImportError, match="no scheme can be installed") as caught:
        open_services.schemes.import_scheme(administrator, SchemeImport(url, kind=SourceKind.ADDRESS))
    assert caught.value.findings
    assert kept(open_services, administrator) == NOTHING


def test_an_index_with_paths_that_lead_out_is_refused(open_services: Services, administrator: Actor, folder: Path) -> None:
    key = keys.read_private_key((folder / "sk.pem").read_bytes())
    for path in ("irma-demo/../../x.xml", "irma-demo/.git/config", "other/x.xml"):
        index = (folder / "index").read_bytes() + f"{'0' * 64} {path}\n".encode()
        (folder / "index").write_bytes(index)
        (folder / "index.sig").write_bytes(keys.sign(key, index))
        with published(folder) as (url, asked), pytest.raises(SchemeImportError):
            open_services.schemes.import_scheme(administrator, SchemeImport(url, kind=SourceKind.ADDRESS))
        assert not any("x.xml" in one or "config" in one for one in asked)
    assert kept(open_services, administrator) == NOTHING


def test_addresses_inside_are_refused_whatever_they_are_called(services: Services, administrator: Actor) -> None:
    for kind in SourceKind:
        if kind is SourceKind.FOLDER or kind is SourceKind.ZIP:
            continue
        for source in ("https://127.0.0.1/irma-demo", "https://localhost/irma-demo", "http://example.org/irma-demo"):
            with pytest.raises(RefusedAddressError):
                services.schemes.import_scheme(administrator, SchemeImport(source, kind=kind))


def test_a_web_address_that_serves_no_index_is_taken_for_a_repository(
    open_services: Services, administrator: Actor, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with published(tmp_path / "empty") as (url, asked), pytest.raises((RefusedAddressError, RepositoryError)):
        open_services.schemes.import_scheme(administrator, SchemeImport(url))
    assert asked == ["/index"]


def test_private_paths_are_for_commands_but_zips_for_all(installation: Installation, administrator: Actor, small_scheme: Path) -> None:
    strict = with_settings(installation.services, installation.clock, production=True)
    try:
        for kind in (SourceKind.DETECT, SourceKind.FOLDER, SourceKind.GIT):
            with pytest.raises(InvalidInputError):
                strict.schemes.import_scheme(administrator, SchemeImport(str(small_scheme), kind=kind))
        archive = write_archive("irma-demo", read_tree(small_scheme))
        assert strict.schemes.import_scheme(administrator, SchemeImport(archive=archive)).id == "irma-demo"
    finally:
        strict.close()


def test_a_history_that_could_not_be_judged_is_not_imported(
    installation: Installation, administrator: Actor, small_scheme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = installation.scheme_repository(small_scheme)
    monkeypatch.setattr(git, "MAX_LOG_BYTES", 1000)
    with pytest.raises(RepositoryError, match="more than 1000 bytes"):
        installation.services.schemes.import_scheme(administrator, SchemeImport(str(path)))
    assert kept(installation.services, administrator) == NOTHING


def test_any_version_is_exported(installation: Installation, administrator: Actor, small_scheme: Path) -> None:
    files = dict(read_tree(small_scheme))
    versions = [files, files | {"README.md": b"x"}]
    repository = make_history(installation.directory / "remote.git", versions, [1_700_000_000, 1_700_000_100])
    schemes = installation.services.schemes
    schemes.import_scheme(administrator, SchemeImport(str(repository.path)))
    newest, oldest = schemes.versions(administrator, "irma-demo")
    assert schemes.export(administrator, "irma-demo", newest.commit) == schemes.export(administrator, "irma-demo")
    assert read_archive(schemes.export(administrator, "irma-demo", oldest.commit[:12])) == repository.read(oldest.commit)
    for absent in (oldest.commit[:6], "0" * 40, "refs/heads/main", oldest.tree):
        with pytest.raises(NotFoundError):
            schemes.export(administrator, "irma-demo", absent)
    with pytest.raises(NotFoundError):
        schemes.export(administrator, "absent")
    with pytest.raises(PermissionDeniedError):
        schemes.export(replace(administrator, grants=()), "irma-demo")


@pytest.fixture
def call(installation: Installation) -> Callable[..., object]:
    """Calls the API with a token for everything."""
    accounts = installation.services.accounts
    accounts.create_first_administrator(command_actor("root"), NewUser("noor", "Noor", PASSWORD))
    noor = accounts.log_in("noor", PASSWORD, address=None).actor
    token = accounts.create_api_token(noor, NewApiToken("all", tuple(action.value for action in Action))).secret
    client: FlaskClient = create_app(installation.services, clock=installation.clock).test_client()
    return lambda method, path, **options: client.open(
        f"/api/v1{path}", method=method, headers={"Authorization": f"Bearer {token}"}, **options
    )


@pytest.mark.feature("A11.1")
@pytest.mark.feature("A11.2")
def test_a_zip_over_the_api(call: Callable[..., object]) -> None:
    files = dict(read_tree(shared("schemes", "irma-demo")))
    content = write_archive("irma-demo", files)
    assert len(content) > MAX_BODY_BYTES
    made = call("POST", "/schemes/import", json={"archive": base64.b64encode(content).decode(), "kind": "zip"})
    assert (made.status_code, made.get_json()["id"]) == (201, "irma-demo")
    answer = call("GET", "/schemes/irma-demo/archive")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="irma-demo.zip"'
    assert answer.data == content
    assert call("GET", "/schemes/irma-demo/archive?version=0123456").status_code == 404
    refused = call("POST", "/schemes/import", json={"archive": base64.b64encode(b"no zip").decode()})
    assert (refused.status_code, refused.get_json()["error"]) == (422, "import_refused")
    assert "no zip that can be read" in refused.get_json()["reasons"][0]


def test_only_an_import_may_be_large(call: Callable[..., object]) -> None:
    large = {"title": "x" * (MAX_BODY_BYTES + 1)}
    assert call("POST", "/schemes/irma-demo/drafts", json=large).status_code == 413
    assert call("POST", "/schemes/import", json=large).status_code == 422
    most = LARGE_BODIES["/api/v1/schemes/import"]
    assert most > MAX_ARCHIVE_BYTES * 4 / 3
    assert call("POST", "/schemes/import", data=b" " * (most + 1)).status_code == 413


def test_a_zip_by_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_scheme: Path) -> None:
    from click.testing import CliRunner

    from irmahub.cli import command_line

    monkeypatch.setenv("IRMAHUB_DATA_DIRECTORY", str(tmp_path / "data"))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(command_line, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    run("db", "upgrade")
    archive, again = tmp_path / "scheme.zip", tmp_path / "again.zip"
    archive.write_bytes(write_archive("irma-demo", read_tree(small_scheme)))
    assert "irma-demo is imported" in run("schemes", "import", str(archive))
    listed = run("schemes", "versions", "irma-demo")
    assert listed.startswith("* ")
    (version,) = json.loads(run("schemes", "versions", "irma-demo", "--json"))
    assert version["is_in_force"]
    run("schemes", "export", "irma-demo", str(again), "--version", version["commit"][:12])
    assert again.read_bytes() == archive.read_bytes()


def test_an_owner_of_one_issuer_may_export_but_not_import(services: Services, administrator: Actor, small_scheme: Path) -> None:
    owner = Actor(ActorKind.USER, "bo", (Grant(Role.ISSUER_OWNER, "issuer:irma-demo.RU"),))
    archive = write_archive("irma-demo", read_tree(small_scheme))
    with pytest.raises(PermissionDeniedError):
        services.schemes.import_scheme(owner, SchemeImport(archive=archive))
    services.schemes.import_scheme(administrator, SchemeImport(archive=archive))
    assert services.schemes.export(owner, "irma-demo") == archive

"""Importing, browsing and authoring schemes."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from console.errors import DraftConflictError, RefusedAddressError, SchemeImportError
from console.issuer_keys.models import NewKey
from console.publishing.git import Repository
from console.schemes.models import Channel, NewAttribute, NewCredentialType, NewIssuer, NewScheme, SchemeImport, SchemeState
from console.services import Services
from gateway.actor import Actor, Grant, Role
from gateway.authorization import PermissionDeniedError
from gateway.inputs import ConflictError, InvalidInputError, NotFoundError
from gateway.models import PublicationState
from gateway.scheme_files import read_tree
from idemix.scheme import keys
from tests.console.conftest import Installation, with_settings
from tests.support.shared import shared


def picture(width: int = 256, height: int = 256, kind: str = "PNG") -> bytes:
    """A picture of one colour."""
    content = io.BytesIO()
    Image.new("RGB", (width, height), "#204060").save(content, kind)
    return content.getvalue()


def text(english: str) -> dict[str, str]:
    return {"en": english, "nl": f"{english} NL"}


SCHEME = NewScheme("zeedam-demo", "https://schemes.example/zeedam-demo", text("Zeedam"), text("Credentials of Zeedam"))
ISSUER = NewIssuer("city", text("Demo City"), picture())
CARD = NewCredentialType(
    issuer="city",
    id="permit",
    name=text("Demo Permit"),
    description=text("A permit to park"),
    attributes=(
        NewAttribute("plate", text("Plate"), text("Licence plate")),
        NewAttribute("zone", text("Zone & area"), text("Where <you> may park"), optional=True),
    ),
    logo=picture(),
)


def test_an_import_from_a_directory_is_served_at_once(installation: Installation, administrator: Actor, small_scheme: Path) -> None:
    services = installation.services
    imported = services.schemes.import_scheme(administrator, SchemeImport(str(small_scheme)), "for a test")
    assert (imported.state, imported.remote, imported.issuers) == (SchemeState.LIVE, "", 3)
    served = read_tree(services.settings.schemes_directory / "irma-demo")
    assert dict(served) == dict(read_tree(small_scheme))
    assert services.configuration().schemes
    with pytest.raises(SchemeImportError, match="here already"):
        services.schemes.import_scheme(administrator, SchemeImport(str(small_scheme)))


def test_a_requestor_scheme_is_imported_but_not_with_its_private_key(services: Services, administrator: Actor, tmp_path: Path) -> None:
    source = tmp_path / "source" / "demo-requestors"
    shutil.copytree(shared("schemes", "mutant-base", "demo-requestors"), source)
    source.chmod(0o755)
    new = SchemeImport(str(source), channel=Channel.PRODUCTION)
    with pytest.raises(SchemeImportError, match="private keys") as caught:
        services.schemes.import_scheme(administrator, new)
    assert caught.value.findings == ("sk.pem",)
    (source / "sk.pem").unlink()
    imported = services.schemes.import_scheme(administrator, new)
    assert (imported.id, imported.kind, imported.issuers) == ("demo-requestors", "requestor", 0)


@pytest.mark.parametrize("path", ["RU/description.xml", "RU/logo.png", "index", "index.sig", "timestamp"])
def test_a_scheme_with_a_byte_changed_is_not_imported(
    installation: Installation, administrator: Actor, small_scheme: Path, tmp_path: Path, path: str
) -> None:
    repository = Repository(installation.scheme_repository(small_scheme))
    files = repository.read("refs/heads/main")
    files[path] = files[path][:-1] + bytes([files[path][-1] ^ 1])
    info = repository.info("refs/heads/main")
    from console.publishing.git import Signature

    commit = repository.commit(repository.write(files), [info.hash], "harm", Signature("x", "x@example", info.at))
    repository.update("refs/heads/main", commit, old=info.hash)
    with pytest.raises(SchemeImportError) as caught:
        installation.services.schemes.import_scheme(administrator, SchemeImport(str(repository.path)))
    assert caught.value.findings
    assert installation.services.schemes.list(administrator) == ()
    assert installation.services.custody.issuer_keys.list(administrator) == ()
    assert list(installation.services.settings.repositories_directory.iterdir()) == []


def test_another_public_key_than_the_one_given_is_refused(services: Services, administrator: Actor, small_scheme: Path) -> None:
    other = keys.print_public_key(keys.generate_scheme_key().public_key()).decode()
    with pytest.raises(SchemeImportError, match="not under the public key given"):
        services.schemes.import_scheme(administrator, SchemeImport(str(small_scheme), public_key=other))
    own = (small_scheme / "pk.pem").read_text()
    assert services.schemes.import_scheme(administrator, SchemeImport(str(small_scheme), public_key=own)).id == "irma-demo"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source": ""}, "source"),
        ({"source": "/no/such/place"}, "source"),
        ({"branch": "../x"}, "branch"),
        ({"public_key": "no key"}, "public_key"),
        ({"channel": Channel.PRODUCTION}, "channel"),
        ({"remote": "/no/such/place"}, "remote"),
    ],
)
def test_input_that_does_not_fit_names_its_field(
    services: Services, administrator: Actor, small_scheme: Path, change: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        services.schemes.import_scheme(administrator, replace(SchemeImport(str(small_scheme)), **change))  # type: ignore[arg-type]
    assert set(caught.value.errors) == {field}


def test_addresses_inside_are_refused(services: Services, administrator: Actor) -> None:
    for source in ("https://127.0.0.1/scheme.git", "https://localhost/scheme.git", "ext::sh -c true", "http://example.org/x.git"):
        with pytest.raises(RefusedAddressError):
            services.schemes.import_scheme(administrator, SchemeImport(source))
    with pytest.raises(RefusedAddressError):
        services.schemes.import_scheme(administrator, SchemeImport("/tmp", public_url="https://169.254.169.254/latest"))


def test_in_production_paths_of_the_server_are_for_commands(installation: Installation, administrator: Actor, small_scheme: Path) -> None:
    strict = with_settings(installation.services, installation.clock, production=True)
    try:
        with pytest.raises(InvalidInputError) as caught:
            strict.schemes.import_scheme(administrator, SchemeImport(str(small_scheme)))
        assert set(caught.value.errors) == {"source"}
    finally:
        strict.close()


def test_what_is_browsed_is_what_stands_in_git(services: Services, administrator: Actor, small_scheme: Path) -> None:
    services.schemes.import_scheme(administrator, SchemeImport(str(small_scheme)))
    view = services.schemes.browse(administrator, "irma-demo")
    assert [issuer.id for issuer in view.issuers] == ["irma-demo.MijnOverheid", "irma-demo.RU", "irma-demo.stemmen"]
    card = services.schemes.credential_type(administrator, "irma-demo.RU.studentCard")
    assert [attribute.id for attribute in card.attributes] == ["university", "studentCardNumber", "studentID", "level"]
    assert (card.bases_needed, card.has_logo) == (6, True)
    assert services.schemes.file(administrator, "irma-demo", card.logo_path).startswith(b"\x89PNG")
    issuer = services.schemes.issuer(administrator, "irma-demo.RU")
    assert [key.counter for key in issuer.public_keys] == [2, 1]
    for missing in ("RU/PrivateKeys/1.xml", "sk.pem", "../x", "nothing"):
        with pytest.raises(NotFoundError):
            services.schemes.file(administrator, "irma-demo", missing)
    for function, name in (
        (services.schemes.get, "other"),
        (services.schemes.get, "../irma-demo"),
        (services.schemes.issuer, "irma-demo.nobody"),
        (services.schemes.credential_type, "irma-demo.RU"),
        (services.schemes.credential_type, "irma-demo.RU.nothing"),
    ):
        with pytest.raises(NotFoundError):
            function(administrator, name)


def test_a_scheme_is_authored_published_and_issues(installation: Installation, administrator: Actor) -> None:
    services = installation.services
    remote = Repository.create(installation.directory / "zeedam.git")
    draft = services.schemes.create(administrator, replace(SCHEME, remote=str(remote.path)))
    assert (draft.name, draft.base, services.schemes.get(administrator, SCHEME.id).state) == (
        "first-version",
        None,
        SchemeState.NEVER_PUBLISHED,
    )
    services.schemes.add_issuer(administrator, SCHEME.id, draft.name, ISSUER)
    services.schemes.add_credential_type(administrator, SCHEME.id, draft.name, CARD)
    services.issuer_keys.generate(administrator, NewKey("zeedam-demo.city"))
    installation.run_jobs()
    result = services.schemes.check(administrator, SCHEME.id, draft.name)
    assert (result.may_publish, result.refusals) == (True, ())
    assert [finding for finding in result.findings if finding.level != "lint"] == []
    publication = services.publishing.publish(administrator, SCHEME.id, draft.name)
    installation.run_jobs()
    publication = services.publishing.get(administrator, publication.id)
    assert (publication.state, publication.error) == (PublicationState.LIVE, "")
    assert installation.commit_is_valid(remote.path, SCHEME.id)
    assert not any("Private" in path or path == "sk.pem" for path in remote.read("refs/heads/main"))
    services.issuer_keys.activate(administrator, "zeedam-demo.city", 0)
    card = services.schemes.credential_type(administrator, "zeedam-demo.city.permit")
    assert card.attributes[1].name == text("Zone & area")
    assert card.attributes[1].description["en"] == "Where <you> may park"
    assert card.attributes[1].optional


def test_two_who_save_the_same_draft_meet(services: Services, administrator: Actor) -> None:
    draft = services.schemes.create(administrator, SCHEME)
    services.schemes.add_issuer(administrator, SCHEME.id, draft.name, ISSUER)
    with pytest.raises(DraftConflictError):
        services.schemes.save(administrator, SCHEME.id, draft.name, {"x.xml": b"<x/>"}, "late", expected=draft.head)


def test_the_only_draft_of_a_scheme_is_not_thrown_away(services: Services, administrator: Actor, small_scheme: Path) -> None:
    services.schemes.create(administrator, SCHEME)
    with pytest.raises(ConflictError):
        services.schemes.discard_draft(administrator, SCHEME.id, "first-version")
    services.schemes.import_scheme(administrator, SchemeImport(str(small_scheme)))
    one, two = (services.schemes.start_draft(administrator, "irma-demo", "Same title") for _ in range(2))
    assert (one.name, two.name) == ("same-title", "same-title-2")
    services.schemes.discard_draft(administrator, "irma-demo", two.name)
    assert [draft.name for draft in services.schemes.drafts(administrator, "irma-demo")] == ["same-title"]
    with pytest.raises(NotFoundError):
        services.schemes.discard_draft(administrator, "irma-demo", two.name)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": "a.b"}, "id"),
        ({"id": "tempscheme"}, "id"),
        ({"id": ""}, "id"),
        ({"name": {"en": "Zeedam"}}, "name.nl"),
        ({"name": text("Zeedam\x00")}, "name.en"),
        ({"description": {**text("x"), "de": "y"}}, "description.de"),
        ({"url": "ftp://example.org"}, "url"),
        ({"languages": ()}, "languages"),
        ({"languages": ("en", "x y")}, "languages"),
    ],
)
def test_a_new_scheme_that_does_not_fit(services: Services, administrator: Actor, change: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        services.schemes.create(administrator, replace(SCHEME, **change))  # type: ignore[arg-type]
    assert field in caught.value.errors
    assert services.schemes.list(administrator) == ()


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (replace(ISSUER, id="a/b"), "id"),
        (replace(ISSUER, id="assets"), "id"),
        (replace(ISSUER, name=text("City")), "name.en"),
        (replace(ISSUER, logo=b"\x89PNG no picture"), "logo"),
        (replace(ISSUER, logo=picture(kind="JPEG")), "logo"),
        (replace(ISSUER, logo=picture(256, 128)), "logo"),
        (replace(ISSUER, logo=picture(2048, 2048)), "logo"),
        (replace(ISSUER, logo=picture() + b"\0" * 200_000), "logo"),
        (replace(CARD, issuer="other"), "issuer"),
        (replace(CARD, attributes=()), "attributes"),
        (replace(CARD, attributes=(CARD.attributes[0], CARD.attributes[0])), "attributes.1.id"),
        (replace(CARD, attributes=(replace(CARD.attributes[0], id="a.b"),)), "attributes.0.id"),
        (replace(CARD, attributes=(replace(CARD.attributes[0], name={}),)), "attributes.0.name.en"),
        (replace(CARD, attributes=(replace(CARD.attributes[0], display_index=3),)), "attributes"),
        (replace(CARD, foreground_color="blue"), "foreground_color"),
        (replace(CARD, issue_url={"en": "javascript:x"}), "issue_url"),
    ],
)
def test_what_is_added_and_does_not_fit(services: Services, administrator: Actor, new: NewIssuer | NewCredentialType, field: str) -> None:
    draft = services.schemes.create(administrator, SCHEME)
    head = services.schemes.add_issuer(administrator, SCHEME.id, draft.name, ISSUER).head
    add = services.schemes.add_issuer if isinstance(new, NewIssuer) else services.schemes.add_credential_type
    with pytest.raises(InvalidInputError) as caught:
        add(administrator, SCHEME.id, draft.name, new)  # type: ignore[operator]
    assert field in caught.value.errors
    assert services.schemes.draft(administrator, SCHEME.id, draft.name).head == head


def test_roles_reach_as_far_as_their_scope(services: Services, administrator: Actor, small_scheme: Path) -> None:
    services.schemes.import_scheme(administrator, SchemeImport(str(small_scheme)))
    nobody = replace(administrator, grants=())
    owner = replace(administrator, grants=(Grant(Role.ISSUER_OWNER, "issuer:irma-demo.RU"),))
    auditor = replace(administrator, grants=(Grant(Role.AUDITOR),))
    assert services.schemes.list(nobody) == ()
    assert [scheme.id for scheme in services.schemes.list(owner)] == ["irma-demo"]
    for forbidden in (
        lambda: services.schemes.get(nobody, "irma-demo"),
        lambda: services.schemes.import_scheme(owner, SchemeImport(str(small_scheme))),
        lambda: services.schemes.start_draft(auditor, "irma-demo", "x"),
        lambda: services.schemes.start_draft(owner, "irma-demo", "x"),
        lambda: services.schemes.create(auditor, SCHEME),
        lambda: services.schemes.check(nobody, "irma-demo"),
    ):
        with pytest.raises(PermissionDeniedError):
            forbidden()
    draft = services.schemes.start_draft(administrator, "irma-demo", "x")
    services.schemes.save(owner, "irma-demo", draft.name, {"RU/logo.png": picture()}, "own")
    with pytest.raises(PermissionDeniedError):
        services.schemes.save(owner, "irma-demo", draft.name, {"stemmen/logo.png": picture()}, "not own")

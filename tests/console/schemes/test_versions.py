"""The versions of a scheme that were ever published."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from console.accounts.models import NewApiToken, NewUser
from console.app import create_app
from console.schemes.models import SchemeImport, VersionInfo
from gateway.actor import Actor, command_actor
from gateway.authorization import Action, PermissionDeniedError
from gateway.inputs import NotFoundError
from gateway.scheme_files import read_tree
from tests.console.conftest import Installation
from tests.support.histories import make_history

PASSWORD = "correct horse battery"


@pytest.fixture
def versions(installation: Installation, administrator: Actor, small_scheme: Path) -> tuple[VersionInfo, ...]:
    """A scheme with two versions from before its import, and one that was published here."""
    files = dict(read_tree(small_scheme))
    repository = make_history(installation.directory / "remote.git", [files, files | {"README.md": b"x"}], [1_700_000_000, 1_700_000_100])
    services = installation.services
    services.schemes.import_scheme(administrator, SchemeImport(str(repository.path)))
    services.publishing.publish(administrator, "irma-demo")
    installation.run_jobs()
    return services.schemes.versions(administrator, "irma-demo")


def test_versions_are_listed_with_what_made_them(
    installation: Installation, administrator: Actor, versions: tuple[VersionInfo, ...]
) -> None:
    services = installation.services
    (publication,) = services.publishing.list(administrator)
    assert [(version.message, version.is_in_force, version.publication_id) for version in versions] == [
        ("Sign again", True, publication.id),
        ("Version 2", False, None),
        ("Version 1", False, None),
    ]
    assert (versions[0].commit, versions[0].timestamp, versions[0].author) == (publication.commit, publication.timestamp, "noor")
    assert versions[1].timestamp == versions[1].committed_at == datetime.fromtimestamp(1_700_000_100, UTC)
    repository = services.schemes.get(administrator, "irma-demo")
    assert repository.commit == versions[0].commit
    assert len({version.tree for version in versions}) == 3


def test_a_page_goes_on_after_the_one_before(installation: Installation, administrator: Actor, versions: tuple[VersionInfo, ...]) -> None:
    schemes = installation.services.schemes
    first = schemes.versions(administrator, "irma-demo", limit=2)
    assert first == versions[:2]
    assert schemes.versions(administrator, "irma-demo", limit=2, after=first[-1].commit) == versions[2:]
    assert schemes.versions(administrator, "irma-demo", after=versions[-1].commit) == ()
    with pytest.raises(NotFoundError):
        schemes.versions(administrator, "irma-demo", after="0" * 40)
    with pytest.raises(NotFoundError):
        schemes.versions(administrator, "absent")
    with pytest.raises(PermissionDeniedError):
        schemes.versions(replace(administrator, grants=()), "irma-demo")


def test_versions_over_the_api(installation: Installation, versions: tuple[VersionInfo, ...]) -> None:
    accounts = installation.services.accounts
    accounts.create_first_administrator(command_actor("root"), NewUser("noor", "Noor", PASSWORD))
    noor = accounts.log_in("noor", PASSWORD, address=None).actor
    token = accounts.create_api_token(noor, NewApiToken("versions", (Action.SCHEME_VIEW.value,))).secret
    client: FlaskClient = create_app(installation.services, clock=installation.clock).test_client()
    path = f"/api/v1/schemes/irma-demo/versions?limit=1&after={versions[0].commit}"
    answer = client.get(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer.get_json() == [
        {
            "scheme_id": "irma-demo",
            "commit": versions[1].commit,
            "tree": versions[1].tree,
            "author": "somebody",
            "committed_at": "2023-11-14T22:15:00+00:00",
            "message": "Version 2",
            "timestamp": "2023-11-14T22:15:00+00:00",
            "is_in_force": False,
            "publication_id": None,
        }
    ]

"""Publishing, from a bare repository and back to it."""

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from console.errors import (
    ApprovalsMissingError,
    NothingToPublishError,
    PublicationRejectedError,
    RepositoryError,
    SchemeImportError,
    StaleBaseError,
)
from console.jobs import list_jobs
from console.publishing.git import Remote, Repository
from console.publishing.models import StepState
from console.schemes.models import NewScheme, SchemeImport, SchemeState
from console.services import Services
from gateway.actor import Actor, ActorKind, Grant, Role
from gateway.authorization import PermissionDeniedError
from gateway.inputs import ConflictError
from gateway.models import PublicationState, Scheme
from idemix.scheme.keys import read_private_key, sign
from idemix.scheme.signing import sign_tree
from idemix.scheme.tree import SchemeTree
from tests.console.conftest import NOW, Installation
from tests.support.shared import shared

STUDENT_CARD = "RU/Issues/studentCard/description.xml"


def change(
    services: Services, actor: Actor, title: str, path: str = STUDENT_CARD, old: bytes = b"Student Card", new: bytes = b"Card"
) -> str:
    """A draft that changes a text."""
    draft = services.schemes.start_draft(actor, "irma-demo", title)
    content = services.schemes.file(actor, "irma-demo", path, draft.name)
    assert old in content
    return services.schemes.save(actor, "irma-demo", draft.name, {path: content.replace(old, new + title.encode())}, title).name


@pytest.fixture
def remote(installation: Installation, administrator: Actor, small_scheme) -> Repository:
    """The imported scheme's remote."""
    path = installation.scheme_repository(small_scheme)
    installation.services.schemes.import_scheme(administrator, SchemeImport(str(path)))
    return Repository(path)


def test_irma_demo_goes_out_signed_in_one_commit_and_is_seen_live(installation: Installation, administrator: Actor) -> None:
    services = installation.services
    path = installation.scheme_repository(shared("schemes", "irma-demo"))
    imported = services.schemes.import_scheme(administrator, SchemeImport(str(path)))
    assert (imported.issuers, imported.credential_types, imported.errors, imported.warnings) == (62, 150, 0, 2)
    draft = change(services, administrator, "Shorter name")
    result = services.schemes.check(administrator, "irma-demo", draft)
    assert result.may_publish, result.refusals
    publication = services.publishing.publish(administrator, "irma-demo", draft, "a test")
    assert publication.state is PublicationState.PUBLISHING
    installation.run_jobs()
    publication = services.publishing.get(administrator, publication.id)
    assert publication.error == ""
    assert publication.state is PublicationState.LIVE
    assert [step.name for step in publication.steps] == ["check", "approve", "sign", "commit", "push", "switch", "fetch_back", "live"]
    assert all(step.state is StepState.DONE for step in publication.steps)
    repository = Repository(path)
    assert repository.head("refs/heads/main") == publication.commit
    assert [info.message for info in repository.log(publication.commit)] == ["Shorter name", "Begin"]
    assert installation.commit_is_valid(path, "irma-demo")
    assert installation.served_is_valid("irma-demo")
    summary = services.schemes.get(administrator, "irma-demo")
    assert (summary.state, summary.drafts, summary.published_at) == (SchemeState.LIVE, 0, publication.timestamp)
    assert services.audit.verify(administrator).holds
    actions = [entry.action for entry in services.audit.entries(administrator, object="scheme:irma-demo")]
    assert {"scheme.import", "scheme.draft_start", "scheme.edit", "scheme.publish", "scheme.sign", "scheme.live"} <= set(actions)


def test_signing_again_changes_signature_and_timestamp_only(installation: Installation, administrator: Actor, remote: Repository) -> None:
    services = installation.services
    before = remote.read("refs/heads/main")
    publication = services.publishing.publish(administrator, "irma-demo")
    installation.run_jobs()
    assert services.publishing.get(administrator, publication.id).state is PublicationState.LIVE
    after = remote.read("refs/heads/main")
    assert {path for path in after if after[path] != before.get(path)} == {"timestamp", "index", "index.sig"}
    assert int(after["timestamp"]) > int(before["timestamp"])


def test_a_draft_that_changes_nothing_is_refused(services: Services, administrator: Actor, remote: Repository) -> None:
    draft = services.schemes.start_draft(administrator, "irma-demo", "Nothing yet")
    with pytest.raises(NothingToPublishError, match="nothing-yet"):
        services.publishing.publish(administrator, "irma-demo", draft.name)


def test_a_stale_draft_is_refused_and_goes_out_once_rebased(installation: Installation, administrator: Actor, remote: Repository) -> None:
    services = installation.services
    first = change(services, administrator, "One")
    second = change(services, administrator, "Two", "RU/description.xml", b"Demo University", b"Demo U")
    services.publishing.publish(administrator, "irma-demo", first)
    installation.run_jobs()
    assert not services.schemes.check(administrator, "irma-demo", second).may_publish
    with pytest.raises(StaleBaseError, match="version") as caught:
        services.publishing.publish(administrator, "irma-demo", second)
    assert "Rebase" in caught.value.diagnostics()
    assert not services.drafts.rebase(administrator, "irma-demo", second).draft.is_stale
    services.publishing.publish(administrator, "irma-demo", second)
    installation.run_jobs()
    content = b"".join(remote.read("refs/heads/main").values())
    assert b"CardOne" in content
    assert b"Demo UTwo" in content


def test_a_draft_over_the_same_field_is_not_rebased_by_itself(installation: Installation, administrator: Actor, remote: Repository) -> None:
    services = installation.services
    first, second = change(services, administrator, "One"), change(services, administrator, "Two")
    services.publishing.publish(administrator, "irma-demo", first)
    installation.run_jobs()
    rebased = services.drafts.rebase(administrator, "irma-demo", second)
    places = {(STUDENT_CARD, key) for key in ("name.en", "short_name.en", "description.en")}
    assert {(conflict.path, conflict.key) for conflict in rebased.conflicts} == places
    assert rebased.draft.is_stale


def test_two_parallel_publications_take_their_turn(installation: Installation, administrator: Actor, remote: Repository) -> None:
    services = installation.services
    one, two = (
        change(services, administrator, "One"),
        change(services, administrator, "Two", "RU/description.xml", b"Demo University", b"Demo U"),
    )
    first = services.publishing.publish(administrator, "irma-demo", one)
    second = services.publishing.publish(administrator, "irma-demo", two)
    workers = [threading.Thread(target=installation.run_jobs) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    installation.clock.move(timedelta(seconds=30))
    installation.run_jobs()
    first, second = (services.publishing.get(administrator, publication.id) for publication in (first, second))
    assert (first.state, second.state) == (PublicationState.LIVE, PublicationState.FAILED)
    assert "starts from version" in second.error
    assert remote.head("refs/heads/main") == first.commit
    assert installation.commit_is_valid(remote.path, "irma-demo")
    assert installation.served_is_valid("irma-demo")


def test_the_same_content_is_not_published_twice_at_a_time(services: Services, administrator: Actor, remote: Repository) -> None:
    draft = change(services, administrator, "Once")
    services.publishing.publish(administrator, "irma-demo", draft)
    with pytest.raises(ConflictError):
        services.publishing.publish(administrator, "irma-demo", draft)


def test_a_remote_that_moved_on_is_not_overwritten_but_pulled(
    installation: Installation, administrator: Actor, remote: Repository, small_scheme: Path
) -> None:
    services = installation.services
    draft = change(services, administrator, "Late")
    head = remote.resolve("refs/heads/main")
    other = remote.commit(remote.tree(head), [head], "Somebody else", remote_signature(remote, head))
    remote.update("refs/heads/main", other, old=head)
    publication = services.publishing.publish(administrator, "irma-demo", draft)
    installation.run_jobs()
    publication = services.publishing.get(administrator, publication.id)
    assert publication.state is PublicationState.FAILED
    assert [step.state for step in publication.steps if step.name == "push"] == [StepState.FAILED]
    assert remote.head("refs/heads/main") == other
    assert services.schemes.get(administrator, "irma-demo").commit == head
    with pytest.raises(SchemeImportError, match="timestamp does not rise"):
        services.schemes.pull(administrator, "irma-demo")
    key = read_private_key((small_scheme / "sk.pem").read_bytes())
    tree = SchemeTree(remote.read(other), name="irma-demo")
    signed = sign_tree(tree, lambda index: sign(key, index), tree["pk.pem"], now=int(tree["timestamp"]) + 60)
    later = remote.commit(remote.write(signed), [other], "Signed elsewhere", remote_signature(remote, head))
    remote.update("refs/heads/main", later, old=other)
    assert services.schemes.pull(administrator, "irma-demo").commit == later
    assert installation.served_is_valid("irma-demo")
    assert not services.drafts.rebase(administrator, "irma-demo", draft).conflicts
    publication = services.publishing.publish(administrator, "irma-demo", draft)
    installation.run_jobs()
    assert services.publishing.get(administrator, publication.id).state is PublicationState.LIVE


def remote_signature(remote: Repository, commit: str):
    from console.publishing.git import Signature

    return Signature("somebody", "a@b.example", remote.info(commit).at)


@pytest.mark.parametrize(
    ("path", "old", "new", "reason"),
    [
        (STUDENT_CARD, b'<Attribute id="level"', b'<Attribute id="grade"', "Attribute “level” became “grade”"),
        (STUDENT_CARD, b'version="4"', b'version="3"', "description.xml"),
        (STUDENT_CARD, b"</IssueSpecification>", b"", "description.xml"),
    ],
    ids=["breaks clients", "not valid", "not XML"],
)
def test_what_the_check_refuses_is_not_begun(
    services: Services, administrator: Actor, remote: Repository, path: str, old: bytes, new: bytes, reason: str
) -> None:
    draft = services.schemes.start_draft(administrator, "irma-demo", "Wrong")
    content = services.schemes.file(administrator, "irma-demo", path)
    services.schemes.save(administrator, "irma-demo", draft.name, {path: content.replace(old, new)}, "Wrong")
    with pytest.raises(PublicationRejectedError) as caught:
        services.publishing.publish(administrator, "irma-demo", draft.name)
    assert reason in caught.value.diagnostics()
    assert services.publishing.list(administrator) == ()


def test_a_channel_that_demands_approvals_is_refused(services: Services, administrator: Actor, remote: Repository) -> None:
    def demand(session: Session) -> None:
        row = session.get(Scheme, "irma-demo")
        assert row is not None
        row.required_approvals = 2

    services.database.write(demand)
    draft = change(services, administrator, "Two pairs of eyes")
    with pytest.raises(ApprovalsMissingError, match="requires 2 approvals, 0 were given"):
        services.publishing.publish(administrator, "irma-demo", draft)


def test_a_publication_is_stopped_before_the_push_and_not_after(
    installation: Installation, administrator: Actor, remote: Repository
) -> None:
    services = installation.services
    head = remote.head("refs/heads/main")
    publication = services.publishing.publish(administrator, "irma-demo", change(services, administrator, "Withdrawn"))
    services.publishing.cancel(administrator, publication.id, "on second thought")
    installation.run_jobs()
    assert services.publishing.get(administrator, publication.id).state is PublicationState.WITHDRAWN
    assert remote.head("refs/heads/main") == head
    with pytest.raises(PublicationRejectedError, match="ended"):
        services.publishing.cancel(administrator, publication.id)


def test_a_version_that_is_not_seen_at_its_address_waits_and_says_why(
    installation: Installation, administrator: Actor, remote: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = installation.services
    find = services.web_root.find
    monkeypatch.setattr(services.web_root, "find", lambda scheme, path: None if path == "index.sig" else find(scheme, path))
    publication = services.publishing.publish(administrator, "irma-demo")
    installation.run_jobs()
    step = next(step for step in services.publishing.get(administrator, publication.id).steps if step.name == "fetch_back")
    assert step.state is StepState.WAITING
    assert "index.sig answers with status 404" in step.note
    monkeypatch.undo()
    installation.clock.move(timedelta(seconds=10))
    installation.run_jobs()
    assert services.publishing.get(administrator, publication.id).state is PublicationState.LIVE


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ISSUER_OWNER, Role.SIGNER, Role.REQUESTOR_ADMIN])
def test_only_scheme_managers_publish(services: Services, administrator: Actor, remote: Repository, role: Role) -> None:
    with pytest.raises(PermissionDeniedError):
        services.publishing.publish(replace(administrator, grants=(Grant(role),)), "irma-demo")
    with pytest.raises(PermissionDeniedError):
        services.publishing.publish(replace(administrator, grants=(Grant(Role.SCHEME_MANAGER, "scheme:other"),)), "irma-demo")


def test_a_push_that_fails_names_the_cause(installation: Installation, administrator: Actor, remote: Repository) -> None:
    with pytest.raises(RepositoryError, match="git fetch"):
        Repository.create(installation.directory / "other.git").fetch(Remote.parse(str(installation.directory)), "main")


def test_a_scheme_manager_of_one_scheme_needs_no_more(installation: Installation, remote: Repository) -> None:
    manager = Actor(ActorKind.USER, "lieke", (Grant(Role.SCHEME_MANAGER, "scheme:irma-demo"),))
    services = installation.services
    publication = services.publishing.publish(manager, "irma-demo", change(services, manager, "Mine"))
    installation.run_jobs()
    assert services.publishing.get(manager, publication.id).state is PublicationState.LIVE
    assert SchemeTree(remote.read("refs/heads/main"), name="irma-demo")["timestamp"] == b"%d\n" % int(
        services.publishing.get(manager, publication.id).timestamp.timestamp()  # type: ignore[union-attr]
    )
    assert services.publishing.get(manager, publication.id).timestamp >= NOW  # type: ignore[operator]


def test_publications_of_other_schemes_take_no_place_in_a_list(services: Services, administrator: Actor, remote: Repository) -> None:
    services.publishing.publish(administrator, "irma-demo")
    other = NewScheme("other", "https://other.example/other", {"en": "Demo O", "nl": "Demo O"}, {"en": "O", "nl": "O"})
    services.schemes.create(administrator, other)
    services.publishing.publish(administrator, "other", "first-version")
    owner = Actor(ActorKind.USER, "bo", (Grant(Role.ISSUER_OWNER, "issuer:irma-demo.RU"),))
    seen = services.publishing.list(owner, limit=1)
    assert [publication.scheme_id for publication in seen] == ["irma-demo"]
    assert services.publishing.get(owner, seen[0].id).scheme_id == "irma-demo"
    manager = Actor(ActorKind.USER, "mo", (Grant(Role.SCHEME_MANAGER, "scheme:irma-demo"),))
    assert [job.object for job in list_jobs(services, manager, limit=1)] == ["scheme:irma-demo"]

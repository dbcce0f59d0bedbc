"""Documents of drafts: changed by several at once without losing a word, compared, rebased and restored."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console.drafts.models import Lock
from console.drafts.service import Drafts, card_order, lock_of, locks
from console.errors import StaleBaseError
from console.schemes.models import NewScheme, SchemeImport
from console.services import Services
from gateway.actor import Actor, Grant, Role
from gateway.authorization import PermissionDeniedError
from gateway.inputs import ConflictError, InvalidInputError, NotFoundError
from gateway.models import PublicationState
from idemix.errors import MalformedSchemeError
from idemix.scheme.diff import ChangeKind
from idemix.scheme.merge import Conflict, Side
from tests.console.conftest import Installation
from tests.console.schemes.test_service import CARD, ISSUER, picture

SCHEME = "irma-demo"
CARD_PATH = "RU/Issues/studentCard/description.xml"
ISSUER_PATH = "RU/description.xml"
BROKEN = b"<IssueSpecification"


@pytest.fixture
def drafts(installation: Installation, administrator: Actor, small_scheme: Path) -> Drafts:
    """The documents of an imported scheme with a draft called `work`."""
    source = installation.scheme_repository(small_scheme)
    installation.services.schemes.import_scheme(administrator, SchemeImport(str(source)))
    installation.services.schemes.start_draft(administrator, SCHEME, "Work", "work")
    return installation.services.drafts


@pytest.fixture
def bram(administrator: Actor) -> Actor:
    """Another author."""
    return replace(administrator, name="bram")


def values(drafts: Drafts, actor: Actor, path: str = CARD_PATH, draft: str = "work") -> dict[str, object]:
    return dict(drafts.document(actor, SCHEME, draft, path).values)


def head(services: Services, actor: Actor, draft: str = "work") -> str:
    return services.schemes.draft(actor, SCHEME, draft).head


def publish(installation: Installation, actor: Actor, draft: str) -> str:
    """Publish a draft; gives the commit."""
    publication = installation.services.publishing.publish(actor, SCHEME, draft)
    installation.run_jobs()
    publication = installation.services.publishing.get(actor, publication.id)
    assert publication.state is PublicationState.LIVE, publication.error
    assert publication.commit is not None
    return publication.commit


def start(services: Services, actor: Actor, name: str) -> str:
    return services.schemes.start_draft(actor, SCHEME, name.title(), name).name


# --- documents ---


def test_a_document_says_what_stands_in_the_file_and_what_is_published(drafts: Drafts, administrator: Actor) -> None:
    view = drafts.document(administrator, SCHEME, "work", CARD_PATH)
    assert (view.kind.name, view.entity, view.demo, view.has_logo) == ("credential-type", "irma-demo.RU.studentCard", True, True)
    assert view.values == view.published
    assert view.values["attributes"] == ("university", "studentCardNumber", "studentID", "level")
    assert set(view.languages) >= {"en", "nl"}
    assert drafts.documents(administrator, SCHEME, "work") == ("description.xml",)
    contents = drafts.contents(administrator, SCHEME, "work")
    assert [(issuer.id, issuer.change) for issuer in contents] == [
        ("irma-demo.MijnOverheid", ""),
        ("irma-demo.RU", ""),
        ("irma-demo.stemmen", ""),
    ]


def test_a_field_is_changed_in_its_place_and_nothing_else_of_the_file(drafts: Drafts, services: Services, administrator: Actor) -> None:
    before = services.schemes.file(administrator, SCHEME, CARD_PATH)
    saved = drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Campus Card", "disallow_delete": True})
    assert (saved.conflicts, saved.errors, set(saved.saved)) == ((), {}, {"name.en", "disallow_delete"})
    after = services.schemes.file(administrator, SCHEME, CARD_PATH, "work")
    lines = [line for line in after.splitlines(keepends=True) if b"<DisallowDelete>true</DisallowDelete>" not in line]
    assert b"".join(lines).replace(b"<en>Demo Campus Card</en>", b"<en>Demo Student Card</en>") == before
    assert saved.document.published is not None
    restored = drafts.edit(administrator, SCHEME, "work", CARD_PATH, {key: saved.document.published.get(key) for key in saved.saved})
    assert services.schemes.file(administrator, SCHEME, CARD_PATH, "work") == before
    assert restored.document.values == restored.document.published


def test_saving_what_is_there_is_no_commit(drafts: Drafts, services: Services, administrator: Actor) -> None:
    first = head(services, administrator)
    for path in ("description.xml", ISSUER_PATH, CARD_PATH):
        same = drafts.document(administrator, SCHEME, "work", path).values
        saved = drafts.edit(administrator, SCHEME, "work", path, same)
        assert (saved.saved, saved.conflicts) == ((), ())
    assert head(services, administrator) == first


def test_every_save_is_a_commit_of_its_author_and_stands_in_the_audit(drafts: Drafts, services: Services, bram: Actor) -> None:
    first = head(services, bram)
    saved = drafts.edit(bram, SCHEME, "work", ISSUER_PATH, {"name.en": "Demo RU", "contact_email": "a@ru.example"})
    assert saved.document.draft.head == head(services, bram) != first
    assert saved.document.draft.author == "bram"
    entry = services.audit.entries(bram, object="scheme:irma-demo", action="scheme.edit")[0]
    assert entry.actor_name == "bram"
    assert entry.changes["commit"] == [first, saved.document.draft.head]
    assert entry.changes["files"] == [None, [ISSUER_PATH]]
    assert sorted(entry.changes["fields"][1]) == ["contact_email", "name.en"]
    assert "Demo RU" not in str(entry)  # texts stand in git, once
    assert services.audit.verify(bram).holds


def test_a_title_survives_any_number_of_saves(drafts: Drafts, services: Services, administrator: Actor) -> None:
    for number in range(100):
        drafts.edit(administrator, SCHEME, "work", ISSUER_PATH, {"name.en": f"Demo {number}"})
    assert services.schemes.draft(administrator, SCHEME, "work").title == "Work"


@pytest.mark.parametrize(
    ("changes", "key", "rule"),
    [
        ({"nothing": "x"}, "nothing", "no field"),
        ({"attributes.level": "x"}, "attributes.level", "no field"),
        ({"name.x y": "x"}, "name.x y", "language"),
        ({"name.en": "a\x00b"}, "name.en", "XML"),
        ({"name.en": "\ud800"}, "name.en", "XML"),
        ({"name.en": 5}, "name.en", "text"),
        ({"singleton": "yes"}, "singleton", "true or false"),
        ({"revocation_update_count": -1}, "revocation_update_count", "0 or more"),
        ({"languages": "en"}, "languages", "list"),
        ({"dependencies": (("a",),)}, "dependencies", "conjunction"),
        ({"attributes": ("university", {})}, "attributes", "identifiers"),
        ({"attributes": "level"}, "attributes", "identifiers"),
        ({"id": "other"}, "id", "cannot change"),
        ({"issuer_id": "other"}, "issuer_id", "cannot change"),
        ({"attributes.level.id": "grade"}, "attributes.level.id", "cannot change"),
        ({"attributes.level.random_blind": True}, "attributes.level.random_blind", "cannot change"),
        ({"attributes": ("university", "studentCardNumber", "studentID")}, "attributes", "“level” was published"),
        ({"attributes": None}, "attributes", "“university” was published"),
        ({"attributes": ("studentCardNumber", "university", "studentID", "level")}, "attributes", "keep their places"),
        ({"attributes": ("new", "university", "studentCardNumber", "studentID", "level")}, "attributes", "keep their places"),
    ],
)
def test_what_cannot_be_saved_is_told_by_key_and_nothing_is_changed(
    drafts: Drafts, services: Services, administrator: Actor, changes: dict[str, object], key: str, rule: str
) -> None:
    first = head(services, administrator)
    with pytest.raises(InvalidInputError) as caught:
        drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.nl": "Demo Pas", **changes})  # type: ignore[dict-item]
    assert set(caught.value.errors) == {key}
    assert rule in caught.value.errors[key]
    assert head(services, administrator) == first
    saved = drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.nl": "Demo Pas", **changes}, partly=True)  # type: ignore[dict-item]
    assert (set(saved.errors), saved.saved) == ({key}, ("name.nl",))


def test_a_file_that_cannot_be_read_is_refused_and_can_be_replaced_by_nobody(
    drafts: Drafts, services: Services, administrator: Actor
) -> None:
    services.schemes.save(administrator, SCHEME, "work", {CARD_PATH: BROKEN}, "Break it")
    with pytest.raises(MalformedSchemeError):
        drafts.document(administrator, SCHEME, "work", CARD_PATH)
    with pytest.raises(MalformedSchemeError):
        drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo X"})
    entries = {entry.id: entry for issuer in drafts.contents(administrator, SCHEME, "work") for entry in issuer.inside}
    assert (entries["irma-demo.RU.studentCard"].change, entries["irma-demo.RU.studentCard"].name) == ("changed", {})


@pytest.mark.parametrize("seen", ["0" * 40, "HEAD", "main", "a" * 39, "--help", "../x", "\ud800", "refs/heads/main"])
def test_a_commit_that_is_none_of_this_scheme_is_not_found(drafts: Drafts, administrator: Actor, seen: str) -> None:
    assert_unknown(drafts, administrator, seen)


def test_a_commit_of_another_scheme_is_not_found(drafts: Drafts, services: Services, administrator: Actor) -> None:
    text = {"en": "Zeedam", "nl": "Zeedam"}
    other = services.schemes.create(administrator, NewScheme("zeedam-demo", "https://schemes.example/zeedam-demo", text, text))
    assert_unknown(drafts, administrator, other.head)


def assert_unknown(drafts: Drafts, actor: Actor, commit: str) -> None:
    for call in (
        lambda: drafts.document_at(actor, SCHEME, "work", CARD_PATH, commit),
        lambda: drafts.edit(actor, SCHEME, "work", CARD_PATH, {"name.en": "Demo X"}, seen=commit),
        lambda: drafts.file(actor, SCHEME, commit, CARD_PATH),
        lambda: drafts.compare(actor, SCHEME, None, commit),
        lambda: drafts.restoration(actor, SCHEME, commit),
        lambda: drafts.restore(actor, SCHEME, commit, "Back"),
        lambda: drafts.version_changes(actor, SCHEME, commit),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_what_is_not_there(drafts: Drafts, services: Services, administrator: Actor) -> None:
    for path in ("RU/nothing.xml", "RU/logo.png", "pk.pem", "RU/PublicKeys/1.xml", "../description.xml", "index", ""):
        with pytest.raises(NotFoundError):
            drafts.document(administrator, SCHEME, "work", path)
    for call in (
        lambda: drafts.document(administrator, SCHEME, "absent", CARD_PATH),
        lambda: drafts.document(administrator, "absent", "work", CARD_PATH),
        lambda: drafts.edit(administrator, SCHEME, "absent", CARD_PATH, {}),
        lambda: drafts.file(administrator, SCHEME, head(services, administrator), "sk.pem"),
        lambda: drafts.file(administrator, SCHEME, head(services, administrator), "RU/PrivateKeys/1.xml"),
        lambda: drafts.remove(administrator, SCHEME, "work", "RU/logo.png"),
        lambda: drafts.set_logo(administrator, SCHEME, "work", "description.xml", picture()),
        lambda: drafts.add_object(administrator, SCHEME, "work", CARD_PATH, "name", "x"),
        lambda: drafts.move_on_card(administrator, SCHEME, "work", CARD_PATH, "absent", 1),
    ):
        with pytest.raises(NotFoundError):
            call()


# --- two authors ---


def test_two_who_change_different_fields_lose_nothing(drafts: Drafts, services: Services, administrator: Actor, bram: Actor) -> None:
    seen = head(services, administrator)
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Hers"}, seen=seen)
    saved = drafts.edit(bram, SCHEME, "work", CARD_PATH, {"name.nl": "Demo Zijn"}, seen=seen)
    assert (saved.conflicts, saved.by_others, saved.saved) == ((), ("name.en",), ("name.nl",))
    assert (saved.document.values["name.en"], saved.document.values["name.nl"]) == ("Demo Hers", "Demo Zijn")


def test_two_who_change_one_field_meet_in_a_conflict_and_decide(
    drafts: Drafts, services: Services, administrator: Actor, bram: Actor
) -> None:
    seen = head(services, administrator)
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Hers"}, seen=seen)
    changes = {"name.en": "Demo His", "name.nl": "Demo Zijn"}
    saved = drafts.edit(bram, SCHEME, "work", CARD_PATH, changes, seen=seen)
    assert saved.conflicts == (Conflict(CARD_PATH, "name.en", "Demo Student Card", "Demo His", "Demo Hers"),)
    assert (saved.saved, saved.document.values["name.en"], saved.document.values["name.nl"]) == (("name.nl",), "Demo Hers", "Demo Zijn")
    at = saved.document.draft.head
    for decision, result in ((Side.THEIRS, "Demo Hers"), ("Demo Theirs and his", "Demo Theirs and his")):
        decided = drafts.edit(bram, SCHEME, "work", CARD_PATH, changes, seen=seen, decisions={"name.en": decision}, decided_on=at)
        assert (decided.conflicts, decided.document.values["name.en"]) == ((), result)
        at = decided.document.draft.head
    decided = drafts.edit(bram, SCHEME, "work", CARD_PATH, changes, seen=seen, decisions={"name.en": Side.MINE})
    assert decided.document.values["name.en"] == "Demo His"


def test_a_decision_on_what_has_changed_since_is_asked_again(drafts: Drafts, services: Services, administrator: Actor, bram: Actor) -> None:
    seen = head(services, administrator)
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo One"}, seen=seen)
    conflict = drafts.edit(bram, SCHEME, "work", CARD_PATH, {"name.en": "Demo His"}, seen=seen)
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Two"})
    late = drafts.edit(
        bram,
        SCHEME,
        "work",
        CARD_PATH,
        {"name.en": "Demo His"},
        seen=seen,
        decisions={"name.en": Side.MINE},
        decided_on=conflict.document.draft.head,
    )
    assert [found.theirs for found in late.conflicts] == ["Demo Two"]
    assert late.document.values["name.en"] == "Demo Two"


def test_what_is_decided_must_fit_its_field(drafts: Drafts, services: Services, administrator: Actor, bram: Actor) -> None:
    seen = head(services, administrator)
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo One"}, seen=seen)
    for decisions, key in (({"name.en": 5}, "name.en"), ({"attributes.level": "x"}, "attributes.level"), ({"id": "x"}, "id")):
        with pytest.raises(InvalidInputError) as caught:
            drafts.edit(bram, SCHEME, "work", CARD_PATH, {"name.en": "Demo His"}, seen=seen, decisions=decisions)
        assert set(caught.value.errors) == {key}


def test_the_same_change_twice_is_no_conflict(drafts: Drafts, services: Services, administrator: Actor, bram: Actor) -> None:
    seen = head(services, administrator)
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Same"}, seen=seen)
    saved = drafts.edit(bram, SCHEME, "work", CARD_PATH, {"name.en": "Demo Same"}, seen=seen)
    assert (saved.conflicts, saved.saved) == ((), ())


def test_attributes_that_two_add_are_both_there(drafts: Drafts, services: Services, administrator: Actor, bram: Actor) -> None:
    seen = head(services, administrator)
    drafts.add_object(administrator, SCHEME, "work", CARD_PATH, "attributes", "faculty", seen=seen)
    saved = drafts.add_object(bram, SCHEME, "work", CARD_PATH, "attributes", "campus", seen=seen)
    assert saved.conflicts == ()
    assert saved.document.values["attributes"][-2:] == ("faculty", "campus")  # type: ignore[index]


def test_an_attribute_that_one_removes_and_another_changes_is_a_conflict(
    drafts: Drafts, services: Services, administrator: Actor, bram: Actor
) -> None:
    drafts.add_object(administrator, SCHEME, "work", CARD_PATH, "attributes", "faculty")
    seen = head(services, administrator)
    order = values(drafts, administrator)["attributes"]
    gone = {"attributes": tuple(key for key in order if key != "faculty")}  # type: ignore[union-attr]
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, gone, seen=seen)
    changes = {"attributes.faculty.name.en": "Faculty"}
    saved = drafts.edit(bram, SCHEME, "work", CARD_PATH, changes, seen=seen)
    assert saved.conflicts == (Conflict(CARD_PATH, "attributes.faculty", True, True, False),)
    assert "faculty" not in saved.document.values["attributes"]  # type: ignore[operator]
    decided = drafts.edit(bram, SCHEME, "work", CARD_PATH, changes, seen=seen, decisions={"attributes.faculty": Side.MINE})
    assert decided.document.values["attributes"][-1] == "faculty"  # type: ignore[index]
    assert decided.document.values["attributes.faculty.name.en"] == "Faculty"


def at_once(works: list[Callable[[], object]]) -> list[object]:
    """Run each in a thread of its own, begun together."""
    barrier = threading.Barrier(len(works))
    results: list[object] = [None] * len(works)

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = works[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_five_at_once_lose_no_word_in_different_fields(drafts: Drafts, services: Services, administrator: Actor) -> None:
    seen = head(services, administrator)
    keys = ("name.en", "name.nl", "description.en", "description.nl", "attributes.level.name.en")
    saved = at_once(
        [lambda key=key: drafts.edit(administrator, SCHEME, "work", CARD_PATH, {key: f"Demo {key}"}, seen=seen) for key in keys]
    )
    assert [getattr(found, "conflicts", found) for found in saved] == [()] * 5
    now = values(drafts, administrator)
    assert {key: now[key] for key in keys} == {key: f"Demo {key}" for key in keys}
    for found, key in zip(saved, keys, strict=True):  # each was told of the state that its own save made, and no later one
        at = drafts.document_at(administrator, SCHEME, "work", CARD_PATH, found.document.draft.head)  # type: ignore[attr-defined]
        assert at.values == found.document.values  # type: ignore[attr-defined]
        assert at.values[key] == f"Demo {key}"


def test_five_at_once_lose_no_word_in_one_field(drafts: Drafts, services: Services, administrator: Actor) -> None:
    seen = head(services, administrator)
    texts = [f"Demo {number}" for number in range(5)]
    saved = at_once(
        [lambda text=text: drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": text}, seen=seen) for text in texts]
    )
    winner = values(drafts, administrator)["name.en"]
    assert winner in texts
    told = [conflict for found in saved for conflict in found.conflicts]  # type: ignore[attr-defined]
    assert sorted([str(conflict.mine) for conflict in told] + [str(winner)]) == texts
    assert {conflict.theirs for conflict in told} == {winner}


# --- locks, adding, moving, removing, logos ---


def test_locks_say_why_a_field_cannot_change(drafts: Drafts, administrator: Actor) -> None:
    drafts.add_object(administrator, SCHEME, "work", CARD_PATH, "attributes", "faculty")
    view = drafts.document(administrator, SCHEME, "work", CARD_PATH)
    found = locks(view, view.published)
    assert {key for key, lock in found.items() if lock is Lock.PLACE} == {"version", "scheme_id", "issuer_id", "id"}
    assert found["attributes.level.random_blind"] is found["attributes.level.id"] is Lock.PUBLISHED  # also where it is absent
    assert not any(key.startswith("attributes.faculty.") for key in found)
    assert lock_of(view, "name.en", view.published) is lock_of(view, "nothing", view.published) is None
    assert locks(view, None) == dict.fromkeys(("version", "scheme_id", "issuer_id", "id"), Lock.PLACE)


def test_a_new_attribute_of_a_published_type_is_optional_and_last(drafts: Drafts, services: Services, administrator: Actor) -> None:
    saved = drafts.add_object(administrator, SCHEME, "work", CARD_PATH, "attributes", "faculty")
    assert saved.document.values["attributes"] == ("university", "studentCardNumber", "studentID", "level", "faculty")
    assert saved.document.values["attributes.faculty.optional"] is True
    assert {key for key in saved.document.values if key.startswith("attributes.faculty.name.")} >= {"attributes.faculty.name.en"}
    for key, rule in (("a.b", "letters"), ("", "letters"), ("x" * 101, "letters"), ("LEVEL", "there already")):
        with pytest.raises(InvalidInputError, match=rule):
            drafts.add_object(administrator, SCHEME, "work", CARD_PATH, "attributes", key)
    assert services.schemes.check(administrator, SCHEME, "work").may_publish


def test_moving_on_the_card_leaves_the_places_in_credentials(drafts: Drafts, administrator: Actor) -> None:
    order = values(drafts, administrator)["attributes"]
    shown = card_order(drafts.document(administrator, SCHEME, "work", CARD_PATH).values)
    saved = drafts.move_on_card(administrator, SCHEME, "work", CARD_PATH, shown[0], 2)
    assert card_order(saved.document.values) == [shown[1], shown[2], shown[0], *shown[3:]]
    assert saved.document.values["attributes"] == order
    back = drafts.move_on_card(administrator, SCHEME, "work", CARD_PATH, shown[0], -99)
    assert card_order(back.document.values) == shown


def test_what_was_never_published_is_removed_with_all_that_belongs_to_it(drafts: Drafts, services: Services, administrator: Actor) -> None:
    for path in (CARD_PATH, ISSUER_PATH):
        with pytest.raises(ConflictError, match="deprecated, but not removed"):
            drafts.remove(administrator, SCHEME, "work", path)
    base = head(services, administrator)
    services.schemes.add_issuer(administrator, SCHEME, "work", ISSUER)
    services.schemes.add_credential_type(administrator, SCHEME, "work", CARD)
    path = f"{ISSUER.id}/Issues/{CARD.id}/description.xml"
    changes = {entry.id: entry.change for issuer in drafts.contents(administrator, SCHEME, "work") for entry in (issuer, *issuer.inside)}
    assert changes["irma-demo.city"] == changes["irma-demo.city.permit"] == "added"
    drafts.remove(administrator, SCHEME, "work", path)
    with pytest.raises(NotFoundError):
        drafts.document(administrator, SCHEME, "work", path)
    drafts.remove(administrator, SCHEME, "work", f"{ISSUER.id}/description.xml")
    assert drafts.compare(administrator, SCHEME, base, head(services, administrator)).changes == ()


def test_files_that_are_no_documents_are_not_removed(drafts: Drafts, services: Services, administrator: Actor) -> None:
    services.schemes.save(
        administrator, SCHEME, "work", {"RU/PublicKeys/9/description.xml": b"<x/>", "RU/PublicKeys/9.xml": b"<x/>"}, "Key"
    )
    for path in ("RU/PublicKeys/9.xml", "RU/PublicKeys/9/description.xml"):
        with pytest.raises(NotFoundError):
            drafts.remove(administrator, SCHEME, "work", path)


def test_logos_are_set_and_taken_away(drafts: Drafts, services: Services, administrator: Actor) -> None:
    info = drafts.set_logo(administrator, SCHEME, "work", ISSUER_PATH, picture(128, 128))
    assert services.schemes.file(administrator, SCHEME, "RU/logo.png", "work") == picture(128, 128)
    view = drafts.document(administrator, SCHEME, "work", ISSUER_PATH)
    facts = drafts.logo(administrator, view)
    assert facts is not None
    assert (facts.width, facts.height, facts.size) == (128, 128, len(picture(128, 128)))
    assert drafts.set_logo(administrator, SCHEME, "work", ISSUER_PATH, picture(128, 128)).head == info.head
    for content in (b"", b"no picture", picture(128, 64), picture(kind="JPEG"), picture() + bytes(200_000)):
        with pytest.raises(InvalidInputError) as caught:
            drafts.set_logo(administrator, SCHEME, "work", ISSUER_PATH, content)
        assert set(caught.value.errors) == {"logo"}
    drafts.set_logo(administrator, SCHEME, "work", ISSUER_PATH, None)
    assert drafts.logo(administrator, drafts.document(administrator, SCHEME, "work", ISSUER_PATH)) is None
    with pytest.raises(NotFoundError):
        drafts.set_logo(administrator, SCHEME, "work", ISSUER_PATH, None)


# --- what a draft changes ---


def test_changes_are_told_by_entity_and_field_and_line_by_line(drafts: Drafts, services: Services, administrator: Actor) -> None:
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Campus Card"})
    drafts.set_logo(administrator, SCHEME, "work", ISSUER_PATH, picture())
    services.schemes.add_issuer(administrator, SCHEME, "work", ISSUER)
    services.schemes.save(administrator, SCHEME, "work", {"RU/PrivateKeys/7.xml": b"<secret>mimosa</secret>"}, "Key")
    found = drafts.changes(administrator, SCHEME, "work")
    by_id = {change.entity.id: change for change in found.changes}
    assert set(by_id) == {"irma-demo.RU", "irma-demo.RU.studentCard", "irma-demo.city", "irma-demo.RU-7"}
    (field,) = by_id["irma-demo.RU.studentCard"].fields
    assert (field.key, field.before, field.after) == ("name.en", "Demo Student Card", "Demo Campus Card")
    assert [field.key for field in by_id["irma-demo.RU"].fields] == ["logo"]
    assert by_id["irma-demo.city"].kind is ChangeKind.ADDED
    assert found.files == sum(len(change.paths) for change in found.changes) == 5
    raw = dict(drafts.raw(administrator, SCHEME, found.before, found.after))
    assert set(raw) == {path for change in found.changes for path in change.paths}
    assert any(line.startswith("+") and "Demo Campus Card" in line for line in raw[CARD_PATH])
    assert "mimosa" not in str(raw)


def test_a_finding_is_located_in_its_form(drafts: Drafts, services: Services, administrator: Actor) -> None:
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Student Card", "attributes.level.name.nl": ""})
    services.schemes.save(
        administrator,
        SCHEME,
        "work",
        {
            ISSUER_PATH: services.schemes.file(administrator, SCHEME, ISSUER_PATH).replace(b'version="4"', b'version="3"'),
            "RU/logo.png": b"no picture",
        },
        "Wrong",
    )
    result = services.schemes.check(administrator, SCHEME, "work")
    located = drafts.locate(administrator, SCHEME, "work", result)
    places = {(found.path, found.key) for found in located}
    assert {(CARD_PATH, "name.en"), (CARD_PATH, "attributes.level.name.nl"), (ISSUER_PATH, "version"), (ISSUER_PATH, "logo")} <= places
    view = drafts.document(administrator, SCHEME, "work", CARD_PATH)
    assert {found.path for found in drafts.findings(administrator, view)} == {CARD_PATH}
    published = services.schemes.check(administrator, SCHEME)
    assert len(drafts.locate(administrator, SCHEME, None, published)) == len(published.findings)


def test_a_break_is_located_with_its_alternative(drafts: Drafts, services: Services, administrator: Actor) -> None:
    content = services.schemes.file(administrator, SCHEME, CARD_PATH)
    services.schemes.save(administrator, SCHEME, "work", {CARD_PATH: content.replace(b'id="level"', b'id="grade"')}, "Rename")
    result = services.schemes.check(administrator, SCHEME, "work")
    broken = drafts.locate(administrator, SCHEME, "work", result)[len(result.findings) :]
    assert [(found.path, found.key) for found in broken] == [(CARD_PATH, "attributes.level")] * len(broken) != []
    assert all(found.finding.level == "error" and result.incompatibilities[0].alternative for found in broken)


# --- rebasing and restoring ---


@pytest.fixture
def moved(installation: Installation, drafts: Drafts, administrator: Actor) -> str:
    """A version that was published after `work` began; it changed the English name and the issuer."""
    other = start(installation.services, administrator, "other")
    drafts.edit(administrator, SCHEME, other, CARD_PATH, {"name.en": "Demo Published"})
    drafts.edit(administrator, SCHEME, other, ISSUER_PATH, {"name.en": "Demo RU"})
    return publish(installation, administrator, other)


def test_a_draft_goes_onto_a_newer_version_field_by_field(
    installation: Installation, drafts: Drafts, administrator: Actor, moved: str
) -> None:
    services = installation.services
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.nl": "Demo Campuskaart"})
    with pytest.raises(StaleBaseError) as caught:
        services.publishing.publish(administrator, SCHEME, "work")
    assert "Rebase" in caught.value.diagnostics()
    rebased = drafts.rebase(administrator, SCHEME, "work")
    assert (rebased.conflicts, rebased.published, rebased.draft.base, rebased.draft.is_stale) == ((), moved, moved, False)
    now = values(drafts, administrator)
    assert (now["name.en"], now["name.nl"]) == ("Demo Published", "Demo Campuskaart")
    assert [change.entity.id for change in drafts.changes(administrator, SCHEME, "work").changes] == ["irma-demo.RU.studentCard"]
    assert drafts.rebase(administrator, SCHEME, "work").draft.head == rebased.draft.head
    publish(installation, administrator, "work")
    assert services.audit.entries(administrator, action="scheme.draft_rebase")[0].changes["commit"][1] == rebased.draft.head


@pytest.mark.parametrize(
    ("decision", "result"), [(Side.MINE, "Demo Mine"), (Side.THEIRS, "Demo Published"), ("Demo Between", "Demo Between")]
)
def test_a_conflict_of_a_rebase_is_decided(
    drafts: Drafts, administrator: Actor, moved: str, services: Services, decision: object, result: str
) -> None:
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Mine", "name.nl": "Demo Mijn"})
    first = head(services, administrator)
    rebased = drafts.rebase(administrator, SCHEME, "work")
    assert rebased.conflicts == (Conflict(CARD_PATH, "name.en", "Demo Student Card", "Demo Mine", "Demo Published"),)
    assert head(services, administrator) == first == rebased.draft.head
    place = (CARD_PATH, "name.en")
    with pytest.raises(InvalidInputError) as caught:
        drafts.rebase(administrator, SCHEME, "work", {place: 5})
    assert set(caught.value.errors) == {f"{CARD_PATH}#name.en"}
    drafts.rebase(administrator, SCHEME, "work", {place: decision}, decided_on=(first, moved))  # type: ignore[dict-item]
    now = values(drafts, administrator)
    assert (now["name.en"], now["name.nl"]) == (result, "Demo Mijn")


def test_a_decision_on_a_draft_that_moved_on_is_asked_again(
    drafts: Drafts, services: Services, administrator: Actor, bram: Actor, moved: str
) -> None:
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Mine"})
    told = drafts.rebase(administrator, SCHEME, "work")
    drafts.edit(bram, SCHEME, "work", CARD_PATH, {"name.en": "Demo His"})
    decisions = {(CARD_PATH, "name.en"): Side.THEIRS}
    late = drafts.rebase(administrator, SCHEME, "work", decisions, decided_on=(told.draft.head, told.published))
    assert [conflict.mine for conflict in late.conflicts] == ["Demo His"]
    late = drafts.rebase(administrator, SCHEME, "work", decisions, decided_on=(late.draft.head, "0" * 40))
    assert values(drafts, administrator)["name.en"] == "Demo His"
    assert not drafts.rebase(administrator, SCHEME, "work", decisions, decided_on=(late.draft.head, late.published)).conflicts


def test_files_that_are_no_documents_conflict_as_a_whole(
    installation: Installation, drafts: Drafts, administrator: Actor, services: Services
) -> None:
    drafts.set_logo(administrator, SCHEME, "work", ISSUER_PATH, picture(128, 128))
    drafts.set_logo(administrator, SCHEME, start(services, administrator, "other"), ISSUER_PATH, picture(64, 64))
    publish(installation, administrator, "other")
    conflicts = drafts.rebase(administrator, SCHEME, "work").conflicts
    assert conflicts == (Conflict("RU/logo.png", "", True, True, True),)
    drafts.rebase(administrator, SCHEME, "work", {("RU/logo.png", ""): Side.MINE})
    assert services.schemes.file(administrator, SCHEME, "RU/logo.png", "work") == picture(128, 128)


def test_a_scheme_that_was_never_published_has_nothing_to_rebase_onto_or_to_restore(services: Services, administrator: Actor) -> None:
    text = {"en": "Zeedam", "nl": "Zeedam"}
    draft = services.schemes.create(administrator, NewScheme("zeedam-demo", "https://schemes.example/zeedam-demo", text, text))
    with pytest.raises(ConflictError, match="never published"):
        services.drafts.rebase(administrator, "zeedam-demo", draft.name)
    with pytest.raises(NotFoundError):
        services.drafts.restore(administrator, "zeedam-demo", draft.head, "Back")
    assert services.drafts.changes(administrator, "zeedam-demo", draft.name).before is None


def test_a_version_is_restored_but_for_what_may_not_disappear(installation: Installation, drafts: Drafts, administrator: Actor) -> None:
    services = installation.services
    first = services.schemes.versions(administrator, SCHEME)[-1]
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"name.en": "Demo Later"})
    drafts.add_object(administrator, SCHEME, "work", CARD_PATH, "attributes", "faculty")
    drafts.set_logo(administrator, SCHEME, "work", ISSUER_PATH, picture())
    drafts.edit(administrator, SCHEME, "work", CARD_PATH, {"attributes.faculty.name.en": "F", "attributes.faculty.name.nl": "F"})
    services.schemes.add_credential_type(administrator, SCHEME, "work", replace(CARD, issuer="RU"))
    second = publish(installation, administrator, "work")
    changed = {change.entity.id for change in drafts.version_changes(administrator, SCHEME, second[:12]).changes}
    assert changed == {"irma-demo.RU", "irma-demo.RU.studentCard", "irma-demo.RU.permit"}
    assert drafts.version_changes(administrator, SCHEME, first.commit).before is None
    assert drafts.version_changes(administrator, SCHEME, second, second).changes == ()

    found = drafts.restoration(administrator, SCHEME, first.commit[:7])
    assert found.commit == first.commit
    assert {(kept.entity.id, kept.key, kept.may_be_deprecated) for kept in found.kept} == {
        ("irma-demo.RU.permit", "", True),
        ("irma-demo.RU.studentCard", "attributes.faculty", False),
    }
    with pytest.raises(InvalidInputError) as caught:
        drafts.restore(administrator, SCHEME, first.commit, "Back", ["irma-demo.RU.studentCard"])
    assert set(caught.value.errors) == {"deprecate"}
    with pytest.raises(InvalidInputError):
        drafts.restore(administrator, SCHEME, first.commit, "")
    draft = drafts.restore(administrator, SCHEME, first.commit, "Back", ["irma-demo.RU.permit"])
    now = values(drafts, administrator, draft=draft.name)
    assert (now["name.en"], now["attributes"][-1]) == ("Demo Student Card", "faculty")  # type: ignore[index]
    permit = values(drafts, administrator, "RU/Issues/permit/description.xml", draft.name)
    since = int(installation.clock().timestamp()) - int(permit["deprecated_since"])  # type: ignore[call-overload]
    assert 0 <= since < 60
    assert drafts.file(administrator, SCHEME, draft.head, "RU/logo.png") == drafts.file(administrator, SCHEME, first.commit, "RU/logo.png")
    installation.clock.move(timedelta(seconds=5))
    third = publish(installation, administrator, draft.name)
    stamps = [version.timestamp for version in services.schemes.versions(administrator, SCHEME)]
    assert services.schemes.versions(administrator, SCHEME)[0].commit == third
    assert stamps == sorted(stamps, reverse=True)  # type: ignore[type-var]


# --- who may ---


def test_roles_reach_as_far_as_their_scope(drafts: Drafts, services: Services, administrator: Actor) -> None:
    owner = replace(administrator, grants=(Grant(Role.ISSUER_OWNER, "issuer:irma-demo.RU"),))
    manager = replace(administrator, grants=(Grant(Role.SCHEME_MANAGER, "scheme:irma-demo"),))
    auditor, signer = (replace(administrator, grants=(Grant(role),)) for role in (Role.AUDITOR, Role.SIGNER))
    strangers = (replace(administrator, grants=(Grant(Role.SCHEME_MANAGER, "scheme:other"),)), replace(administrator, grants=()))
    commit = services.schemes.versions(administrator, SCHEME)[0].commit

    def changing(actor: Actor, path: str) -> list[Callable[[], object]]:
        return [
            lambda: drafts.edit(actor, SCHEME, "work", path, {"name.en": f"Demo {actor.grants}"}),
            lambda: drafts.set_logo(actor, SCHEME, "work", path, picture()),
            lambda: drafts.add_object(actor, SCHEME, "work", CARD_PATH if path == ISSUER_PATH else path, "attributes", "new"),
        ]

    def whole(actor: Actor) -> list[Callable[[], object]]:
        return [lambda: drafts.rebase(actor, SCHEME, "work"), lambda: drafts.restore(actor, SCHEME, commit, "Back")]

    def reading(actor: Actor) -> list[Callable[[], object]]:
        return [
            lambda: drafts.document(actor, SCHEME, "work", CARD_PATH),
            lambda: drafts.contents(actor, SCHEME, "work"),
            lambda: drafts.changes(actor, SCHEME, "work"),
            lambda: drafts.raw(actor, SCHEME, None, commit),
            lambda: drafts.file(actor, SCHEME, commit, CARD_PATH),
            lambda: drafts.restoration(actor, SCHEME, commit),
            lambda: drafts.version_changes(actor, SCHEME, commit),
            lambda: drafts.findings(actor, drafts.document(administrator, SCHEME, "work", CARD_PATH)),
        ]

    elsewhere = "stemmen/description.xml"
    allowed = [*changing(owner, ISSUER_PATH), *changing(manager, ISSUER_PATH)[:2], *whole(manager)]
    allowed += [call for actor in (owner, manager, auditor, signer) for call in reading(actor)]
    refused = [*changing(owner, elsewhere)[:2], *whole(owner), lambda: drafts.edit(owner, SCHEME, "work", "description.xml", {"url": "x"})]
    refused += [lambda: drafts.remove(owner, SCHEME, "work", elsewhere)]
    refused += [call for actor in (auditor, signer, *strangers) for call in (*changing(actor, ISSUER_PATH), *whole(actor))]
    refused += [call for actor in strangers for call in reading(actor)]
    for call in allowed:
        call()
    for call in refused:
        with pytest.raises(PermissionDeniedError):
            call()


def test_an_owner_of_an_issuer_adds_to_it_and_to_no_other(drafts: Drafts, services: Services, administrator: Actor) -> None:
    owner = replace(administrator, grants=(Grant(Role.ISSUER_OWNER, "issuer:irma-demo.RU"),))
    services.schemes.add_credential_type(owner, SCHEME, "work", replace(CARD, issuer="RU"))
    for add, new in (
        (services.schemes.add_credential_type, replace(CARD, issuer="stemmen")),
        (services.schemes.add_issuer, ISSUER),
    ):
        with pytest.raises(PermissionDeniedError):
            add(owner, SCHEME, "work", new)  # type: ignore[operator]
    drafts.remove(owner, SCHEME, "work", "RU/Issues/permit/description.xml")

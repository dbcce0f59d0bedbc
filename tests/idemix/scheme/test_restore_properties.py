"""Restoring an earlier version, judged by what may not change in a published scheme."""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from console.publishing.compatibility import compare
from idemix.scheme.diff import DERIVED, EntityKind, digest, entity_of
from idemix.scheme.documents import Document, Value, Values, document_kind, new_document
from idemix.scheme.restore import Kept, Reason, restored
from tests.support.schemes import NOW, PNG, issuer_key, library_draft, requestors_draft

Files = dict[str, bytes]

TYPE = "Library/Issues/card/description.xml"
ISSUER = "Library/description.xml"

#: Settings and texts of a credential type that may become anything.
FREE: dict[str, st.SearchStrategy[Value]] = {
    "name.en": st.sampled_from(("Demo A", "Demo B")),
    "name.fr": st.sampled_from((None, "Demo C")),
    "description.nl": st.sampled_from(("A", "B")),
    "category.en": st.sampled_from((None, "A")),
    "deprecated_since": st.sampled_from((None, 5, NOW)),
    "dependencies": st.sampled_from((None, ((("tiny.Library.card",),),))),
    "in_credential_store": st.booleans(),
    "attributes.number.display_index": st.sampled_from((None, 0, 1)),
    "attributes.number.name.en": st.sampled_from(("number", "Nr")),
    "attributes.name.display_hint": st.sampled_from((None, "yesno")),
}


@st.composite
def histories(draw: st.DrawFn) -> tuple[Files, Files]:
    """A version, and a later one that was made of it by changes that are allowed."""
    earlier = dict(library_draft())
    earlier[TYPE] = Document(TYPE, earlier[TYPE]).edited(free(draw) | {"singleton": draw(st.booleans())}).content
    for name in draw(st.sets(st.sampled_from(("number", "name")))):
        earlier[TYPE] = Document(TYPE, earlier[TYPE]).edited({f"attributes.{name}.optional": True}).content
    later = dict(earlier)
    for _ in range(draw(st.integers(0, 6))):
        document = Document(TYPE, later[TYPE])
        match draw(
            st.sampled_from(
                (
                    "free",
                    "optional",
                    "attribute",
                    "revocation",
                    "singleton",
                    "type",
                    "issuer",
                    "key",
                    "expiry",
                    "logo",
                    "kss",
                    "scheme",
                    "other",
                )
            )
        ):
            case "free":
                later[TYPE] = document.edited(free(draw)).content
            case "optional":
                later[TYPE] = document.edited({f"attributes.{draw(st.sampled_from(('number', 'name')))}.optional": True}).content
            case "attribute":
                name = draw(st.sampled_from(("new", "newer")))
                later[TYPE] = document.edited(
                    {f"attributes.{name}.optional": True, f"attributes.{name}.name.en": draw(st.sampled_from("ab"))}
                ).content
            case "revocation":
                later[TYPE] = document.edited(
                    {"attributes.@revocation.revocation": True, "revocation_servers": ("http://x",), "revocation_update_count": 3}
                ).content
            case "singleton":
                later[TYPE] = document.edited({"singleton": False}).content
            case "type":
                later["Library/Issues/other/description.xml"] = new_document(
                    "Library/Issues/other/description.xml",
                    {
                        "scheme_id": "tiny",
                        "issuer_id": "Library",
                        "id": "other",
                        "attributes": ("a",),
                        "deprecated_since": draw(st.sampled_from((None, 1))),
                    },
                ).content
                later["Library/Issues/other/logo.png"] = PNG
            case "issuer":
                later["Museum/description.xml"] = new_document("Museum/description.xml", {"id": "Museum", "scheme_id": "tiny"}).content
                later["Museum/PublicKeys/0.xml"] = issuer_key().public.to_xml()
            case "key":
                later["Library/PublicKeys/1.xml"] = issuer_key(1).public.to_xml()
            case "expiry":
                later["Library/PublicKeys/0.xml"] = later["Library/PublicKeys/0.xml"].replace(b"<ExpiryDate>1", b"<ExpiryDate>2")
            case "logo":
                later["Library/logo.png"] = PNG + draw(st.sampled_from((b"", b"x")))
            case "kss":
                later["kss-0.pem"] = b"key"
            case "scheme":
                later["description.xml"] = (
                    Document("description.xml", later["description.xml"]).edited({"url": "https://example.org", "contact": "c"}).content
                )
            case _:
                later["README.md"] = b"read me"
    return earlier, later


def free(draw: st.DrawFn) -> Values:
    return {key: draw(FREE[key]) for key in draw(st.sets(st.sampled_from(sorted(FREE)), max_size=3))}


few = settings(max_examples=80, suppress_health_check=list(HealthCheck))


@few
@given(histories())
def test_a_restored_version_may_follow(case: tuple[Files, Files]) -> None:
    earlier, later = case
    assert compare("tiny", earlier, later) == ()
    files, kept = restored("tiny", earlier, later)
    note(f"{later}\n{kept}")
    assert compare("tiny", later, files) == ()
    assert compare("tiny", earlier, files) == ()
    # Nothing that was added is lost.
    assert later.keys() <= files.keys()


@few
@given(histories())
def test_what_stays_is_listed_and_all_else_is_the_earlier(case: tuple[Files, Files]) -> None:
    earlier, later = case
    files, kept = restored("tiny", earlier, later)
    note(f"{earlier}\n{later}\n{kept}")
    whole = {found.entity.path for found in kept if not found.key}
    for path in files.keys() - earlier.keys() - whole:
        assert path.endswith("/logo.png"), path
        assert entity_of(path, "tiny").path in whole, path
    for path in earlier.keys() - whole:
        if document_kind(path) is None:
            assert files[path] == earlier[path], path
        else:
            fields = {found.key: found for found in kept if found.entity.path == path}
            assert differing(Document(path, earlier[path]), Document(path, files[path])) == fields.keys()
    for path in whole:
        assert files[path] == later[path] != earlier.get(path)


def differing(old: Document, new: Document) -> set[str]:
    """The fields that differ, attributes that were added as one each; what belongs to them is not told again."""
    keys = {key for key in old.values.keys() | new.values.keys() if (old.values.get(key) or None) != (new.values.get(key) or None)}
    order, before = new.values.get("attributes", ()), old.values.get("attributes", ())
    assert isinstance(order, tuple)
    assert isinstance(before, tuple)
    assert order[: len(before)] == before
    added = {f"attributes.{name}" for name in order[len(before) :]}
    if "attributes.@revocation" in added:
        keys -= {"revocation_servers", "revocation_update_count", "revocation_update_speed"}
    return {key for key in keys if key != "attributes" and not key.startswith(tuple(f"{name}." for name in added))} | added


@few
@given(histories())
def test_what_stays_can_be_deprecated(case: tuple[Files, Files]) -> None:
    earlier, later = case
    _, kept = restored("tiny", earlier, later)
    identifiers = {found.entity.id for found in kept}
    files, again = restored("tiny", earlier, later, deprecate=identifiers, now=NOW)
    assert again == kept
    assert compare("tiny", later, files) == ()
    for found in kept:
        if found.reason is Reason.ADDED and not found.key:
            path = found.entity.path
            since = Document(path, later[path]).values.get("deprecated_since")
            assert found.may_be_deprecated == (since is None)
            assert Document(path, files[path]).values["deprecated_since"] == (NOW if since is None else since)


def reasons(kept: tuple[Kept, ...]) -> Mapping[tuple[str, str], Reason]:
    return {(found.entity.path, found.key): found.reason for found in kept}


def test_what_was_removed_since_is_put_back() -> None:
    earlier: Files = {**library_draft(), "kss-0.pem": b"key", "README.md": b"read me"}
    gone = ("Library/PublicKeys/0.xml", "kss-0.pem", "README.md", TYPE, ISSUER, "Library/logo.png")
    later = {path: content for path, content in earlier.items() if path not in gone}
    files, kept = restored("tiny", earlier, later)
    assert files == earlier
    assert kept == ()


def test_private_keys_stay_as_they_are() -> None:
    earlier: Files = dict(library_draft())
    path = "Library/PrivateKeys/0.xml"
    later = {name: content for name, content in earlier.items() if name != path} | {"Library/PrivateKeys/1.xml": b"secret"}
    files, kept = restored("tiny", earlier, later)
    assert files == later
    assert kept == ()


def test_a_document_that_cannot_be_read_stays_and_is_listed() -> None:
    earlier: Files = dict(library_draft())
    later = {**earlier, TYPE: b"<IssueSpecification>"}
    files, kept = restored("tiny", earlier, later)
    assert files == later
    assert reasons(kept) == {(TYPE, ""): Reason.UNREADABLE}


def test_logos_of_requestors_are_there_again() -> None:
    earlier: Files = dict(requestors_draft())
    logo = f"assets/{digest(PNG)}.png"
    later: Files = dict(requestors_draft([])) | {"more.json": b"[]", "assets/x.png": b"x"}
    del later[logo]
    files, kept = restored("tiny-requestors", earlier, later)
    assert files == {**earlier, "assets/x.png": b"x"}
    assert reasons(kept) == {("assets/x.png", ""): Reason.OTHER}
    assert kept[0].entity.kind is EntityKind.FILE


@pytest.mark.parametrize("path", sorted(DERIVED))
def test_what_signing_makes_takes_no_part(path: str) -> None:
    earlier: Files = dict(library_draft())
    files, kept = restored("tiny", {**earlier, path: b"old"}, {**earlier, path: b"new"})
    assert files[path] == b"new"
    assert kept == ()

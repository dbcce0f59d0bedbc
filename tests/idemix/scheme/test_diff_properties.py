"""Every changed byte of a scheme is explained by its entity diff, and nothing else stands in it."""

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from idemix.errors import MalformedSchemeError
from idemix.scheme.diff import DERIVED, ChangeKind, EntityChange, compare_versions, digest, entity_of, raw_lines
from idemix.scheme.documents import CREDENTIAL_TYPE, Document, document_kind, new_document
from tests.support.odd_documents import edits, odd_json, odd_xml
from tests.support.patch import apply_patch
from tests.support.schemes import PNG, issuer_key, library_draft, requestors_draft

Files = dict[str, bytes]

BASES: tuple[Files, ...] = (dict(library_draft()), dict(requestors_draft()))

#: What is put into a file at a place, or takes the place of what stands there.
SCRAPS = (
    b"<!-- note -->",
    b"\n",
    b" ",
    b"\r",
    b"\\r",
    b"\r\n",
    b"<Zz a='b'/>",
    b"x (no line end)",
    b"\t",
    b"<",
    b"\xff",
    b"\0",
    b"{",
    b'"',
    b"",
)

OTHER_PATHS = (
    "README.md",
    "assets/a.png",
    "Library/PublicKeys/1.xml",
    "kss-0.pem",
    "pk.pem",
    "Library/logo.png",
    "Museum/logo.png",
    "index",
    "timestamp",
    "more.json",
)
CONTENTS = (
    PNG,
    PNG + b"x",
    b"",
    b"text\n",
    b"text",
    b"a\r\nb",
    b"[]",
    b"[\n]\n",
    issuer_key(1).public.to_xml(),
    issuer_key(1, expires_at=1).public.to_xml(),
)


@st.composite
def versions(draw: st.DrawFn) -> tuple[Files, Files]:
    """A version of a scheme, and a later one."""
    before = dict(draw(st.sampled_from(BASES)))
    if draw(st.booleans()):
        odd = draw(odd_xml(repeats=True) | odd_json(repeats=True))
        before[odd.path] = odd.content
    after = dict(before)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(sorted(after)))
        match draw(st.sampled_from(("fields", "fields", "bytes", "bytes", "remove", "file", "document"))):
            case "fields":
                after[path] = edited(draw, path, after[path])
            case "bytes":
                start = draw(st.integers(0, len(after[path])))
                end = draw(st.sampled_from((start, start, start + 1)))
                after[path] = after[path][:start] + draw(st.sampled_from(SCRAPS)) + after[path][end:]
            case "remove" if len(after) > 1:
                del after[path]
            case "document":
                odd = draw(odd_xml() | odd_json())
                path = odd.path.replace("Library", draw(st.sampled_from(("Library", "Museum"))))
                after[path] = odd.content
            case _:
                after[draw(st.sampled_from(OTHER_PATHS))] = draw(st.sampled_from(CONTENTS))
    return (before, after) if draw(st.booleans()) else (after, before)


def edited(draw: st.DrawFn, path: str, content: bytes) -> bytes:
    try:
        document = Document(path, content)
    except (ValueError, MalformedSchemeError):
        return content + b"\n"
    return document.edited(draw(edits(document))).content


@pytest.mark.feature("A12.2")
@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(versions())
def test_every_changed_byte_is_explained(case: tuple[Files, Files]) -> None:
    before, after = case
    found = compare_versions("tiny", before, after)
    note(f"{before}\n{after}\n{found}")
    signed = before.keys() & DERIVED
    content = dict(before)
    for change in found:
        for path in change.paths:
            assert entity_of(path, "tiny") == change.entity
            result = applied(change, path, before, after)
            if result is None:
                del content[path]
            else:
                content[path] = result
    assert {path: told for path, told in content.items() if path not in signed} == {
        path: told for path, told in after.items() if path not in DERIVED
    }


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(versions())
def test_nothing_is_listed_that_does_not_differ(case: tuple[Files, Files]) -> None:
    before, after = case
    found = compare_versions("tiny", before, after)
    differing = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} - DERIVED
    assert sorted(path for change in found for path in change.paths) == sorted(differing)
    assert len({change.entity for change in found}) == len(found)
    for change in found:
        assert change.fields or change.rest or change.kind is ChangeKind.REMOVED
        assert all(field.before != field.after or type(field.before) is not type(field.after) for field in change.fields)
        was_there, is_there = change.entity.path in before, change.entity.path in after
        expected = {(False, True): ChangeKind.ADDED, (True, False): ChangeKind.REMOVED}.get((was_there, is_there), ChangeKind.CHANGED)
        assert change.kind is expected
    assert compare_versions("tiny", before, before) == ()


def applied(change: EntityChange, path: str, before: Files, after: Mapping[str, bytes]) -> bytes | None:
    """What a change makes of a file: fields through documents, other files by their digest."""
    told = {field.key: field.after for field in change.fields}
    if document_kind(path) is None:
        wanted = told["logo" if path.endswith("/logo.png") and change.entity.path != path else "digest"]
        found = [content for content in (*after.values(), *CONTENTS) if digest(content) == wanted]
        return found[0] if found else None
    told.pop("logo", None)
    if change.kind is ChangeKind.REMOVED:
        return None
    if change.rest[:1] and change.rest[0].startswith("--- "):
        assert change.rest == raw_lines(path, before.get(path), after.get(path))
        hunks = change.rest[2:]
        if hunks and not hunks[0].startswith("@@"):
            content = after[path]
            assert hunks[-1] == f"+{len(content)} bytes, SHA-256 {digest(content)}"
            return content
        return apply_patch(before.get(path, b""), hunks)
    document = new_document(path, told) if path not in before else Document(path, before[path]).edited(told)
    return apply_patch(document.content, change.rest)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<Issuer/>\r", b"<Issuer/>"),
        (b"<Issuer><!--\r--></Issuer>", b"<Issuer><!--\\r--></Issuer>"),
        (b"<Issuer/>\n", b"<Issuer/>"),
        (b"<Issuer><!--\nx (no line end)\n--></Issuer>", b"<Issuer><!--\nx\n--></Issuer>"),
        (b"", b"<Issuer/>"),
        (b"<Issuer/>", b"\xff"),
        (b"<Issuer><Name><pt_BR>a</pt_BR></Name></Issuer>", b"<Issuer><Name><pt_BR>b</pt_BR></Name></Issuer>"),
    ],
)
def test_differences_that_are_hard_to_see(before: bytes, after: bytes) -> None:
    path = "Library/description.xml"
    (change,) = compare_versions("tiny", {path: before}, {path: after})
    assert change.rest
    assert applied(change, path, {path: before}, {path: after}) == after


def test_a_logo_without_a_description() -> None:
    (change,) = compare_versions("tiny", {"Museum/logo.png": PNG}, {})
    assert change.kind is ChangeKind.CHANGED
    assert [(field.key, field.after) for field in change.fields] == [("logo", None)]


def test_what_is_told_of_keys_and_logos() -> None:
    before = dict(library_draft())
    later, path = issuer_key(0, expires_at=1).public, "Library/PublicKeys/0.xml"
    (key, issuer) = compare_versions("tiny", before, {**before, path: later.to_xml(), "Library/logo.png": PNG + b"x"})
    assert [(field.key, field.before, field.after) for field in issuer.fields] == [("logo", digest(PNG), digest(PNG + b"x"))]
    assert key.entity.id == "tiny.Library-0"
    assert key.is_risk
    assert {field.key for field in key.fields} >= {"expires_at", "digest"}


def test_a_deprecation_is_told() -> None:
    before = dict(library_draft())
    path = "Library/Issues/card/description.xml"
    (change,) = compare_versions("tiny", before, {**before, path: Document(path, before[path]).edited({"deprecated_since": 7}).content})
    assert change.is_deprecation
    assert not change.rest
    assert Document(path, before[path]).kind is CREDENTIAL_TYPE

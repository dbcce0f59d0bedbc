"""The routes of drafts and versions: documents by field, logos, what differs, rebasing and restoring.

Whoever changes a document names the commit that was seen. What others changed since is brought together field by field; a field that
both changed differently is a conflict, answered with status 409: it stays as the other made it until it is decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import Response, request

from console.api.authentication import caller
from console.api.blueprint import answer, api, asked_draft, body, limit, made
from console.api.errors import error_answer
from console.authentication import services
from console.drafts.answers import check_answer, conflict_answer, document_answer, read_decision, rebased_answer, saved_answer
from console.drafts.models import Saved
from gateway.inputs import Errors

_DRAFT = "/schemes/<scheme_id>/drafts/<draft>"
_VERSION = "/schemes/<scheme_id>/versions/<commit>"


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a document.

    Attributes:
        changes: values by key; null removes.
        seen: the commit that the author saw; empty takes the newest.
        decisions: on conflicts of an earlier answer, by key: `mine`, `theirs` or `{"value": …}`.
        decided_on: the `head` of that answer; where the draft has moved on, its conflicts are asked again.
    """

    changes: Mapping[str, object]
    seen: str = ""
    decisions: Mapping[str, object] = field(default_factory=dict)
    decided_on: str = ""


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object for a group of a document, such as an attribute for `attributes`."""

    group: str
    key: str
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """An attribute that is to be shown later on the card by some steps, or with a negative number earlier."""

    key: str
    steps: int
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Logo:
    """A square PNG, as base64."""

    logo: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on a conflict: `mine`, `theirs` or `{"value": …}`."""

    path: str
    key: str
    decision: object


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions on the conflicts of a rebase.

    Attributes:
        decisions: objects of `path`, `key` and `decision`.
        head, published: the commits that the answer with the conflicts named; where one has moved on, the conflicts are asked again.
    """

    decisions: tuple[Decision, ...] = ()
    head: str = ""
    published: str = ""


@dataclass(frozen=True, slots=True)
class Restore:
    """A draft that restores a version; `deprecate` names issuers and credential types that were added since."""

    title: str
    deprecate: tuple[str, ...] = ()


# --- documents ---


@api.get(f"{_DRAFT}/documents")
def list_documents(scheme_id: str, draft: str) -> Response:
    """What a draft holds: issuers with their credential types and what became of them, and the documents of the scheme itself."""
    contents = services().drafts.contents(caller(), scheme_id, draft)
    return answer({"contents": contents, "documents": services().drafts.documents(caller(), scheme_id, draft)})


@api.get(f"{_DRAFT}/documents/<path:path>")
def show_document(scheme_id: str, draft: str, path: str) -> Response:
    """A document by field."""
    return answer(document_answer(services().drafts.document(caller(), scheme_id, draft, path)))


@api.patch(f"{_DRAFT}/documents/<path:path>")
def edit_document(scheme_id: str, draft: str, path: str) -> tuple[Response, int]:
    """Change fields of a document; where one breaks a rule, none is changed."""
    new = body(Changes)
    errors = Errors()
    decisions = {key: read_decision(decision, f"decisions.{key}", errors) for key, decision in new.decisions.items()}
    errors.raise_if_any()
    saved = services().drafts.edit(
        caller(),
        scheme_id,
        draft,
        path,
        new.changes,  # type: ignore[arg-type]
        seen=new.seen,
        decisions=decisions,
        decided_on=new.decided_on,
    )
    return _saved(saved)


@api.delete(f"{_DRAFT}/documents/<path:path>")
def remove_document(scheme_id: str, draft: str, path: str) -> Response:
    """Take an issuer or a credential type that was never published out of a draft."""
    return answer(services().drafts.remove(caller(), scheme_id, draft, path))


@api.post(f"{_DRAFT}/documents/<path:path>/objects")
def add_object(scheme_id: str, draft: str, path: str) -> tuple[Response, int]:
    """Add an object to a group of a document."""
    new = body(NewObject)
    return _saved(services().drafts.add_object(caller(), scheme_id, draft, path, new.group, new.key, seen=new.seen), 201)


@api.post(f"{_DRAFT}/documents/<path:path>/moves")
def move_on_card(scheme_id: str, draft: str, path: str) -> tuple[Response, int]:
    """Show an attribute earlier or later on the card."""
    new = body(Move)
    return _saved(services().drafts.move_on_card(caller(), scheme_id, draft, path, new.key, new.steps, seen=new.seen))


@api.put(f"{_DRAFT}/logo/<path:path>")
def set_logo(scheme_id: str, draft: str, path: str) -> Response:
    """Put a logo beside the document of an issuer or a credential type."""
    return answer(services().drafts.set_logo(caller(), scheme_id, draft, path, body(Logo).logo))


@api.delete(f"{_DRAFT}/logo/<path:path>")
def remove_logo(scheme_id: str, draft: str, path: str) -> Response:
    """Take the logo beside a document away."""
    return answer(services().drafts.set_logo(caller(), scheme_id, draft, path, None))


# --- what differs ---


@api.get("/schemes/<scheme_id>/check")
def check_scheme(scheme_id: str) -> Response:
    """What a check finds, and where each finding is mended; `draft` names a draft."""
    result = services().schemes.check(caller(), scheme_id, asked_draft())
    return answer(check_answer(result, services().drafts.locate(caller(), scheme_id, asked_draft(), result)))


@api.get(f"{_DRAFT}/changes")
def show_changes(scheme_id: str, draft: str) -> Response:
    """What a draft changes, by entity and field."""
    return answer(services().drafts.changes(caller(), scheme_id, draft))


@api.get(f"{_DRAFT}/changes/raw")
def show_raw_changes(scheme_id: str, draft: str) -> Response:
    """The same file by file, as lines of unified diffs."""
    info = services().schemes.draft(caller(), scheme_id, draft)
    found = services().drafts.raw(caller(), scheme_id, info.base, info.head)
    return answer([{"path": path, "lines": lines} for path, lines in found])


@api.get("/schemes/<scheme_id>/versions")
def list_versions(scheme_id: str) -> Response:
    """The versions that were ever published, the newest first; `after` is the commit of the last one of the page before."""
    return answer(services().schemes.versions(caller(), scheme_id, after=request.args.get("after", ""), limit=limit()))


@api.get(f"{_VERSION}/changes")
def show_version_changes(scheme_id: str, commit: str) -> Response:
    """What a version changed against the one before it; `before` names another one to compare with."""
    return answer(services().drafts.version_changes(caller(), scheme_id, commit, request.args.get("before", "")))


# --- bringing together ---


@api.post(f"{_DRAFT}/rebase")
def rebase_draft(scheme_id: str, draft: str) -> tuple[Response, int]:
    """Put a draft onto the published version; on conflicts nothing is changed."""
    new = body(Decisions)
    errors = Errors()
    decisions = {
        (found.path, found.key): read_decision(found.decision, f"decisions.{number}.decision", errors)
        for number, found in enumerate(new.decisions)
    }
    errors.raise_if_any()
    rebased = services().drafts.rebase(
        caller(),
        scheme_id,
        draft,
        decisions,  # type: ignore[arg-type]
        decided_on=(new.head, new.published),
    )
    found = rebased_answer(rebased)
    return (answer(found), 200) if not rebased.conflicts else _conflict(found)


@api.get(f"{_VERSION}/restoration")
def show_restoration(scheme_id: str, commit: str) -> Response:
    """What restoring a version would change, and what stays."""
    return answer(services().drafts.restoration(caller(), scheme_id, commit))


@api.post(f"{_VERSION}/restore")
def restore_version(scheme_id: str, commit: str) -> tuple[Response, int]:
    """Begin a draft that restores a version."""
    new = body(Restore)
    return made(services().drafts.restore(caller(), scheme_id, commit, new.title, new.deprecate))


def _saved(saved: Saved, status: int = 200) -> tuple[Response, int]:
    return _conflict(conflict_answer(saved)) if saved.conflicts else (answer(saved_answer(saved)), status)


def _conflict(found: dict[str, object]) -> tuple[Response, int]:
    return error_answer(409, "merge_conflict", "somebody else changed the same differently: decide, and send it again", **found)

"""Documents, saves and checks as JSON: what the API answers and what commands print. Lists stand for tuples."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from console.drafts.models import DocumentView, Located, Lock, Rebased, Saved
from console.drafts.service import locks
from console.json_values import to_json
from console.schemes.models import CheckResult
from gateway.inputs import Errors, Message
from idemix.scheme.merge import Side

#: Why a field cannot change, for who reads JSON.
_REASONS: Final[Mapping[Lock, str]] = {
    Lock.PLACE: "it follows from the place of the file",
    Lock.PUBLISHED: "it was published: wallets know it as it is",
}


def document_answer(view: DocumentView) -> dict[str, Any]:
    """A document; `locks` says by key which fields cannot change and why, `head` is what the next change is to name as seen."""
    return {
        "scheme_id": view.draft.scheme_id,
        "draft": view.draft.name,
        "head": view.draft.head,
        "path": view.path,
        "kind": view.kind.name,
        "entity": view.entity,
        "values": to_json(view.values),
        "published": to_json(view.published),
        "languages": list(view.languages),
        "locks": {key: {"lock": lock.value, "reason": _REASONS[lock]} for key, lock in locks(view, view.published).items()},
        "demo": view.demo,
        "logo": view.logo_path if view.has_logo else None,
    }


def saved_answer(saved: Saved) -> dict[str, Any]:
    """What came of a change: the document as it is now, the keys that were saved, and those that others changed since."""
    return {**document_answer(saved.document), "saved": list(saved.saved), "by_others": list(saved.by_others)}


def conflict_answer(saved: Saved) -> dict[str, Any]:
    """The same with the conflicts, each with what it said before (`base`) and what either side makes it say."""
    return {**saved_answer(saved), "conflicts": to_json(saved.conflicts)}


def rebased_answer(rebased: Rebased) -> dict[str, Any]:
    """What came of a rebase; `head` and `published` are what decisions on its conflicts are to name."""
    return {**to_json(rebased), "head": rebased.draft.head}


def check_answer(result: CheckResult, located: Iterable[Located]) -> dict[str, Any]:
    """What a check found, each finding with the document and the field that mend it; both are empty where there are none.

    Args:
        result: of the check.
        located: its findings and then its incompatibilities with their places, as `Drafts.locate` gives them.
    """
    answer: dict[str, Any] = to_json(result)
    for found, place in zip([*answer["findings"], *answer["incompatibilities"]], located, strict=True):
        found |= {"document": place.path, "key": place.key}
    return answer


def read_decision(decision: object, where: str, errors: Errors) -> object:
    """A decision on a conflict: `mine`, `theirs`, or an object with another `value`.

    Args:
        decision: as JSON.
        where: what errors name.
        errors: takes what is wrong.
    """
    if decision in ("mine", "theirs"):
        return Side(decision)
    if isinstance(decision, dict) and decision.keys() == {"value"}:
        return decision["value"]
    errors.add(where, Message("must be mine, theirs, or an object with a value"))
    return None

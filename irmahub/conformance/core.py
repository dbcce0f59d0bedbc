"""What a conformance case is and how its outcome is judged.

A module of this package knows one or more shapes of vector file: `matches(document)` recognises the shape, and
`cases(document, context)` gives the cases. A case raises `Mismatch` when we differ from the record.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from idemix.departures import DEPARTURES
from idemix.errors import IdemixError


class Mismatch(Exception):  # noqa: N818 - an outcome, not an error of ours
    """We answer otherwise than the record says."""


@dataclass(frozen=True, slots=True)
class Departed:
    """We refuse, by a documented rule, what the reference accepts."""

    rule: str


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded case.

    Attributes:
        group: the list of the file that holds it, e.g. "cases" or "hash_commit".
        name: its name within the group.
        run: does the comparison; returns None when we agree, `Departed` when we refuse by rule, raises `Mismatch` otherwise.
        row: the row of docs/features.md that will bring this case, where it is skipped; None where it is run.
    """

    group: str
    name: str
    run: Callable[[], Departed | None]
    row: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Where the runner looks for what the files refer to.

    Attributes:
        folder: the folder with the vectors.
        schemes: the folder with the schemes that they name.
    """

    folder: Path
    schemes: Path


class Shape(Protocol):
    """A module that knows one shape of vector file."""

    def matches(self, document: Mapping[str, Any]) -> bool: ...

    def cases(self, document: Mapping[str, Any], context: Context) -> Iterator[Case]: ...


#: Names of cases in which departing is allowed although they carry no mark.
_DEPARTING_NAMES = (
    "response-size-bounds",
    "sig-trailing-data",
    "ecdsa-trailing-bytes",
    "ecdsa-three-integers",
    "directory-renamed",
    "duplicate-attribute",
    "index-without-timestamp",
    "trailing-newline",
)


def may_depart(case: Mapping[str, Any]) -> bool:
    """Whether a case that the reference accepts may be refused by a documented rule."""
    name = str(case.get("name", ""))
    return (
        "lenient-" in name
        or "crafted-" in name
        or name.startswith(("pub-", "priv-"))
        or name.endswith("-index-beyond-attributes")
        or any(part in name for part in _DEPARTING_NAMES)
        or bool(case.get("stricter_verdict_recommended"))
        or bool(case.get("surprising"))
        or case.get("prudent_verdict") in ("refuse", "refused")
    )


def judge(case: Mapping[str, Any], *, accepted: bool, crashed: bool = False, error: IdemixError | None) -> Departed | None:
    """Compare our verdict with the reference's.

    Args:
        case: the recorded case, for its name and marks.
        accepted: whether the reference accepted.
        crashed: whether the reference crashed; then we must refuse, unless `prudent_verdict` is `accept`.
        error: the error with which we refused, or None where we accepted.

    Returns:
        None where we agree, `Departed` where we refuse by a documented rule.

    Raises:
        Mismatch: we differ.
    """
    if crashed and case.get("prudent_verdict") in ("accept", "accepted"):
        accepted = True
    if error is None:
        if not accepted:
            raise Mismatch("accepted what the reference refuses")
        return None
    if not accepted:
        return None
    departed = judge_refusal(error)
    if not may_depart(case):
        raise Mismatch(f"departs by rule {departed.rule} where departing is not allowed: {error}")
    return departed


def judge_refusal(error: IdemixError) -> Departed:
    """Find the rule by which we refuse what the reference accepts.

    Raises:
        Mismatch: there is none.
    """
    rule = DEPARTURES.get(error.departure or "")
    if rule is None or not isinstance(error, rule.error):
        raise Mismatch(f"refused what the reference accepts, without a rule of docs/compatibility.md: {type(error).__name__}: {error}")
    return Departed(rule.rule)


def expect_equal(what: str, ours: object, recorded: object) -> None:
    """Compare a value of ours with the recorded one.

    Raises:
        Mismatch: they differ.
    """
    if ours != recorded:
        raise Mismatch(f"{what}: ours is {_shortened(ours)}, recorded is {_shortened(recorded)}")


def _shortened(value: object, length: int = 200) -> str:
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}…"

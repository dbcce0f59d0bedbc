"""Bringing together two versions of a scheme that began as one: field by field in documents, file by file elsewhere.

What only one side changed is taken; what both changed alike is taken once; what both changed differently is a conflict, told with its
three values, and taken as it was decided. Nothing is lost: without a decision, the result keeps what `theirs` says, and the conflict
names what `mine` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ..errors import MalformedSchemeError
from .diff import DERIVED, rest_lines, value_changes
from .documents import Document, Group, Value, Values, document_kind
from .documents.document import same


class Side(Enum):
    """Whose value a decision takes."""

    MINE = "mine"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field, or a whole file, that both sides changed differently.

    Attributes:
        path: the file.
        key: the field; empty for the whole file.
        base, mine, theirs: what it said before and what each side makes it say; None where absent. Of a whole file whether it is there.
    """

    path: str
    key: str
    base: Value
    mine: Value
    theirs: Value


#: What was decided: path and key of a conflict, and a side, or another value for the field.
Decisions = Mapping[tuple[str, str], "Side | Value"]


def merge_document(
    base: Document, mine: Document, theirs: Document, decisions: Decisions | None = None
) -> tuple[Document, tuple[Conflict, ...]]:
    """Bring two changes of one document together.

    Args:
        base: what both began with.
        mine, theirs: what became of it.
        decisions: on conflicts of an earlier try.

    Returns:
        The document with both changes, and the conflicts without decision, in which it says what `theirs` says.

    Raises:
        MalformedSchemeError: one of them says in a field what is not written.
    """
    decisions = decisions or {}
    start = theirs
    if rest_lines(base, mine):
        if rest_lines(base, theirs) and mine.content != theirs.content:  # two changes of what no field tells cannot be laid together
            return _decide_file(base, mine, theirs, decisions)
        start = mine
    conflicts: list[Conflict] = []
    sides: dict[str, Side] = {}
    my_values, their_values = dict(mine.values), dict(theirs.values)
    for name in _contested(base, mine, theirs):
        decision = decisions.get((base.path, name))
        if decision is None:
            conflicts.append(Conflict(base.path, name, True, _has_object(mine, name), _has_object(theirs, name)))
        sides[name] = Side.MINE if decision is Side.MINE else Side.THEIRS
        stays = _has_object(mine if sides[name] is Side.MINE else theirs, name)
        for values in (my_values, their_values):
            _settle(values, base.values, name, stays=stays)
    merged: Values = {}
    for key in dict.fromkeys((*base.values, *theirs.values, *mine.values)):
        before, my, their = base.values.get(key), my_values.get(key), their_values.get(key)
        decision = decisions.get((base.path, key))
        side = next((side for name, side in sides.items() if key.startswith(f"{name}.")), None)
        if side is not None:
            merged[key] = my if side is Side.MINE else their
        elif same(my, their) or same(my, before):
            merged[key] = their
        elif same(their, before):
            merged[key] = my
        elif (base.path, key) in decisions and not isinstance(decision, Side):
            merged[key] = decision
        elif isinstance(base.place(key).field, Group):
            order = _Order(before, my, their)
            if order.is_moved_by_both and decision is None:
                conflicts.append(Conflict(base.path, key, before, my, their))
            merged[key] = order.merged(decision if isinstance(decision, Side) else Side.THEIRS)
        elif decision is None:
            conflicts.append(Conflict(base.path, key, before, my, their))
            merged[key] = their
        else:
            merged[key] = my if decision is Side.MINE else their
    return start.edited(merged), tuple(conflicts)


def merge_versions(
    base: Mapping[str, bytes], mine: Mapping[str, bytes], theirs: Mapping[str, bytes], decisions: Decisions | None = None
) -> tuple[dict[str, bytes], tuple[Conflict, ...]]:
    """Bring two versions of a scheme together; files that signing makes are taken from `theirs`.

    Args:
        base: files by path that both began with.
        mine, theirs: what became of them.
        decisions: on conflicts of an earlier try.

    Returns:
        The files, and the conflicts without decision, in which they are as `theirs` has them.
    """
    merged = dict(theirs)
    conflicts: list[Conflict] = []
    for path in sorted((base.keys() | mine.keys()) - DERIVED):
        before, my, their = base.get(path), mine.get(path), theirs.get(path)
        if my in (before, their):
            continue
        result = my
        if their != before:
            result, found = _merge_file(path, before, my, their, decisions or {})
            conflicts += found
        if result is None:
            merged.pop(path, None)
        else:
            merged[path] = result
    return merged, tuple(conflicts)


def _merge_file(
    path: str, before: bytes | None, mine: bytes | None, theirs: bytes | None, decisions: Decisions
) -> tuple[bytes | None, tuple[Conflict, ...]]:
    if document_kind(path) is not None and before is not None and mine is not None and theirs is not None:
        try:
            document, conflicts = merge_document(Document(path, before), Document(path, mine), Document(path, theirs), decisions)
        except MalformedSchemeError:
            pass  # such a file is judged as a whole; the check says what is wrong with it
        else:
            return document.content, conflicts
    decision = decisions.get((path, ""))
    if decision is None:
        return theirs, (Conflict(path, "", before is not None, mine is not None, theirs is not None),)
    return (mine if decision is Side.MINE else theirs), ()


def _decide_file(base: Document, mine: Document, theirs: Document, decisions: Decisions) -> tuple[Document, tuple[Conflict, ...]]:
    decision = decisions.get((base.path, ""))
    if decision is None:
        return theirs, (Conflict(base.path, "", True, True, True),)
    return (mine if decision is Side.MINE else theirs), ()


def _contested(base: Document, mine: Document, theirs: Document) -> list[str]:
    """The objects of groups that one side removed and the other changed, as `attributes.level`; not those inside such an object."""
    found: list[str] = []
    for name in _objects(base):
        if any(name.startswith(f"{outer}.") for outer in found):
            continue
        gone = [not _has_object(side, name) for side in (mine, theirs)]
        if gone[0] == gone[1]:
            continue
        other = theirs if gone[0] else mine
        if any(key.startswith(f"{name}.") for key in value_changes(base.values, other.values)):
            found.append(name)
    return found


def _objects(document: Document) -> list[str]:
    """The objects of a document's groups, the outer before the inner."""
    groups = [(key, value) for key, value in document.values.items() if isinstance(document.place(key).field, Group)]
    return [f"{key}.{member}" for key, value in groups if isinstance(value, tuple) for member in value]


def _has_object(document: Document, name: str) -> bool:
    group, _, member = name.rpartition(".")
    order = document.values.get(group)
    return isinstance(order, tuple) and member in order


def _settle(values: Values, base: Mapping[str, Value], name: str, *, stays: bool) -> None:
    """Make an order say of a contested object what was decided; one that stays stands where it stood among those before it."""
    group, _, member = name.rpartition(".")
    order, before = _keys(values.get(group)), _keys(base.get(group))
    others = [key for key in order if key != member]
    if not stays and order:
        values[group] = tuple(others)
    elif stays and member not in order:
        earlier = before[: before.index(member)]
        place = max((position for position, key in enumerate(others, start=1) if key in earlier), default=0)
        values[group] = (*others[:place], member, *others[place:])


class _Order:
    """The order of a group that both sides changed.

    Args:
        base, mine, theirs: keys of objects.
    """

    def __init__(self, base: Value, mine: Value, theirs: Value) -> None:
        self._base, self._mine, self._theirs = _keys(base), _keys(mine), _keys(theirs)
        self._kept = [key for key in self._base if key in self._mine and key in self._theirs]
        self._moved = {
            side: [key for key in order if key in self._kept] for side, order in ((Side.MINE, self._mine), (Side.THEIRS, self._theirs))
        }

    @property
    def is_moved_by_both(self) -> bool:
        """Whether the sides have the objects that were there and stay in different orders, and neither as they were."""
        mine, theirs = self._moved.values()
        return mine != theirs and self._kept not in (mine, theirs)

    def merged(self, side: Side) -> tuple[Value, ...]:
        """What is there on either side less what one removed; behind what was there, what was added: theirs, then mine.

        Args:
            side: whose order counts where both moved objects.
        """
        if not self.is_moved_by_both:
            side = Side.THEIRS if self._moved[Side.MINE] == self._kept else Side.MINE
        kept = iter(self._moved[side])
        theirs = [key for key in self._theirs if key in self._kept or key not in self._base]
        added = [key for key in self._mine if key not in self._base and key not in self._theirs]
        return (*(next(kept) if key in self._kept else key for key in theirs), *added)


def _keys(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else ()

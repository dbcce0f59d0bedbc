"""The steps that an issue wizard can come to consist of.

Source: irmago `irma/descriptions.go` buildValidationPaths, buildDependencyTree.
"""

from collections.abc import Iterator, Mapping, Set
from typing import Final

from .descriptions import CredentialType, Dependencies, WizardContents, WizardItem
from .identifiers import CredentialTypeId

#: A wizard has fewer steps than this, whatever the holder has and chooses.
MAX_STEPS: Final = 10

#: Ways through a wizard that we follow. One of fewer than 10 steps with two choices each has 512.
MAX_PATHS: Final = 20_000

_Held = Set[CredentialTypeId]


class TooManyPathsError(Exception):
    """A wizard has more ways through it than we follow."""


def validation_paths(contents: WizardContents) -> Iterator[tuple[WizardItem, ...]]:
    """The ways through a wizard: for a holder with nothing, and for holders of each alternative.

    Every disjunction must have a first alternative.

    Raises:
        TooManyPathsError: there are more than `MAX_PATHS`.
    """
    seen: set[_Held] = set()
    waiting: list[_Held] = [frozenset()]
    while waiting:
        held = waiting.pop()
        if held in seen:
            continue
        seen.add(held)
        if len(seen) > MAX_PATHS:
            raise TooManyPathsError
        steps: list[WizardItem] = []
        for discon in contents:
            chosen = discon[0]
            for number, con in enumerate(discon):
                missing = frozenset(item.credential for item in con if item.credential is not None) - held
                if number > 0 and missing:
                    waiting.append(held | missing)
                if all(item.credential is not None for item in con) and not missing:
                    chosen = con
                    break
            steps.extend(chosen)
        yield tuple(steps)


def expand(steps: tuple[WizardItem, ...], credential_types: Mapping[CredentialTypeId, CredentialType], *, limit: int = MAX_STEPS) -> int:
    """The number of steps after the dependencies of their credential types were added, for a holder with nothing.

    Credential types that are not loaded count without their dependencies. Counting stops at `limit`.
    """
    found: dict[CredentialTypeId, None] = {}
    waiting = [item.credential for item in steps if item.credential is not None]
    while waiting and len(found) < limit:
        identifier = waiting.pop()
        if identifier in found:
            continue
        found[identifier] = None
        if known := credential_types.get(identifier):
            waiting.extend(_first_choices(known.dependencies))
    return len(found) + sum(item.credential is None for item in steps)


def _first_choices(dependencies: Dependencies) -> Iterator[CredentialTypeId]:
    """Of each disjunction the alternative that asks nothing, else the first."""
    for discon in dependencies:
        if discon:
            yield from next((con for con in discon if not con), discon[0])

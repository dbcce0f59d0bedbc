"""Which credential types a credential type needs first.

Source: irmago `irma/schemes.go` validateDependencies, `irma/descriptions.go` validateFAQSummary.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from .descriptions import CredentialType
from .identifiers import CredentialTypeId

#: Chains of dependencies are shorter than this.
MAX_DEPENDENCY_DEPTH: Final = 25


class ChainTooLongError(Exception):
    """A chain of dependencies is too long."""


def is_obtainable(
    identifier: CredentialTypeId,
    types: Mapping[CredentialTypeId, CredentialType],
    target: CredentialTypeId,
    depth: int,
    known: dict[tuple[CredentialTypeId, int], bool],
) -> bool:
    """Whether each disjunction of a type's dependencies has an alternative that does not need `target`.

    Raises:
        ChainTooLongError: a chain of dependencies reaches `MAX_DEPENDENCY_DEPTH`.
    """
    if not types[identifier].dependencies:
        return True
    if depth >= MAX_DEPENDENCY_DEPTH:
        raise ChainTooLongError
    if (identifier, depth) not in known:
        obtainable = True
        for discon in types[identifier].dependencies:
            # Every alternative is looked at, as the reference does, so that a chain too long is found in each.
            alternatives = [
                all(item != target and (item not in types or is_obtainable(item, types, target, depth + 1, known)) for item in con)
                for con in discon
            ]
            if not any(alternatives):
                obtainable = False
                break
        known[identifier, depth] = obtainable
    return known[identifier, depth]


def explained_dependencies(credential_type: CredentialType, types: Mapping[CredentialTypeId, CredentialType]) -> Iterator[CredentialType]:
    """The credential types whose `FAQSummary` a wizard shows, as far as the reference looks at them.

    It goes through the dependencies in order, and at the first that has dependencies itself goes on with those, and not back.
    """
    seen = {credential_type.id}
    current: CredentialType | None = credential_type
    while current is not None:
        dependencies = (identifier for discon in current.dependencies for con in discon for identifier in con)
        current = None
        for identifier in dependencies:
            if identifier not in types or identifier in seen:
                continue
            seen.add(identifier)
            yield types[identifier]
            if types[identifier].dependencies:
                current = types[identifier]
                break

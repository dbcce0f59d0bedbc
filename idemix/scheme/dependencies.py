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


def with_dependencies(credential_type: CredentialType, types: Mapping[CredentialTypeId, CredentialType]) -> Iterator[CredentialType]:
    """The credential types on which one depends, however far; those that are not loaded are left out."""
    seen = {credential_type.id}
    waiting = [credential_type]
    while waiting:
        for discon in waiting.pop().dependencies:
            for con in discon:
                for identifier in con:
                    if identifier not in seen and identifier in types:
                        seen.add(identifier)
                        waiting.append(types[identifier])
                        yield types[identifier]

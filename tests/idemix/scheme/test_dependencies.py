from itertools import pairwise

import pytest

from idemix.scheme.dependencies import MAX_DEPENDENCY_DEPTH, ChainTooLongError, explained_dependencies, is_obtainable
from idemix.scheme.descriptions import CredentialType
from idemix.scheme.identifiers import CredentialTypeId

Types = dict[CredentialTypeId, CredentialType]


def identifier(name: str) -> CredentialTypeId:
    return CredentialTypeId(f"s.i.{name}")


def types(**dependencies: list[list[str]]) -> Types:
    """Credential types; of each, for every disjunction the alternatives, written as names of one letter."""
    return {
        identifier(name): CredentialType(
            scheme_id="s",
            issuer_id="i",
            credential_id=name,
            dependencies=tuple(tuple(tuple(identifier(letter) for letter in con) for con in discon) for discon in discons),
        )
        for name, discons in dependencies.items()
    }


@pytest.mark.parametrize(
    ("known", "obtainable"),
    [
        pytest.param(types(a=[["b"]], b=[]), True, id="chain"),
        pytest.param(types(a=[["a"]]), False, id="itself"),
        pytest.param(types(a=[["b"]], b=[["a"]]), False, id="circle"),
        pytest.param(types(a=[["a", "b"]], b=[]), True, id="itself or another"),
        pytest.param(types(a=[["ab"]], b=[]), False, id="itself and another"),
        pytest.param(types(a=[["b"], ["a"]], b=[]), False, id="another, and itself"),
        pytest.param(types(a=[[]]), False, id="no alternative"),
        pytest.param(types(a=[[""]]), True, id="an alternative that asks nothing"),
    ],
)
def test_obtainable(known: Types, obtainable: bool) -> None:
    assert is_obtainable(identifier("a"), known, identifier("a"), 0, {}) is obtainable


def test_chains_end() -> None:
    names = [chr(ord("A") + n) for n in range(MAX_DEPENDENCY_DEPTH + 2)]
    chain = types(**{name: [[following]] for name, following in pairwise(names)}, **{names[-1]: []})
    assert is_obtainable(identifier(names[2]), chain, identifier(names[2]), 0, {})
    with pytest.raises(ChainTooLongError):
        is_obtainable(identifier(names[0]), chain, identifier(names[0]), 0, {})


def test_wide_trees_are_walked_once_a_level() -> None:
    """Each of 20 levels has two ways to the next: a million ways, few steps."""
    names = [chr(ord("A") + n) for n in range(20)]
    tree = types(**{name: [[following, following]] * 2 for name, following in pairwise(names)}, **{names[-1]: []})
    assert is_obtainable(identifier("A"), tree, identifier("A"), 0, {})


def test_explanations_go_on_with_the_first_that_has_dependencies() -> None:
    known = types(a=[["b"], ["c"], ["d"]], b=[], c=[["e"]], d=[], e=[["a"]])
    assert [kind.credential_id for kind in explained_dependencies(known[identifier("a")], known)] == ["b", "c", "e"]

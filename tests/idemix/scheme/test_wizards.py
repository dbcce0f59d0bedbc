import pytest

from idemix.scheme.descriptions import CredentialType, Dependencies, WizardItem
from idemix.scheme.identifiers import CredentialTypeId
from idemix.scheme.wizards import MAX_PATHS, TooManyPathsError, expand, validation_paths


def identifier(name: str) -> CredentialTypeId:
    return CredentialTypeId(f"s.i.{name}")


def item(name: str) -> WizardItem:
    return WizardItem(type="credential", credential=identifier(name))


def kind(name: str, dependencies: Dependencies) -> CredentialType:
    return CredentialType(scheme_id="s", issuer_id="i", credential_id=name, dependencies=dependencies)


SITE = WizardItem(type="website")


def names(steps: tuple[WizardItem, ...]) -> str:
    return "".join(step.credential.name if step.credential else "-" for step in steps)


def test_a_holder_with_nothing_takes_the_first_alternatives() -> None:
    contents = (((item("a"),), (item("b"),)), ((SITE,),))
    assert {names(steps) for steps in validation_paths(contents)} == {"a-", "b-"}


def test_an_alternative_that_asks_nothing_is_taken() -> None:
    assert {names(steps) for steps in validation_paths((((), (item("b"),)), ((item("c"),),)))} == {"c"}


def test_alternatives_combine() -> None:
    contents = (((item("a"),), (item("b"),)), ((item("c"),), (item("d"),)))
    assert {names(steps) for steps in validation_paths(contents)} == {"ac", "ad", "bc", "bd"}


def test_ways_are_counted_and_not_walked_without_end() -> None:
    contents = tuple(((item(f"x{n}"),), (item(f"y{n}"),)) for n in range(40))
    with pytest.raises(TooManyPathsError):
        assert len(list(validation_paths(contents))) <= MAX_PATHS


def test_dependencies_are_added_once() -> None:
    types = {
        identifier("a"): kind("a", (((identifier("b"),), (identifier("c"),)), ((identifier("d"),),))),
        identifier("b"): kind("b", (((identifier("d"),),),)),
        identifier("d"): kind("d", (((identifier("a"),), ()),)),
    }
    assert expand((item("a"), SITE), types) == 4  # a, b, d and the website
    assert expand((item("a"), item("a")), {}) == 1
    assert expand((item("a"), item("z")), types) == 4

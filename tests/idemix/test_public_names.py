"""What the packages of the engine offer by name is there."""

import importlib
import pkgutil

import pytest

import idemix

PACKAGES = [module.name for module in pkgutil.walk_packages(idemix.__path__, "idemix.") if module.ispkg]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_name_that_is_offered_is_there(name: str) -> None:
    package = importlib.import_module(name)
    names = getattr(package, "__all__", [])
    assert [missing for missing in names if not hasattr(package, missing)] == []
    assert len(set(names)) == len(names)

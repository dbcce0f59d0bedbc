"""What holds for every test."""

import pytest
from hypothesis import Phase, settings

from tests.features import DOCUMENT, marked_clauses, read_features

pytest_plugins = ("tests.support.databases",)

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# For tests.mutation: the same examples in every run, none kept, none made smaller.
settings.register_profile("mutation", deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Demand that each clause a test is marked with stands in docs/features.md."""
    clauses = read_features(DOCUMENT.read_text()).clauses
    for item in items:
        for clause in marked_clauses(item):
            if clause not in clauses:
                raise pytest.UsageError(f"{item.nodeid}: docs/features.md has no clause {clause}")

"""Fixtures of the wallet tests."""

import pytest

from tests.support.sessions import World


@pytest.fixture
def world() -> World:
    """An engine and an empty wallet."""
    return World()

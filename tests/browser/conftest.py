"""One Chromium for all tests here, and one filled console for those that only look."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import PATIENCE_MS, chromium
from tests.support.console_pages import fill
from tests.support.console_server import RunningConsole, running_console


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium."""
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def filled_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """A console with irma-demo, a draft and a requestor."""
    with running_console(tmp_path_factory.mktemp("filled") / "console", modulus_bits=1024) as console:
        fill(console.services)
        yield console


@pytest.fixture
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """A fresh console with one administrator and nothing else."""
    with running_console(tmp_path_factory.mktemp("fresh") / "console") as running:
        yield running

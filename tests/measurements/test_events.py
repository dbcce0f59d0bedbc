"""Status events with 5,000 listeners, raised on another server and carried by Redis."""

import pytest

from irmahub.bench import events
from tests.support.measurements import record


@pytest.mark.long
def test_events() -> None:
    figures = events.run()
    assert figures.delivered == figures.listeners
    record("events", figures.to_json(), features=["E6"])

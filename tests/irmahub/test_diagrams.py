"""The documentation shows the states as the table has them."""

from irmahub.diagrams import session_states
from tests.support.shared import ROOT


def test_picture_is_the_present_table() -> None:
    assert (ROOT / "docs" / "session-states.svg").read_text() == session_states(), "run `make diagrams`"


def test_every_event_is_shown() -> None:
    picture = session_states()
    for word in ("INITIALIZED", "PAIRING", "CONNECTED", "DONE", "CANCELLED", "TIMEOUT", "ClientConnected", "Cancelled, Failed", "TimedOut"):
        assert word in picture

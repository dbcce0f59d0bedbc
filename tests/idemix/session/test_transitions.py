"""Every status meets every event."""

import pytest

from idemix.session.errors import UnexpectedEventError
from idemix.session.events import Cancelled, ClientConnected, Event, Failed, PairingCompleted, PairingStarted, ResponseProcessed, TimedOut
from idemix.session.status import Status
from idemix.session.transitions import TRANSITIONS, next_status

EVENTS = (ClientConnected(), PairingStarted(), PairingCompleted(), ResponseProcessed(), Cancelled(), Failed(), TimedOut())
UNFINISHED = (Status.INITIALIZED, Status.PAIRING, Status.CONNECTED)
ALLOWED = {
    (Status.INITIALIZED, ClientConnected): Status.CONNECTED,
    (Status.INITIALIZED, PairingStarted): Status.PAIRING,
    (Status.PAIRING, PairingCompleted): Status.CONNECTED,
    (Status.CONNECTED, ResponseProcessed): Status.DONE,
    **{(status, Cancelled): Status.CANCELLED for status in UNFINISHED},
    **{(status, Failed): Status.CANCELLED for status in UNFINISHED},
    **{(status, TimedOut): Status.TIMEOUT for status in UNFINISHED},
}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("status", Status, ids=lambda status: status.value)
@pytest.mark.feature("I6.2")
def test_every_status_meets_every_event(status: Status, event: Event) -> None:
    following = ALLOWED.get((status, type(event)))
    if following is None:
        with pytest.raises(UnexpectedEventError, match=type(event).__name__):
            next_status(status, event)
    else:
        assert next_status(status, event) is following


def test_table_knows_every_status_and_no_other_event() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert {event for row in TRANSITIONS.values() for event in row} == {type(event) for event in EVENTS}


@pytest.mark.parametrize("status", Status)
def test_finished_statuses_are_those_without_a_way_out(status: Status) -> None:
    assert status.is_finished == (not TRANSITIONS[status])

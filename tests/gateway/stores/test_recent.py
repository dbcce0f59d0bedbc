"""Sessions that a process wrote last."""

import time

from gateway.stores.recent import RecentSessions
from idemix.session.status import Status
from tests.support.stores import changed, session


def test_the_last_one_is_kept_until_it_ends() -> None:
    recent, made = RecentSessions(), session()
    assert recent.get(made.client_token) is None
    recent.keep(made)
    after = changed(made, status=Status.CONNECTED)
    recent.keep(after)
    assert recent.get(made.client_token) is after
    recent.keep(changed(after, status=Status.DONE))
    assert recent.get(made.client_token) is None


def test_a_session_that_may_have_changed_is_forgotten() -> None:
    recent, made = RecentSessions(), session()
    recent.keep(made)
    recent.forget(made.client_token)
    recent.forget(made.client_token)
    assert recent.get(made.client_token) is None


def test_the_oldest_go_first() -> None:
    recent = RecentSessions(most=2)
    first, second, third = session(1), session(2), session(3)
    for one in (first, second, first, third):
        recent.keep(one)
    kept = [one for one in (first, second, third) if recent.get(one.client_token) is not None]
    assert kept == [first, third]


def test_none_is_kept_for_long() -> None:
    recent = RecentSessions(kept_seconds=0.01)
    recent.keep(session(1))
    time.sleep(0.02)
    assert recent.get(session(1).client_token) is None
    recent.keep(session(2))
    assert recent.get(session(2).client_token) is not None

"""Changes reach other processes: by reading, and at once through Redis."""

import threading

import pytest
from sqlalchemy.orm import Session

from gateway.changes import CHANNEL, Changes, Topic, announce, counters
from gateway.database import Database
from tests.support.processes import wait_until
from tests.support.redis import RedisServer


def count(database: Database, topic: Topic) -> int:
    with database.read() as session:
        return counters(session)[topic.value]


def test_announcing_raises_one_counter(database: Database) -> None:
    database.write(lambda session: announce(session, Topic.SCHEMES))
    assert (count(database, Topic.SCHEMES), count(database, Topic.JOBS)) == (1, 0)


def test_change_that_failed_is_not_announced(database: Database) -> None:
    def work(session: Session) -> None:
        announce(session, Topic.SCHEMES)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        database.write(work)
    assert count(database, Topic.SCHEMES) == 0


def test_check_calls_for_what_rose_and_only_once(sqlite_database: Database) -> None:
    changes = Changes(sqlite_database)
    called: list[str] = []
    changes.on(Topic.SCHEMES, lambda: called.append("schemes"))
    changes.on(Topic.JOBS, lambda: called.append("jobs"))
    changes.check()
    called.clear()
    sqlite_database.write(lambda session: announce(session, Topic.SCHEMES))
    changes.check()
    changes.check()
    assert called == ["schemes"]


def test_callback_that_failed_is_called_again(sqlite_database: Database) -> None:
    changes = Changes(sqlite_database)
    changes.check()
    calls: list[int] = []

    def fail_once() -> None:
        calls.append(len(calls))
        if len(calls) == 1:
            raise OSError("away")

    changes.on(Topic.SCHEMES, fail_once)
    sqlite_database.write(lambda session: announce(session, Topic.SCHEMES))
    with pytest.raises(OSError, match="away"):
        changes.check()
    changes.check()
    assert calls == [0, 1]


def test_thread_sees_the_change_of_another_process(database_url: str) -> None:
    here, there = Database(database_url), Database(database_url)
    changes = Changes(here)
    seen = threading.Event()
    changes.on(Topic.REQUESTORS, seen.set)
    changes.start()
    there.write(lambda session: announce(session, Topic.REQUESTORS))
    assert seen.wait(20)
    changes.stop()
    here.close()
    there.close()


def test_redis_wakes_at_once(sqlite_database_url: str, redis_server: RedisServer) -> None:
    here, there = Database(sqlite_database_url), Database(sqlite_database_url)
    # Between two readings lie ten minutes: what is seen was seen through Redis.
    watching = Changes(here, redis=redis_server.client(), interval_seconds=600)
    announcing = Changes(there, redis=redis_server.client())
    seen = threading.Event()
    watching.on(Topic.REQUESTORS, seen.set)
    watching.start()
    client = redis_server.client()
    wait_until(lambda: client.pubsub_numsub(CHANNEL)[0][1] == 1, "the subscription")
    there.write(lambda session: announce(session, Topic.REQUESTORS))
    assert seen.wait(20)
    watching.stop()
    assert announcing is not watching
    client.close()
    here.close()
    there.close()


def test_change_stands_where_redis_is_away(sqlite_database: Database) -> None:
    class Away:
        def publish(self, *_: object) -> None:
            raise ConnectionError("away")

    Changes(sqlite_database, redis=Away())
    sqlite_database.write(lambda session: announce(session, Topic.REQUESTORS))
    assert count(sqlite_database, Topic.REQUESTORS) == 1

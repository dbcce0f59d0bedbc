"""How a change reaches every process within a second, without a restart.

A change raises the counter of its topic in its own transaction. Every process reads the counters twice a second in one thread
and calls what was registered for the topics that rose. Where there is Redis, a message wakes the threads at once; the counters
stay the truth, so that a lost message costs half a second and no more.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from enum import Enum
from typing import Any, Final

from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from idemix.clock import Clock, system_clock

from .database import Database, RepeatedRead
from .models import Change

_log = logging.getLogger(__name__)

#: The channel of the wake-up messages in Redis.
CHANNEL: Final = "irmahub:changes"

#: How long the thread sleeps between two readings, in seconds.
INTERVAL_SECONDS: Final = 0.5


class Topic(Enum):
    """What can change."""

    REQUESTORS = "requestors"
    SCHEMES = "schemes"
    ISSUER_KEYS = "issuer_keys"
    CUSTODY = "custody"
    JOBS = "jobs"
    REVOCATION = "revocation"


def announce(session: Session, topic: Topic, clock: Clock = system_clock) -> None:
    """Raise the counter of a topic in the transaction of the change."""
    raised = session.execute(
        update(Change).where(Change.topic == topic.value).values(counter=Change.counter + 1, changed_at=clock()).returning(Change.topic)
    )
    raised.scalar_one()  # A migration makes the row of each topic.
    session.info.setdefault("announced", set()).add(topic)


_COUNTERS: Final = select(Change.topic, Change.counter)


def counters(session: Session) -> dict[str, int]:
    """Read all counters."""
    return {row.topic: row.counter for row in session.execute(_COUNTERS)}


class Changes:
    """Watches the counters for one process.

    Args:
        database: where the counters are.
        redis: a `redis.Redis`, where there is one; it is used for waking up only.
        redis_prefix: goes before the name of the channel.
        interval_seconds: between two readings.
    """

    def __init__(
        self, database: Database, *, redis: Any = None, redis_prefix: str = "", interval_seconds: float = INTERVAL_SECONDS
    ) -> None:
        self._database = database
        self._redis = redis
        self._channel = redis_prefix + CHANNEL
        self._interval = interval_seconds
        self._callbacks: list[tuple[Topic, Callable[[], None]]] = []
        self._seen: Mapping[str, int] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        if redis is not None:
            event.listen(database.write_sessions, "after_commit", self._publish)

    def on(self, topic: Topic, callback: Callable[[], None]) -> None:
        """Have `callback` called, in the watching thread, after each change of a topic."""
        self._callbacks.append((topic, callback))

    def start(self) -> None:
        """Start watching, in threads that end with the process. Call it after a fork."""
        if self._threads:
            return
        with self._database.read() as session:
            self._seen = counters(session)
        self._stop.clear()
        self._threads = [threading.Thread(target=self._watch, name="changes", daemon=True)]
        if self._redis is not None:
            self._threads.append(threading.Thread(target=self._listen, name="changes-redis", daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the changes are watched."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Stop watching and wait for the threads."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def check(self) -> None:
        """Read the counters now and call what is registered for those that rose."""
        with self._lock:
            with self._database.read() as session:
                now = counters(session)
            risen = {topic for topic, counter in now.items() if counter != self._seen.get(topic)}
            for topic, callback in self._callbacks:
                if topic.value in risen:
                    callback()
            # Only now: had a callback failed, the next reading calls it again.
            self._seen = now

    def _watch(self) -> None:
        with closing(RepeatedRead(self._database, _COUNTERS)) as counting:
            while not self._stop.is_set():
                self._wake.wait(self._interval)
                self._wake.clear()
                if self._stop.is_set():
                    return
                try:
                    if dict(counting.rows()) != self._seen:
                        self.check()
                except Exception:
                    # The database may be away for a while; what is in memory stays in force until it is back.
                    _log.exception("changes could not be read; trying again")

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(self._channel)
                    while not self._stop.is_set():
                        if subscription.get_message(timeout=min(self._interval, INTERVAL_SECONDS)) is not None:
                            self._wake.set()
            except Exception:
                _log.exception("Redis does not answer; changes are read every %s seconds", self._interval)
                self._stop.wait(min(self._interval, INTERVAL_SECONDS))

    def _publish(self, session: Session) -> None:
        topics = session.info.pop("announced", ())
        for topic in topics:
            try:
                self._redis.publish(self._channel, topic.value)
            except Exception:
                _log.exception("Redis does not answer; the change of %s is found by reading", topic.value)

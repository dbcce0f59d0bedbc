"""Sessions in Redis, shared by any number of processes.

Keys, each with the prefix of the configuration: `token:<requestor token>` holds the client token, `session:<client token>`
a hash of revision and session, `deadlines` a sorted set of client tokens by the end of their life time, `requestor:<name>` the
same of one requestor's, and the channel `status` carries changes. A session's two keys expire together.

Source of the key names: irmago `irma/server/irmaserver/sessions.go`.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final

import redis
import structlog

from idemix.clock import Clock
from idemix.session.session import Session
from idemix.session.status import Status

from ..metrics import STORE_ERRORS
from .base import Listener, StatusChange, StoreConflictError, StoreError, TooManySessionsError, UnknownSessionError

log = structlog.get_logger(__name__)

#: Seconds between attempts to listen again after the connection was lost.
_RETRY_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.5

#: KEYS: session, token, deadlines, those of the requestor. ARGV: client token, session JSON, revision, deadline, milliseconds to live,
#: now, how many sessions of the requestor may run (-1 for any number), whether there is a requestor.
_ADD: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if ARGV[8] == '1' then
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. ARGV[6])
  if ARGV[7] ~= '-1' and redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[7]) then return 2 end
  redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1])
end
redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'session', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[5])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
return 1
"""

#: As above until ARGV[5], and ARGV[6]: the revision that must still be there, ARGV[7]: the channel, ARGV[8]: what is told there,
#: ARGV[9]: whether there is a requestor. An empty deadline takes the session off the lists, an empty message tells nothing.
_UPDATE: Final = """
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[6] then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'session', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[5])
for number = 3, ARGV[9] == '1' and 4 or 3 do
  if ARGV[4] == '' then redis.call('ZREM', KEYS[number], ARGV[1]) else redis.call('ZADD', KEYS[number], ARGV[4], ARGV[1]) end
end
if ARGV[8] ~= '' then redis.call('PUBLISH', ARGV[7], ARGV[8]) end
return 1
"""

#: KEYS: token. ARGV: what goes before the client token in the key of a session.
_GET: Final = """
local token = redis.call('GET', KEYS[1])
return token and redis.call('HGET', ARGV[1] .. token, 'session')
"""


class RedisStore:
    """A `SessionStore` over a Redis client.

    Args:
        client: the connection pool; it decodes no responses.
        clock: the clock that times to live are counted from.
        prefix: goes before every key and the channel, for servers whose access lists ask it.

    Attributes:
        client, prefix: as given, for what else is kept beside the sessions.
    """

    def __init__(self, client: redis.Redis, clock: Clock, prefix: str = "") -> None:
        self.client: Any = client
        self.prefix = prefix
        self._clock = clock
        self._add = client.register_script(_ADD)
        self._update = client.register_script(_UPDATE)
        self._get = client.register_script(_GET)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, session: Session, *, deadline: datetime, expires_at: datetime, at_most: int | None = None) -> None:
        most = -1 if at_most is None else at_most
        arguments = [*self._arguments(session, deadline, expires_at), self._clock().timestamp(), most, int(bool(session.requestor))]
        with reported():
            added = self._add(client=self._connection, keys=self._keys(session), args=arguments)
        if added == 2:
            raise TooManySessionsError("as many sessions of the requestor run as may run")
        if not added:
            raise StoreError("a token of the session is in use")

    def get_by_client_token(self, token: str) -> Session:
        with reported():
            content = self._connection.hget(f"{self.prefix}session:{token}", "session")
        return _read(content)

    def get_by_requestor_token(self, token: str) -> Session:
        with reported():
            content = self._get(client=self._connection, keys=[f"{self.prefix}token:{token}"], args=[f"{self.prefix}session:"])
        return _read(content)

    def update(
        self,
        session: Session,
        expected_revision: int,
        *,
        deadline: datetime | None,
        expires_at: datetime,
        change: StatusChange | None = None,
    ) -> None:
        message = "" if change is None else _print_change(change)
        arguments = [
            *self._arguments(session, deadline, expires_at),
            expected_revision,
            f"{self.prefix}status",
            message,
            int(bool(session.requestor)),
        ]
        with reported():
            updated = self._update(client=self._connection, keys=self._keys(session), args=arguments)
        if not updated:
            raise StoreConflictError("the session was changed meanwhile, or is gone")

    def overdue(self, now: datetime, limit: int) -> list[str]:
        deadlines = f"{self.prefix}deadlines"
        with reported():
            tokens = [token.decode() for token in self.client.zrangebyscore(deadlines, "-inf", now.timestamp(), start=0, num=limit)]
            known = [bool(self.client.exists(f"{self.prefix}session:{token}")) for token in tokens]
            gone = [token for token, is_known in zip(tokens, known, strict=True) if not is_known]
            if gone:
                self.client.zrem(deadlines, *gone)
        return [token for token, is_known in zip(tokens, known, strict=True) if is_known]

    def running(self, requestor: str) -> list[str]:
        with reported():
            return [token.decode() for token in self.client.zrange(f"{self.prefix}requestor:{requestor}", 0, -1)]

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        with self._lock:
            self._listeners.append(listener)
            if self._thread is None:
                subscribed = threading.Event()
                self._thread = threading.Thread(target=self._listen, args=(subscribed,), name="redis-status", daemon=True)
                self._thread.start()
                subscribed.wait(timeout=5)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return unsubscribe

    def is_healthy(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        self.client.close()

    @property
    def _connection(self) -> Any:
        """A client with a connection of this thread's own: taking one out of the pool and checking it costs as much as a command."""
        client = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = self.client.client()
        if not client.connection.is_connected:
            # The first command would go to the old address, where sentinels have meanwhile named another.
            client.connection.connect()
        return client

    def _keys(self, session: Session) -> list[str]:
        prefix = self.prefix
        return [
            f"{prefix}session:{session.client_token}",
            f"{prefix}token:{session.requestor_token}",
            f"{prefix}deadlines",
            f"{prefix}requestor:{session.requestor}",
        ]

    def _arguments(self, session: Session, deadline: datetime | None, expires_at: datetime) -> list[Any]:
        milliseconds = int((expires_at - self._clock()).total_seconds() * 1000)
        if milliseconds <= 0:
            raise StoreConflictError("the session has expired")
        return [
            session.client_token,
            json.dumps(session.to_json()),
            session.revision,
            "" if deadline is None else deadline.timestamp(),
            milliseconds,
        ]

    def _listen(self, subscribed: threading.Event) -> None:
        """Pass on what is published until the store is closed; a lost connection is taken up again."""
        while not self._stopped.is_set():
            try:
                with self.client.pubsub(ignore_subscribe_messages=False) as channel:
                    channel.subscribe(f"{self.prefix}status")
                    while not self._stopped.is_set():
                        message = channel.get_message(timeout=_POLL_SECONDS)
                        if message is not None and message["type"] == "subscribe":
                            # The client subscribes anew by itself where it found its connection lost.
                            if subscribed.is_set():
                                self._tell(None)
                            subscribed.set()
                        elif message is not None and message["type"] == "message":
                            self._tell(_read_change(message["data"]))
            except (redis.RedisError, StoreError) as error:
                log.warning("store.status_changes_interrupted", error=type(error).__name__)
                self._stopped.wait(_RETRY_SECONDS)

    def _tell(self, change: StatusChange | None) -> None:
        for listener in tuple(self._listeners):
            listener(change)


def _read(content: bytes | None) -> Session:
    if content is None:
        raise UnknownSessionError("unknown session")
    return Session.from_json(json.loads(content))


def _print_change(change: StatusChange) -> str:
    return json.dumps(
        {"token": change.client_token, "status": change.status.value, "next": change.next_session, "revision": change.revision}
    )


def _read_change(data: bytes) -> StatusChange:
    content = json.loads(data)
    return StatusChange(content["token"], Status(content["status"]), content["next"], content["revision"])


@contextmanager
def reported() -> Iterator[None]:
    """Turn the client's errors into the store's."""
    try:
        yield
    except redis.RedisError as error:
        STORE_ERRORS.inc()
        raise StoreError("the session store cannot be reached") from error

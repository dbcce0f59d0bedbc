"""Sessions in Redis, shared by any number of processes.

Keys, each with the prefix of the configuration: `token:<requestor token>` holds the client token, `session:<client token>`
a hash of revision and session, `deadlines` a sorted set of client tokens by the end of their life time, `requestor:<name>` the
same of one requestor's, and the channel `status:<client token>` carries its changes. A session's two keys expire together.

Source of the key names: irmago `irma/server/irmaserver/sessions.go`.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import redis

from idemix.clock import Clock
from idemix.session.session import Session

from .base import Listener, StatusChange, StoreConflictError, StoreError, TooManySessionsError, UnknownSessionError
from .channels import StatusChannels, print_change
from .commands import Commands, Script
from .recent import RecentSessions

#: KEYS: session, token, deadlines, those of the requestor. ARGV: client token, session JSON, revision, deadline, milliseconds to live,
#: now, how many sessions of the requestor may run (-1 for any number), whether there is a requestor.
_ADD: Final = Script("""
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
""")

#: As above until ARGV[5], and ARGV[6]: the revision that must still be there, ARGV[7]: the channel, ARGV[8]: what is told there,
#: ARGV[9]: whether there is a requestor. An empty deadline takes the session off the lists, an empty message tells nothing.
_UPDATE: Final = Script("""
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[6] then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'session', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[5])
for number = 3, ARGV[9] == '1' and 4 or 3 do
  if ARGV[4] == '' then redis.call('ZREM', KEYS[number], ARGV[1]) else redis.call('ZADD', KEYS[number], ARGV[4], ARGV[1]) end
end
if ARGV[8] ~= '' then redis.call('PUBLISH', ARGV[7], ARGV[8]) end
return 1
""")

#: KEYS: token. ARGV: what goes before the client token in the key of a session.
_GET: Final = Script("""
local token = redis.call('GET', KEYS[1])
return token and redis.call('HGET', ARGV[1] .. token, 'session')
""")


class RedisStore:
    """A `SessionStore` over a Redis client.

    Args:
        client: the connection pool; it decodes no responses.
        clock: the clock that times to live are counted from.
        prefix: goes before every key and the channel, for servers whose access lists ask it.

    Attributes:
        commands: sends single commands.
        prefix: as given, for what else is kept beside the sessions.
    """

    def __init__(self, client: redis.Redis, clock: Clock, prefix: str = "") -> None:
        self.commands = Commands(client)
        self.prefix = prefix
        self._client: Any = client
        self._clock = clock
        self._channels = StatusChannels(client, prefix)
        self._recent = RecentSessions()

    def add(self, session: Session, *, deadline: datetime, expires_at: datetime, at_most: int | None = None) -> None:
        most = -1 if at_most is None else at_most
        arguments = [*self._arguments(session, deadline, expires_at), self._clock().timestamp(), most, int(bool(session.requestor))]
        added = self.commands.run(_ADD, self._keys(session), arguments)
        if added == 2:
            raise TooManySessionsError("as many sessions of the requestor run as may run")
        if not added:
            raise StoreError("a token of the session is in use")
        self._recent.keep(session)

    def get_by_client_token(self, token: str) -> Session:
        return _read(self.commands.execute("HGET", f"{self.prefix}session:{token}", "session"))

    def get_by_requestor_token(self, token: str) -> Session:
        return _read(self.commands.run(_GET, [f"{self.prefix}token:{token}"], [f"{self.prefix}session:"]))

    def recent(self, client_token: str) -> Session | None:
        return self._recent.get(client_token)

    def update(
        self,
        session: Session,
        expected_revision: int,
        *,
        deadline: datetime | None,
        expires_at: datetime,
        change: StatusChange | None = None,
    ) -> None:
        message = "" if change is None else print_change(change)
        arguments = [
            *self._arguments(session, deadline, expires_at),
            expected_revision,
            self._channels.name(session.client_token),
            message,
            int(bool(session.requestor)),
        ]
        # Until the new one is known to be stored, the old one is no base for another change.
        self._recent.forget(session.client_token)
        updated = self.commands.run(_UPDATE, self._keys(session), arguments)
        if not updated:
            raise StoreConflictError("the session was changed meanwhile, or is gone")
        self._recent.keep(session)

    def overdue(self, now: datetime, limit: int) -> list[str]:
        deadlines = f"{self.prefix}deadlines"
        due = self.commands.execute("ZRANGEBYSCORE", deadlines, "-inf", now.timestamp(), "LIMIT", 0, limit)
        tokens = [token.decode() for token in due]
        known = [bool(self.commands.execute("EXISTS", f"{self.prefix}session:{token}")) for token in tokens]
        gone = [token for token, is_known in zip(tokens, known, strict=True) if not is_known]
        if gone:
            self.commands.execute("ZREM", deadlines, *gone)
        return [token for token, is_known in zip(tokens, known, strict=True) if is_known]

    def running(self, requestor: str) -> list[str]:
        return [token.decode() for token in self.commands.execute("ZRANGE", f"{self.prefix}requestor:{requestor}", 0, -1)]

    def subscribe(self, client_token: str, listener: Listener) -> Callable[[], None]:
        return self._channels.subscribe(client_token, listener)

    def is_healthy(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        self._channels.close()
        self._client.close()

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


def _read(content: bytes | None) -> Session:
    if content is None:
        raise UnknownSessionError("unknown session")
    return Session.from_json(json.loads(content))

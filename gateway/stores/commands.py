"""Single commands to Redis, each thread on a connection of its own.

What redis-py does around a command (telemetry, locks, callbacks by the command's name) costs three times as much as sending it and
reading the answer. Here only its connections are used: they know addresses, TLS, credentials and sentinels.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis.exceptions import NoScriptError

from ..metrics import STORE_ERRORS
from .base import StoreError

_LOST: Final = (redis.ConnectionError, redis.TimeoutError)


class Script:
    """A script that runs as one command.

    Args:
        text: in Lua.

    Attributes:
        text: as given.
        sha: the SHA-1 by which a server knows a script that ran before.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Commands:
    """Sends commands that may be repeated: one whose answer was lost with the connection is sent once more on a new one.

    Args:
        client: its pool gives the connections; it decodes no responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client: Any = client
        self._own = threading.local()

    def execute(self, *command: Any) -> Any:
        """Send a command and read its answer.

        Raises:
            StoreError: the server cannot be reached, or refuses the command.
        """
        with reported():
            return self._execute(*command)

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script and read its answer; as `execute`."""
        with reported():
            try:
                return self._execute("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return self._execute("EVAL", script.text, len(keys), *keys, *arguments)

    def _execute(self, *command: Any) -> Any:
        connection = self._connection()
        packed = connection.pack_command(*command)
        if connection.is_connected:
            try:
                return _exchange(connection, packed)
            except _LOST:
                pass
        # Only here sentinels are asked where to go, which may have named another server meanwhile.
        connection.connect()
        return _exchange(connection, packed)

    def _connection(self) -> Any:
        """This thread's connection: taking one out of the pool and checking it costs as much as a command."""
        try:
            client = self._own.client
        except AttributeError:
            # The client, and not its connection, is kept: it gives the connection back to the pool when the thread ends.
            client = self._own.client = self._client.client()
        return client.connection


def _exchange(connection: Any, packed: Any) -> Any:
    try:
        connection.send_packed_command(packed)
        return connection.read_response()
    except redis.ResponseError:
        raise
    except BaseException:
        # An answer that was not read must not be taken for that to the next command.
        connection.disconnect()
        raise


@contextmanager
def reported() -> Iterator[None]:
    """Turn the client's errors into the store's."""
    try:
        yield
    except redis.RedisError as error:
        STORE_ERRORS.inc()
        raise StoreError("the session store cannot be reached") from error

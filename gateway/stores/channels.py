"""Status changes from Redis, of the sessions that somebody in this process listens to.

Each session has a channel of its own, so that a change costs nothing where nobody waits for it. One connection, which is opened
when the first listener comes, carries them all: its thread waits for what is published and for the orders of other threads,
and sends all orders that came together as one. Only that thread uses the connection, since TLS allows no other.
"""

import json
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import redis
import structlog

from idemix.session.status import Status

from .base import Listener, StatusChange, StoreError

log = structlog.get_logger(__name__)

#: Seconds between attempts to listen again after the connection was lost.
_RETRY_SECONDS: Final = 0.5
#: Seconds that a subscription may take.
_LONGEST: Final = 5.0


@dataclass(slots=True, eq=False)
class _Channel:
    """The channel of one session, as long as it has listeners.

    Attributes:
        client_token: which session.
        listeners: who is told of its changes.
        is_open: whether the server has confirmed the subscription, on this connection or one that was lost since.
    """

    client_token: str
    listeners: list[Listener] = field(default_factory=list)
    is_open: bool = False

    def tell(self, change: StatusChange | None) -> None:
        for listener in tuple(self.listeners):
            listener(change)


class StatusChannels:
    """Tells listeners of the changes of their sessions.

    Args:
        client: its pool gives the connection.
        prefix: goes before the name of every channel.
    """

    def __init__(self, client: redis.Redis, prefix: str = "") -> None:
        self._client: Any = client
        self._prefix = f"{prefix}status:"
        self._condition = threading.Condition()
        self._channels: dict[str, _Channel] = {}
        self._orders: list[tuple[str, _Channel]] = []
        #: The channels that the server was asked for and has not confirmed, in that order; only the thread uses it.
        self._asked: deque[_Channel] = deque()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def name(self, client_token: str) -> str:
        """The channel of a session."""
        return self._prefix + client_token

    def subscribe(self, client_token: str, listener: Listener) -> Callable[[], None]:
        """Have a listener told of a session's changes; see `SessionStore.subscribe`."""
        with self._condition:
            if self._thread is None:
                self._woken, self._waker = socket.socketpair()
                self._thread = threading.Thread(target=self._run, name="redis-status", daemon=True)
                self._thread.start()
            channel = self._channels.get(client_token)
            if channel is None:
                channel = self._channels[client_token] = _Channel(client_token)
                self._order("SUBSCRIBE", channel)
            channel.listeners.append(listener)
            is_open = self._condition.wait_for(lambda: channel.is_open, _LONGEST)

        def unsubscribe() -> None:
            with self._condition, suppress(ValueError):
                channel.listeners.remove(listener)
                if not channel.listeners:
                    del self._channels[client_token]
                    self._order("UNSUBSCRIBE", channel)

        if not is_open:
            unsubscribe()
            raise StoreError("the session store cannot be reached")
        return unsubscribe

    def close(self) -> None:
        """Stop the thread."""
        with self._condition:
            self._stopped.set()
            if self._thread is None:
                return
            self._waker.send(b"!")
        self._thread.join()
        self._waker.close()
        self._woken.close()

    def _order(self, command: str, channel: _Channel) -> None:
        self._orders.append((command, channel))
        # One byte wakes the thread for all orders that it has not taken yet.
        if len(self._orders) == 1 and not self._stopped.is_set():
            self._waker.send(b"!")

    def _run(self) -> None:
        """Listen until the store is closed; a lost connection is taken up again."""
        while not self._stopped.is_set():
            try:
                client = self._client.client()
                try:
                    self._listen(client.connection)
                finally:
                    # What it is still subscribed to must not come to whom the pool gives it next.
                    client.connection.disconnect()
                    client.close()
            except (redis.RedisError, StoreError) as error:
                log.warning("store.status_changes_interrupted", error=type(error).__name__)
                self._stopped.wait(_RETRY_SECONDS)

    def _listen(self, connection: Any) -> None:
        with self._condition:
            self._orders = [("SUBSCRIBE", channel) for channel in self._channels.values()]
        self._asked.clear()
        self._send_orders(connection)
        with selectors.DefaultSelector() as selector:
            selector.register(connection._get_socket(), selectors.EVENT_READ)  # redis-py names it nowhere else
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopped.is_set():
                if any(key.fileobj is self._woken for key, _ in selector.select()):
                    self._woken.recv(4096)
                    self._send_orders(connection)
                while connection.can_read():
                    self._take(connection.read_response(push_request=True))

    def _send_orders(self, connection: Any) -> None:
        with self._condition:
            orders, self._orders = self._orders, []
        if orders:
            self._asked.extend(channel for command, channel in orders if command == "SUBSCRIBE")
            commands = [(command, self.name(channel.client_token)) for command, channel in orders]
            connection.send_packed_command(connection.pack_commands(commands))

    def _take(self, message: Any) -> None:
        """Handle what the server sent: a change, or that it did what was ordered."""
        kind, name, content = message
        if kind == b"message":
            channel = self._channels.get(name.decode().removeprefix(self._prefix))
            if channel is not None:
                channel.tell(_read_change(channel.client_token, content))
        elif kind == b"subscribe":
            channel = self._asked.popleft()
            if channel.is_open:
                # The connection was lost since it was opened, and perhaps changes with it.
                channel.tell(None)
                return
            with self._condition:
                channel.is_open = True
                self._condition.notify_all()


def print_change(change: StatusChange) -> str:
    """What is published of a change on the channel of its session."""
    return json.dumps({"status": change.status.value, "next": change.next_session, "revision": change.revision})


def _read_change(client_token: str, data: bytes) -> StatusChange:
    """Read what `print_change` wrote.

    Raises:
        StoreError: somebody else published this; what should have been told may be missing, so that it is as if the connection was lost.
    """
    try:
        content = json.loads(data)
        return StatusChange(client_token, Status(content["status"]), content["next"], content["revision"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError("no change of a session was published") from error

"""Live status events: from the store's changes to streams of server-sent events.

One `EventHub` per process opens streams and subscribes each to its session in the store. A stream costs a few hundred bytes and no
thread: the server attaches a callable to it and is called when there is something to send. Under a server or test client that
iterates, it is an ordinary iterable of bytes.

Where the store was away for a while, changes may have passed unheard. The hub then reads for each stream how its session stands,
and tells what is new; a session that the store lost ends its streams.

Source: irmago `irma/server/irmaserver/helpers.go` (`eventServer`, `serverSentEventsHandler`).
"""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Protocol

from .stores.base import SessionStore, StatusChange, UnknownSessionError, status_change

#: The first message; it has no data, so browsers' EventSource ignores it while the app's client waits for it.
OPEN_MESSAGE: Final = b"event: open\n\n"

#: The headers of a stream, besides its media type.
STREAM_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "Keep-Alive,X-Requested-With,Cache-Control,Content-Type,Last-Event-ID",
}

Deliver = Callable[[bytes | None], None]


def status_data(change: StatusChange) -> Any:
    """What the requestor and the app are told: the status."""
    return change.status.value


def frontend_data(change: StatusChange) -> Any:
    """What the frontend is told: the status, and the next session of a chain."""
    return {"status": change.status.value} | ({"nextSession": dict(change.next_session)} if change.next_session else {})


def encode_event(data: Any) -> bytes:
    """One message with data."""
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


class StreamOwner(Protocol):
    """Who fills streams, and forgets those that end."""

    def remove(self, name: str, stream: "EventStream", /) -> None:
        """Send this stream nothing more."""
        ...


class EventStream:
    """The status changes of one session as server-sent events, for one listener.

    The stream opens with `OPEN_MESSAGE` and ends after a finished status. Changes that happen before anyone attached or
    iterates are kept, so none is lost between the request and the first write.
    """

    def __init__(
        self,
        hub: StreamOwner,
        client_token: str,
        render: Callable[[StatusChange], Any] = status_data,
        known: StatusChange | None = None,
    ) -> None:
        self._hub = hub
        self._client_token = client_token
        self._render = render
        self._lock = threading.Lock()
        self._waiting: list[bytes | None] = [OPEN_MESSAGE]
        self._deliver: Deliver | None = None
        self._is_ended = False
        self._known = known

    def begin_at(self, known: StatusChange) -> None:
        """Say what the listener can read now, so that it is told of what is newer only."""
        with self._lock:
            if self._known is None or known.revision > self._known.revision:
                self._known = known

    def attach(self, deliver: Deliver) -> None:
        """Have `deliver` called with each message, and with None at the end; from any thread, never twice at once."""
        with self._lock:
            for message in self._waiting:
                deliver(message)
            self._waiting.clear()
            self._deliver = deliver

    def close(self) -> None:
        """Stop listening. May be called more than once."""
        self._hub.remove(self._client_token, self)

    def receive(self, change: StatusChange) -> None:
        """Take a change of the session; called by the hub."""
        with self._lock:
            known = self._known
            # News may take its time: what was published before the listener came, or before it was told of more, is none to it.
            if self._is_ended or (known is not None and (change.revision < known.revision or change.status is known.status)):
                return
            self._known = change
            self._emit(encode_event(self._render(change)))
        if change.status.is_finished:
            self.end()

    def end(self) -> None:
        """Tell the listener that nothing more comes."""
        with self._lock:
            if not self._is_ended:
                self._is_ended = True
                self._emit(None)
        self.close()

    @property
    def is_ended(self) -> bool:
        """Whether nothing more comes."""
        return self._is_ended

    def push(self, message: bytes) -> None:
        """Send a message that is no change of a session."""
        with self._lock:
            if not self._is_ended:
                self._emit(message)

    def _emit(self, message: bytes | None) -> None:
        if self._deliver is None:
            self._waiting.append(message)
        else:
            self._deliver(message)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the messages, waiting for each; one thread per stream, for servers that know nothing better."""
        messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.attach(messages.put)
        try:
            while (message := messages.get()) is not None:
                yield message
        finally:
            self.close()


class EventHub:
    """Opens the streams of this process, and hands them the store's changes."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._unsubscribing: dict[EventStream, Callable[[], None]] = {}

    def open(self, client_token: str, render: Callable[[StatusChange], Any], known: StatusChange | None = None) -> EventStream:
        """Start listening to a session; `known` is how it stood just before.

        Raises:
            StoreError: the store cannot be reached.
        """
        stream = EventStream(self, client_token, render, known)
        unsubscribe = self._store.subscribe(client_token, partial(self._receive, client_token, stream))
        with self._lock:
            self._unsubscribing[stream] = unsubscribe
        if stream.is_ended:
            # By a change that came before there was anything to remove.
            stream.close()
        return stream

    def remove(self, _client_token: str, stream: EventStream) -> None:
        """Stop listening; called by the stream."""
        with self._lock:
            unsubscribe = self._unsubscribing.pop(stream, None)
        if unsubscribe is not None:
            unsubscribe()

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._unsubscribing)

    def close(self) -> None:
        """Stop listening to the store."""
        with self._lock:
            streams = tuple(self._unsubscribing)
        for stream in streams:
            stream.close()

    def _receive(self, client_token: str, stream: EventStream, change: StatusChange | None) -> None:
        """Hand a change to a stream; where some may have been missed, read how the session stands.

        Raises:
            StoreError: the store is away again.
        """
        if change is None:
            try:
                change = status_change(self._store.get_by_client_token(client_token))
            except UnknownSessionError:
                stream.end()
                return
        stream.receive(change)

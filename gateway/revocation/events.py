"""The stream of updates for those who follow this server: each update as JSON, with the events since the one before.

Updates come from whatever process revoked or renewed; so each process with listeners looks into the tables every second.

Source: irmago `irma/revocation.go` (PostUpdate). Unlike there, an update is sent when credentials are revoked too, with the events.
"""

import threading
from collections import defaultdict

from idemix.scheme.identifiers import CredentialTypeId

from ..events import EventStream, encode_event
from .tables import RevocationTables


class UpdateHub:
    """Hands new accumulators to the streams of this process.

    Args:
        tables: where accumulators appear.
    """

    def __init__(self, tables: RevocationTables) -> None:
        self._tables = tables
        self._lock = threading.Lock()
        self._streams: defaultdict[CredentialTypeId, set[EventStream]] = defaultdict(set)
        self._known: dict[CredentialTypeId, dict[int, tuple[int, int]]] = {}

    def open(self, type_id: CredentialTypeId) -> EventStream:
        """Start listening to a credential type."""
        stream = EventStream(self, str(type_id))
        heads = self._tables.heads(type_id)
        with self._lock:
            self._known.setdefault(type_id, {counter: (head.index, head.time) for counter, head in heads.items()})
            self._streams[type_id].add(stream)
        return stream

    def remove(self, name: str, stream: EventStream) -> None:
        """Stop listening; called by the stream."""
        type_id = CredentialTypeId(name)
        with self._lock:
            self._streams[type_id].discard(stream)
            if not self._streams[type_id]:
                del self._streams[type_id]
                self._known.pop(type_id, None)

    def look(self) -> None:
        """Send what is new; called every second."""
        with self._lock:
            waiting = tuple(self._streams)
        for type_id in waiting:
            with self._lock:
                known = dict(self._known.get(type_id, {}))
            for counter, (head, update) in self._tables.latest_since(type_id, known).items():
                with self._lock:
                    if type_id in self._known:
                        self._known[type_id][counter] = (head.index, head.time)
                    streams = tuple(self._streams.get(type_id, ()))
                for stream in streams:
                    stream.push(encode_event(update.to_json()))

"""Runs a WSGI application behind an event loop: requests on threads, event streams on the loop.

Every request runs through the application on a thread. Where the application answers with a `gateway.events.EventStream`,
the thread is given back and the loop writes the events as they come, so that a waiting listener costs no thread.
See docs/adr/0002-production-server.md.
"""

import asyncio
import io
import logging
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, cast
from wsgiref.types import WSGIApplication, WSGIEnvironment

from gateway.events import EventStream
from irmahub.threads import Threads

log = logging.getLogger(__name__)

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: How much of a body is kept, but for a few addresses. The applications refuse at 10 MiB or less; a byte more tells that there is more.
MAX_BODY_BYTES: Final = 10 * 1024 * 1024 + 1

#: How long a client may take to send the head of a request, and then its body.
READ_SECONDS: Final = 30.0

#: A listener that has not taken this many events is cut off.
MAX_WAITING_EVENTS: Final = 100

#: What no header may hold.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Bridge:
    """Answers the requests of one WSGI application.

    Args:
        application: what answers.
        large_bodies: the addresses (paths) whose requests may hold more than `MAX_BODY_BYTES`, with how much.
        read_seconds: how long a client may take to send the head of a request, and then its body.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        large_bodies: Mapping[str, int] = MappingProxyType({}),
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._application = application
        self._large_bodies = large_bodies
        self.read_seconds = read_seconds
        self._streams: set[asyncio.Queue[bytes | None]] = set()
        self._is_ending = False
        self._threads = Threads[tuple[Scope, bytes, Callable[[Answer], object]]](lambda request: self._answer(*request))

    def most_bytes(self, path: str) -> int:
        """How much of a body sent to an address is kept."""
        return max(self._large_bodies.get(path, 0) + 1, MAX_BODY_BYTES)

    def answer(self, scope: Scope, body: bytes, take: Callable[["Answer"], object]) -> None:
        """Have a request answered.

        Args:
            scope: the request, as ASGI describes it.
            body: its body, whole or cut at `most_bytes`.
            take: called with the answer, on a thread of the pool.
        """
        self._threads.put((scope, body, take))

    def end_streams(self) -> None:
        """End all event streams, also those that open from now on; their listeners come back to another process, or later."""
        self._is_ending = True
        for queue in tuple(self._streams):
            queue.put_nowait(None)

    def close(self) -> None:
        """Take no more requests, and wait for those that came."""
        self._threads.close()

    def _answer(self, scope: Scope, body: bytes, take: Callable[["Answer"], object]) -> None:
        try:
            answer = self._call(scope, body)
        except Exception:
            log.exception("application.failed")
            answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR)
            answer.headers, answer.body = [(b"content-type", b"text/plain; charset=utf-8")], b"Internal Server Error"
        take(answer)

    def _call(self, scope: Scope, body: bytes) -> "Answer":
        """Run the application; on a thread of the pool."""
        answer = Answer()
        chunks = self._application(_environment(scope, body), answer.start)
        if isinstance(chunks, EventStream):
            answer.stream = chunks
            return answer
        try:
            answer.body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return answer

    async def stream(self, stream: EventStream, receive: Receive, send: Send) -> None:
        """Write the events of one listener, after the head of the answer, until the stream ends or the listener leaves."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()

        def take(event: bytes | None) -> None:
            queue.put_nowait(None if queue.qsize() >= MAX_WAITING_EVENTS else event)

        def deliver(event: bytes | None) -> None:
            loop.call_soon_threadsafe(take, event)

        async def write() -> None:
            while (event := await queue.get()) is not None:
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        self._streams.add(queue)
        stream.attach(deliver)
        if self._is_ending:
            queue.put_nowait(None)
        writer = asyncio.ensure_future(write())
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait((writer, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._streams.discard(queue)
            stream.close()
            writer.cancel()
            leaving.cancel()


class Answer:
    """An answer, as the WSGI application gives it.

    Attributes:
        status: its status.
        headers: its headers; their names in small letters.
        body: its body, where it is no stream.
        stream: the events that it opens, or None.
    """

    def __init__(self, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.status = status.value
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.stream: EventStream | None = None

    def start(self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        """WSGI's `start_response`.

        Raises:
            ValueError: a header holds a control character, which might begin another one.
        """
        self.status = int(status[:3])
        if _FORBIDDEN.search("".join(map("".join, headers))):
            raise ValueError("a header holds a control character")
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _refuse_write


def _refuse_write(_data: bytes) -> object:
    raise RuntimeError("the application must return its body")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _environment(scope: Scope, body: bytes) -> WSGIEnvironment:
    """The WSGI environment of a request (PEP 3333)."""
    host, port = scope["server"]
    environment: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "RAW_URI": cast(bytes, scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": cast(bytes, scope["query_string"]).decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in cast(Iterable[tuple[bytes, bytes]], scope["headers"]):
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name == "CONTENT_TYPE":
            environment.setdefault(name, value)  # of several the first counts, as in irma server
        elif name not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):  # the body is complete here, whatever carried it
            key = f"HTTP_{name}"
            separator = "; " if name == "COOKIE" else ","
            environment[key] = f"{environment[key]}{separator}{value}" if key in environment else value
    return environment

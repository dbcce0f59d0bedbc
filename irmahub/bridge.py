"""Runs a WSGI application behind an ASGI server: requests on a bounded pool of threads, event streams on the event loop.

Every request runs through the application on a thread. Where the application answers with a `gateway.events.EventStream`,
the thread is given back and the loop writes the events as they come, so that a waiting listener costs no thread.
See docs/adr/0002-production-server.md.
"""

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, cast
from wsgiref.types import WSGIApplication, WSGIEnvironment

from gateway.events import EventStream

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: Threads for the requests of one application. More than cores, since requests also wait: for a database, a next session.
THREADS: Final = 16

#: How much of a body is kept, but for a few addresses. The applications refuse at 10 MiB or less; a byte more tells that there is more.
MAX_BODY_BYTES: Final = 10 * 1024 * 1024 + 1

#: How long a client may take to send its request.
BODY_TIMEOUT_SECONDS: Final = 30

#: A listener that has not taken this many events is cut off.
MAX_WAITING_EVENTS: Final = 100


class Bridge:
    """A WSGI application as an ASGI application.

    Args:
        application: what answers.
        threads: how many of its requests run at a time.
        large_bodies: the addresses (paths) whose requests may hold more than `MAX_BODY_BYTES`, with how much.
    """

    def __init__(
        self, application: WSGIApplication, *, threads: int = THREADS, large_bodies: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._application = application
        self._large_bodies = large_bodies
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._streams: set[asyncio.Queue[bytes | None]] = set()
        self._is_ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            async with asyncio.timeout(BODY_TIMEOUT_SECONDS):
                body = await _read_body(receive, max(self._large_bodies.get(scope["path"], 0) + 1, MAX_BODY_BYTES))
        except TimeoutError:
            await _send_status(send, HTTPStatus.REQUEST_TIMEOUT)
            return
        if body is None:
            return
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._pool, self._call, scope, body)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        if isinstance(answer.body, bytes):
            await send({"type": "http.response.body", "body": answer.body})
        else:
            await self._stream(answer.body, receive, send)

    def end_streams(self) -> None:
        """End all event streams, also those that open from now on; their listeners come back to another process, or later."""
        self._is_ending = True
        for queue in tuple(self._streams):
            queue.put_nowait(None)

    def close(self) -> None:
        """Take no more requests, and wait for those that run."""
        self._pool.shutdown()

    def _call(self, scope: Scope, body: bytes) -> "_Answer":
        """Run the application; on a thread of the pool."""
        answer = _Answer()
        chunks = self._application(_environment(scope, body), answer.start)
        if isinstance(chunks, EventStream):
            answer.body = chunks
            return answer
        try:
            answer.body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return answer

    async def _stream(self, stream: EventStream, receive: Receive, send: Send) -> None:
        """Write the events of one listener until the stream ends or the listener leaves."""
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


class _Answer:
    """Status, headers and body of an answer, as the WSGI application gives them."""

    def __init__(self) -> None:
        self.status = HTTPStatus.INTERNAL_SERVER_ERROR.value
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: bytes | EventStream = b""

    def start(self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        """WSGI's `start_response`."""
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _refuse_write


def _refuse_write(_data: bytes) -> object:
    raise RuntimeError("the application must return its body")


async def _read_body(receive: Receive, most: int) -> bytes | None:
    """The request's body, cut at `most` bytes; None where the client left."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")[: most - len(body)]
        if not message.get("more_body", False):
            return bytes(body)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_status(send: Send, status: HTTPStatus) -> None:
    await send({"type": "http.response.start", "status": status.value, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b""})


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

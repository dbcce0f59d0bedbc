"""An HTTP client that costs the generator of load next to nothing: one connection, one request at a time, bodies of known length."""

import asyncio
from typing import Final, cast

from idemix.errors import IdemixError

TIMEOUT_SECONDS: Final = 30.0


class LoadError(IdemixError):
    """The server did not answer as it should; a measurement with such an answer is none."""


class Connection(asyncio.Protocol):
    """A connection that is kept open; `Connection.open` makes it."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._received = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        """Connect."""
        _, connection = await asyncio.get_running_loop().create_connection(lambda: cls(f"{host}:{port}"), host, port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    async def request(self, method: str, path: str, body: bytes = b"", *, headers: str = "") -> bytes:
        """Send a request and wait for its answer.

        Args:
            headers: lines, each with its line end.

        Returns:
            The body.

        Raises:
            LoadError: the status is not 200, or the connection ended.
        """
        if self._transport is None:
            raise LoadError("the connection is not open")
        self._answer = asyncio.get_running_loop().create_future()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self._transport.write(head.encode() + body)
        return await asyncio.wait_for(self._answer, TIMEOUT_SECONDS)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = bytes(self._received).partition(b"\r\n\r\n")
        if not found or self._answer is None or self._answer.done():
            return
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"content-length" not in fields:
            self._answer.set_exception(LoadError("an answer without length"))
        elif len(rest) >= (length := int(fields[b"content-length"])):
            del self._received[:]
            if head.startswith(b"HTTP/1.1 200 "):
                self._answer.set_result(rest[:length])
            else:
                self._answer.set_exception(LoadError(f"the server answered: {head.partition(b' ')[2][:3].decode()} {rest[:300].decode()}"))

    def connection_lost(self, _error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LoadError("the server ended the connection"))

"""A gateway of ours with a clock that can be set, asked without a socket."""

import json
import queue
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from flask import Flask, Response, g
from structlog.testing import capture_logs
from werkzeug.test import EnvironBuilder, run_wsgi_app

from gateway.app import create_app, create_client_app
from gateway.config import GatewayConfig
from gateway.events import EventStream
from gateway.outbound import OutboundClient
from gateway.runtime import Gateway
from gateway.schemes import SchemeSource
from idemix.session.randomness import Randomness

#: How long an event may take that has to come from another thread or process.
_EVENT_SECONDS: Final = 5.0


class Events:
    """The events of a stream, kept as they come."""

    def __init__(self, stream: EventStream) -> None:
        self._stream = stream
        self._messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        stream.attach(self._messages.put)

    def take(self, at_least: int) -> list[str]:
        """The messages so far; waits for as many as there must be. The stream is closed."""
        messages: list[str] = []
        try:
            while (message := self._messages.get(timeout=_EVENT_SECONDS if len(messages) < at_least else 0.0)) is not None:
                messages.append(message.decode())
        except queue.Empty:
            pass
        self._stream.close()
        return messages


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of ours.

    Attributes:
        status, headers: of the answer; the names of headers in small letters.
        body: JSON is decoded; a stream gives its events.
        error: the error that it tells of.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    error: Exception | None

    @property
    def content_type(self) -> str:
        """The media type with its parameters, "" for none."""
        return self.headers.get("content-type", "")


class Server:
    """A gateway.

    Args:
        config: its configuration; with `client_port` it consists of two applications.
        schemes: its schemes and issuer keys.
        now: its time, until `now` is set.
        randomness, outbound: as for `create_app`.
    """

    def __init__(
        self,
        config: GatewayConfig,
        schemes: SchemeSource,
        now: datetime,
        *,
        randomness: Randomness | None = None,
        outbound: OutboundClient | None = None,
    ) -> None:
        self.now = now
        with capture_logs():
            self._app = create_app(
                config,
                clock=lambda: self.now,
                schemes=schemes,
                randomness=randomness,
                outbound=outbound,
                background=False,
            )
        self._client_app = create_client_app(self._app) if config.client_port else self._app
        self._client_path = f"{config.api_prefix.rstrip('/')}/irma/"
        self._error: Exception | None = None
        for app in {self._app, self._client_app}:
            app.after_request(self._note)
        self.gateway = cast(Gateway, self._app.extensions["gateway"])

    def _note(self, response: Response) -> Response:
        self._error = g.get("refusal")
        return response

    def send(self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes, *, host: str = "localhost") -> Answer:
        """Send a request."""
        builder = EnvironBuilder(path="/", method=method, headers=list(headers), data=body)
        environ = builder.get_environ()
        path, _, query = target.partition("?")
        environ |= {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_URI": target, "RAW_URI": target, "HTTP_HOST": host}
        if not any(name.lower() == "content-type" for name, _ in headers):
            environ.pop("CONTENT_TYPE", None)
        self._error = None
        # What the gateway logs would stand between the lines of the report.
        with capture_logs():
            return self._answer(self._client_app if path.startswith(self._client_path) else self._app, environ)

    def _answer(self, app: Flask, environ: dict[str, Any]) -> Answer:
        streams: list[EventStream] = []

        def application(environ: Any, start_response: Any) -> Any:
            chunks = app(environ, start_response)
            if not isinstance(chunks, EventStream):
                return chunks
            streams.append(chunks)
            return ()

        chunks, status, headers = run_wsgi_app(application, environ, buffered=True)
        named = {name.lower(): value for name, value in headers.items()}
        content: Any = Events(streams[0]) if streams else b"".join(chunks).decode()
        if named.get("content-type", "").startswith("application/json"):
            content = json.loads(content)
        return Answer(int(status.split()[0]), named, content, self._error)

    def close(self) -> None:
        """End it, with the calls to requestors that are under way."""
        with capture_logs():
            self.gateway.close()

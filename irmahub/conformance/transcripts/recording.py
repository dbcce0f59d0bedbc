"""What a file of recorded exchanges tells: the messages, and the values that the recorder's server drew."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import jwt
from gmpy2 import mpz

from idemix.integers import decode_integer
from irmahub.conformance.core import Case, Context, Mismatch, expect_equal

#: Moment of the recordings that do not give one themselves.
RECORDED_AT: Final = datetime(2026, 11, 23, 20, tzinfo=UTC)

_JWT: Final = re.compile(r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
#: What the server fills into a request, beside what it was asked.
_FILLED_IN: Final = frozenset({"context", "nonce", "protocolVersion", "devMode"})


@dataclass(frozen=True, slots=True)
class Message:
    """A recorded request with its answer.

    Attributes:
        seq: its number in the order of arrival.
        label: what a call made by hand tests, "" for others.
        time_ms: since the start of the recording.
        headers: of the request; those that matter.
        status, response_headers, response_body: the answer.
        chunks: the pieces of a stream of events, None for other answers.
    """

    seq: int
    label: str
    time_ms: int
    method: str
    path: str
    headers: Mapping[str, str]
    request_body: str
    status: int
    response_headers: Mapping[str, str]
    response_body: str
    chunks: tuple[str, ...] | None

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """Read its JSON."""
        headers = value.get("response_headers") or {}
        chunks = None
        if str(headers.get("Content-Type", "")).startswith("text/event-stream"):
            chunks = tuple(str(chunk["data"]) for chunk in value.get("response_chunks") or ())
        return cls(
            seq=value.get("seq", 1),
            label=value.get("label") or "",
            time_ms=value.get("time_ms", 0),
            method=value["method"],
            path=value["path"],
            headers=value.get("headers") or {},
            request_body=value.get("request_body") or "",
            status=value.get("status", 200),
            response_headers=headers,
            response_body=value.get("response_body") or "",
            chunks=chunks,
        )

    @property
    def json(self) -> Any:
        """The answer's JSON, or None where it is none. Of the two that one answer of the reference holds, the first."""
        if not self.response_body.startswith(("{", "[", '"')):
            return None
        return json.JSONDecoder().raw_decode(self.response_body)[0]

    @property
    def content_type(self) -> str:
        return self.response_headers.get("Content-Type", "")

    @property
    def error(self) -> str:
        """The name of the error that the answer tells of, or ""."""
        body = self.json
        return str(body.get("error", "")) if self.status >= 400 and isinstance(body, dict) else ""

    @property
    def pointer(self) -> Mapping[str, str] | None:
        """The QR of a session that this exchange started."""
        body = self.json
        if self.method != "POST" or not isinstance(body, dict):
            return None
        found = body.get("sessionPtr") or body.get("nextSession") or body
        return found if isinstance(found, dict) and "u" in found else None


@dataclass(frozen=True, slots=True)
class Drawn:
    """The values that the recorder's server drew for a session; None for those that nobody was told."""

    client_token: str
    requestor_token: str | None = None
    frontend_authorization: str | None = None
    nonce: mpz | None = None


@dataclass(frozen=True)
class Recording:
    """A file of exchanges.

    Attributes:
        name: of the file.
        host: by which the server was reached.
        exchanges: with the server, in order of arrival.
        calls: which the server made to requestors; None where they were not recorded.
    """

    name: str
    host: str
    exchanges: tuple[Message, ...]
    calls: tuple[Message, ...] | None = field(default=None)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read its JSON."""
        calls: Sequence[Mapping[str, Any]] | None = document.get("server_to_requestor")
        if "callback" in document:
            calls = [document["callback"]]
        return cls(
            name=document["name"],
            host=urlsplit(document["server_url"]).netloc,
            exchanges=tuple(Message.of(value) for value in document["exchanges"]),
            calls=None if calls is None else tuple(Message.of(value) for value in calls),
        )

    @cached_property
    def started_at(self) -> datetime:
        """When the recording began: the latest moment that the times of issue in it allow, which are whole seconds rounded down."""
        earliest = []
        for message in (*self.exchanges, *(self.calls or ())):
            for text in (message.request_body, message.response_body):
                earliest += [issued_at - message.time_ms / 1000 for issued_at in _times_of_issue(text)]
        return datetime.fromtimestamp(max(earliest), UTC) if earliest else RECORDED_AT

    def moment(self, message: Message) -> datetime:
        """When an exchange was recorded."""
        return self.started_at + timedelta(milliseconds=message.time_ms)

    def drawn(self, message: Message) -> Drawn | None:
        """What was drawn for the session that an exchange started."""
        if message.pointer is None:
            return None
        client_token = message.pointer["u"].rpartition("/")[2]
        body = message.json
        frontend = body.get("frontendRequest") or {}
        nonce = self._request(client_token).get("nonce")
        return Drawn(
            client_token=client_token,
            requestor_token=body.get("token") or self._next_token(message),
            frontend_authorization=frontend.get("authorization"),
            nonce=None if nonce is None else decode_integer(nonce, "nonce"),
        )

    def pairing_code(self, message: Message) -> str | None:
        """The pairing code that an exchange drew."""
        body = message.json
        return body.get("pairingCode") if message.path.endswith("/frontend/options") and isinstance(body, dict) else None

    @property
    def client_tokens(self) -> frozenset[str]:
        """The sessions that this recording started."""
        return frozenset(message.pointer["u"].rpartition("/")[2] for message in self.exchanges if message.pointer is not None)

    @property
    def foreign_tokens(self) -> frozenset[str]:
        """The sessions that this recording asks about without having started them, and that the server knew."""
        asked = {
            message.path.split("/")[3]
            for message in self.exchanges
            if message.path.startswith("/irma/session/") and message.path.count("/") > 3 and message.error != "SESSION_UNKNOWN"
        }
        return frozenset(asked) - self.client_tokens

    @property
    def static_sessions(self) -> Mapping[str, Mapping[str, Any]]:
        """The static sessions that were started, by name, with what the app was then asked."""
        found = {}
        for message in self.exchanges:
            prefix, _, name = message.path.rpartition("/")
            if message.pointer is not None and prefix == "/irma/session":
                request = self._request(message.pointer["u"].rpartition("/")[2])
                found[name] = {key: value for key, value in request.items() if key not in _FILLED_IN}
        return found

    def has_error(self, *texts: str) -> bool:
        """Whether an answer tells of one of these errors, by name or message."""
        return any(text in message.response_body for message in self.exchanges if message.status >= 400 for text in texts)

    @property
    def has_authentication(self) -> bool:
        """Whether the server authenticated its requestors: whether it refused all that showed nothing."""
        return not any(
            message.status == 200 and message.method == "POST" and message.path == "/session" and "Authorization" not in message.headers
            for message in self.exchanges
            if message.headers.get("Content-Type", "").startswith("application/json")
        )

    def _request(self, client_token: str) -> Mapping[str, Any]:
        """The session request as the app was given it."""
        for message in self.exchanges:
            body = message.json
            if message.method == "GET" and f"/session/{client_token}" in message.path and isinstance(body, dict):
                request: Mapping[str, Any] = body.get("request", body)
                if "nonce" in request:
                    return request
        return {}

    def _next_token(self, message: Message) -> str | None:
        """The requestor token of a session that followed on the one of this exchange: its result names it."""
        client_token = message.path.split("/")[3]
        for other in self.exchanges:
            body = other.json
            if other.pointer is None or other.pointer["u"].rpartition("/")[2] != client_token:
                continue
            token = body.get("token") or self._next_token(other)
            for result in self.exchanges:
                if result.path == f"/session/{token}/result" and isinstance(result.json, dict):
                    following = result.json.get("nextSession")
                    return None if following is None else str(following)
        return None


def index_cases(index: Mapping[str, Any], context: Context) -> Iterator[Case]:
    """That each file which the index lists is there, with all its exchanges."""
    folder = index_path(context).parent
    for entry in index["transcripts"]:
        yield Case("transcripts", entry["file"], partial(_is_whole, entry, folder))


def _is_whole(entry: Mapping[str, Any], folder: Path) -> None:
    try:
        document = json.loads((folder / entry["file"]).read_bytes())
    except OSError as error:
        raise Mismatch("the file is missing") from error
    expect_equal("the number of exchanges", len(document["exchanges"]), entry["exchanges"])


def index_path(context: Context) -> Path:
    """Where the index lies, which tells of the server that was recorded.

    Raises:
        Mismatch: there is none.
    """
    for path in sorted(context.folder.rglob("index.json")):
        if "server_configuration" in json.loads(path.read_bytes()):
            return path
    raise Mismatch("there is no index.json that tells how the server was configured")


def _times_of_issue(text: str) -> Iterator[int]:
    """The times of issue of the JWTs in a text."""
    for token in _JWT.findall(text):
        issued_at = jwt.decode(token, options={"verify_signature": False}).get("iat")
        if isinstance(issued_at, int):
            yield issued_at

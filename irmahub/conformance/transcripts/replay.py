"""The gateway that a recording is replayed against, and the replay itself."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from gmpy2 import mpz

from gateway.addresses import WITH_PRIVATE
from gateway.config import GatewayConfig
from gateway.outbound import OutboundClient
from gateway.schemes import FixedSchemes, read_key_folder
from idemix.session.randomness import SystemRandomness
from irmahub.conformance.core import Case, Context, Departed
from irmahub.conformance.server import Answer, Server
from irmahub.conformance.transcripts.comparison import compare, compare_call, compare_events
from irmahub.conformance.transcripts.recording import Drawn, Message, Recording, index_path
from irmahub.conformance.verification import recorded_timestamp_keys, test_configuration

#: Where a static session's result goes; the recordings do not tell.
_STATIC_CALLBACK: Final = "http://requestor.invalid/"
_EVERYTHING: Final = {f"{kind}_perms": ["*"] for kind in ("disclose", "sign", "issue")}
_SHARED_PERMISSIONS: Final = "permissions_of_"


class RecordedRandomness(SystemRandomness):
    """Draws what the recorder's server drew, where that is known.

    Attributes:
        session: the values of the session to start next.
        code: the next pairing code.
    """

    session: Drawn | None = None
    code: str | None = None

    def requestor_token(self) -> str:
        return (self.session and self.session.requestor_token) or super().requestor_token()

    def client_token(self) -> str:
        return (self.session and self.session.client_token) or super().client_token()

    def frontend_authorization(self) -> str:
        return (self.session and self.session.frontend_authorization) or super().frontend_authorization()

    def nonce(self) -> mpz:
        known = self.session and self.session.nonce
        return super().nonce() if known is None else known

    def pairing_code(self) -> str:
        return self.code or super().pairing_code()


class RequestorServers:
    """The requestors' servers, which answer as recorded.

    Attributes:
        calls: what they were asked.
    """

    def __init__(self, recording: Recording) -> None:
        self.calls: list[httpx.Request] = []
        self._recording = recording
        self._answers = list(recording.calls or ())

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a call."""
        self.calls.append(request)
        if self._recording.calls is None:
            return _described_answer(self._recording)
        recorded = self._answers.pop(0) if self._answers else None
        return httpx.Response(404) if recorded is None else httpx.Response(recorded.status, text=recorded.response_body)


def _described_answer(recording: Recording) -> httpx.Response:
    """The answer of a requestor whose server was not recorded, from the error that the app was told of."""
    for message in recording.exchanges:
        if message.error == "NEXT_SESSION":
            told = message.json.get("message", "")
            if match := re.search(r"unexpected response, status (\d+)", told):
                return httpx.Response(int(match[1]))
            if match := re.search(r"No issuer permissions configured for credential '(.+)'", told):
                return httpx.Response(200, json={"@context": _ISSUANCE, "credentials": [{"credential": match[1], "attributes": {}}]})
    return httpx.Response(200)


_ISSUANCE: Final = "https://irma.app/ld/request/issuance/v2"


class Replay:
    """A recording and the gateway that it is replayed against.

    Args:
        recordings: the recording; before it those that it refers to.
        index: tells of the server that was recorded.
        context: where the schemes lie.
        options: of the gateway's configuration, beside the recorded ones.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        index: Mapping[str, Any],
        context: Context,
        *,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.recording = recordings[-1]
        self.servers = RequestorServers(self.recording)
        self._earlier = recordings[:-1]
        self._randomness = RecordedRandomness()
        recorded = index["server_configuration"]
        now = min(recording.started_at for recording in recordings)
        configuration = test_configuration(context.schemes, int(now.timestamp()))
        config = replace(
            GatewayConfig.from_options(_options(recordings, recorded) | dict(options or {}), command_defaults=False),
            timestamp_keys=recorded_timestamp_keys(recorded["timestamp_public_key_hex"], configuration),
        )
        self.server = Server(
            config,
            FixedSchemes(configuration, read_key_folder(context.schemes / "testdata" / "privatekeys")),
            now,
            randomness=self._randomness,
            outbound=OutboundClient(WITH_PRIVATE, transport=httpx.MockTransport(self.servers.answer)),
        )

    def cases(self) -> Iterator[Case]:
        """A case for each exchange and stream of events, in order, and for each call to a requestor."""
        for earlier in self._earlier:
            for message in earlier.exchanges:
                self._send(earlier, message)
        streams: list[tuple[Message, Answer]] = []
        try:
            for message in self.recording.exchanges:
                yield Case("exchanges", f"{self.recording.name}/{message.seq}", partial(self._exchange, message, streams))
            for message, answer in streams:
                yield Case("streams", f"{self.recording.name}/{message.seq}", partial(compare_events, message, answer))
        finally:
            self.server.close()
        for position, call in enumerate(self.recording.calls or ()):
            yield Case(
                "calls", f"{self.recording.name}/{call.path}", partial(compare_call, position, call, self.servers.calls, self.server)
            )

    def _exchange(self, message: Message, streams: list[tuple[Message, Answer]]) -> Departed | None:
        answer = self._send(self.recording, message)
        if message.chunks is not None:
            streams.append((message, answer))
        return compare(message, answer, self.server)

    def _send(self, recording: Recording, message: Message) -> Answer:
        self.server.now = recording.moment(message)
        self._randomness.session = recording.drawn(message)
        self._randomness.code = recording.pairing_code(message)
        return self.server.send(
            message.method, message.path, list(message.headers.items()), message.request_body.encode(), host=recording.host
        )


def cases(recording: Recording, context: Context, *, options: Mapping[str, Any] | None = None) -> Iterator[Case]:
    """Replay a recording, after those of the same folder whose sessions it asks about."""
    index = json.loads(index_path(context).read_bytes())
    yield from Replay([*_earlier_recordings(recording, context), recording], index, context, options=options).cases()


def _earlier_recordings(recording: Recording, context: Context) -> Iterator[Recording]:
    """The recordings that started sessions which this one asks about."""
    if not recording.foreign_tokens:
        return
    for path in sorted(index_path(context).parent.glob("*.json")):
        document = json.loads(path.read_bytes())
        if "exchanges" in document:
            other = Recording.of(document)
            if not recording.foreign_tokens.isdisjoint(other.client_tokens):
                yield other


def _options(recordings: Sequence[Recording], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the server that was recorded, as far as the index tells it; the rest shows in its answers."""
    recording = recordings[-1]
    shared = next((value for name, value in recorded.items() if name.startswith(_SHARED_PERMISSIONS)), {})
    options: dict[str, Any] = {
        "url": recorded["url"],
        "max_request_age": recorded["max_request_age_seconds"],
        "sse": not recording.has_error("SSE_DISABLED"),
        "augment_client_return_url": not recording.has_error("augmenting client return url not enabled"),
        "static_sessions": {
            name: {"callbackUrl": _STATIC_CALLBACK, "request": request} for name, request in recording.static_sessions.items()
        },
    }
    if not recording.has_error("JWT signing not supported", "no JWT private key"):
        options["jwt_privkey"] = _new_key()
    if not recording.has_authentication:
        return options | {"no_auth": True} | _EVERYTHING
    requestors = {name: _requestor(content, shared) for name, content in recorded["requestors"].items()}
    return options | {"no_auth": False, "requestors": requestors} | recorded["global_permissions"]


def _requestor(content: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    key = content.get("token") or content.get("public_key_pem") or content.get("key_base64")
    permissions = {name: value for name, value in content.items() if name.endswith("_perms")}
    return {"auth_method": content["auth_method"], "key": key, **(permissions or shared)}


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

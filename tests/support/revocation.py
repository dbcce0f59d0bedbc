"""A revocation authority in memory, for the engine; and ways from wallets and gateways to a gateway that serves revocation."""

from collections.abc import Iterator, Mapping, Sequence

import httpx
from flask import Flask
from gmpy2 import mpz
from werkzeug.test import TestResponse

from gateway.revocation.servers import ServersUnavailableError
from idemix.clock import Clock
from idemix.revocation import EventList, IssuanceRecord, SignedAccumulator, Update
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import CredentialTypeId
from idemix.session.errors import RevocationStateError
from idemix.session.keys import IssuerKeys
from idemix.verification import RevocationSetting


class MemoryAuthority:
    """Accumulators, events and issuance records of some credential types, a `RevocationStates`.

    Attributes:
        records: what was issued, the oldest first.
        states: per credential type and key counter the newest accumulator with all events.
        is_reachable: whether it answers.
        tolerance, synced_at: see `RevocationSetting`.
        max_age_seconds: how old a state the engine would last have been content with.
    """

    def __init__(self, configuration: Configuration, keys: IssuerKeys, clock: Clock, *types: CredentialTypeId) -> None:
        self._configuration = configuration
        self._keys = keys
        self._clock = clock
        self.records: list[IssuanceRecord] = []
        self.states: dict[tuple[CredentialTypeId, int], Update] = {}
        self.is_reachable = True
        self.tolerance = 600
        self.synced_at = 0
        self.max_age_seconds: int | None = None
        for type_id in types:
            public, private = keys.signing_key(type_id.issuer)
            self.states[type_id, public.counter] = Update.initial(private, now=self._now)

    @property
    def _now(self) -> int:
        return int(self._clock().timestamp())

    def setting(self, credential_type: CredentialTypeId) -> RevocationSetting:
        return RevocationSetting(self.tolerance, self.synced_at)

    def can_issue(self, credential_type: CredentialTypeId) -> bool:
        return any(type_id == credential_type for type_id, _ in self.states)

    def updates(self, credential_type: CredentialTypeId, *, count: int, max_age_seconds: int) -> Mapping[int, Update]:
        self.max_age_seconds = max_age_seconds
        return {counter: self.newest(credential_type, counter, count) for type_id, counter in self.states if type_id == credential_type}

    def newest(self, credential_type: CredentialTypeId, counter: int, count: int) -> Update:
        """The accumulator with the last `count` events."""
        self._check()
        state = self.states[credential_type, counter]
        assert state.events is not None
        last = list(state.events)[-count:] if count else []
        return Update(state.signed_accumulator, EventList.of(last) if last else None)

    def events(self, credential_type: CredentialTypeId, counter: int, start: int, stop: int) -> EventList:
        """The events from `start` up to `stop`, as far as there are."""
        events = self.states[credential_type, counter].events
        assert events is not None
        return EventList.of(list(events)[start:stop])

    def accumulator(self, credential_type: CredentialTypeId, key_counter: int) -> SignedAccumulator:
        self._check()
        return self.states[credential_type, key_counter].signed_accumulator

    def record(self, record: IssuanceRecord) -> None:
        self._check()
        self.records.append(record)

    def revoke(self, credential_type: CredentialTypeId, revocation_key: str) -> int:
        """Revoke what was issued with this key; how many credentials that are."""
        primes = [
            record.prime
            for record in self.records
            if (record.credential_type, record.revocation_key) == (str(credential_type), revocation_key)
        ]
        self.advance(credential_type, primes)
        return len(primes)

    def advance(self, credential_type: CredentialTypeId, primes: Sequence[mpz]) -> None:
        """Revoke these primes; with none, renew the time."""
        public, private = self._keys.signing_key(credential_type.issuer)
        state = self.states[credential_type, public.counter]
        update = Update.revoking(private, state.verify(public), primes, now=self._now)
        assert state.events is not None
        events = state.events if update.events is None else update.events.after(state.events)
        self.states[credential_type, public.counter] = Update(update.signed_accumulator, events)

    def _check(self) -> None:
        if not self.is_reachable:
            raise RevocationStateError("the authority does not answer")


class SchemeServers(httpx.BaseTransport):
    """Leads the addresses that schemes give of revocation servers to a gateway, and everything else there too.

    Args:
        transport: the way to the gateway.
        base: the address of the gateway, `http://host:port`.

    Attributes:
        asked: the paths of revocation that were asked for.
    """

    def __init__(self, transport: httpx.BaseTransport, base: str = "http://localhost") -> None:
        self._transport = transport
        self._base = httpx.URL(base)
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        if path.startswith("/revocation/"):
            self.asked.append(path)
            path = f"/irma{path}"
        url = request.url.copy_with(scheme=self._base.scheme, host=self._base.host, port=self._base.port, raw_path=path.encode())
        headers = {
            **request.headers,
            "host": self._base.netloc.decode() if path.startswith("/irma/revocation/") else request.headers["host"],
        }
        return self._transport.handle_request(httpx.Request(request.method, url, headers=headers, stream=request.stream))


class AppConnection:
    """The `gateway.revocation.servers.Connection` to a Flask application, as from another gateway.

    Attributes:
        is_up: whether it answers.
        gets, posts: the addresses that were asked.
    """

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()
        self.is_up = True
        self.gets: list[str] = []
        self.posts: list[str] = []

    def get(self, url: str) -> bytes:
        self.gets.append(url)
        return self._answer(self._client.get(self._path(url)) if self.is_up else None)

    def post(self, url: str, body: bytes) -> None:
        self.posts.append(url)
        self._answer(self._client.post(self._path(url), data=body) if self.is_up else None)

    def listen(self, url: str) -> Iterator[str]:
        answer = self._client.get(self._path(url))
        assert answer.status_code == 200
        for chunk in answer.response:
            text = chunk if isinstance(chunk, str) else chunk.decode()
            if text.startswith("data: "):
                yield text.removeprefix("data: ").strip()

    def close(self) -> None:
        pass

    @staticmethod
    def _path(url: str) -> str:
        return "/irma/revocation/" + url.partition("/revocation/")[2]

    @staticmethod
    def _answer(answer: TestResponse | None) -> bytes:
        if answer is None or answer.status_code != 200:
            raise ServersUnavailableError("down" if answer is None else f"status {answer.status_code}")
        return answer.data

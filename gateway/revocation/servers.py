"""Other revocation servers: fetching their updates, posting records to them, listening to what they push.

Their addresses stand in the operator's configuration or in a signed scheme.

Source: irmago `irma/revocation.go` (RevocationClient).
"""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from typing import Final, Protocol, TypeVar

import httpx

from idemix.errors import IdemixError
from idemix.keys.public import PublicKey
from idemix.revocation import EventList, Update, event_blocks, updates_from_cbor
from idemix.scheme.identifiers import CredentialTypeId

from ..addresses import AddressPolicy
from ..outbound import OutboundClient

#: The longest answer that is read: some ten keys of 65,536 events each are 16 MiB.
MAX_ANSWER_BYTES: Final = 1 << 24
#: The longest message of a stream.
MAX_MESSAGE_BYTES: Final = 1 << 22
TIMEOUT_SECONDS: Final = 10.0
#: An authority pushes each minute; after this a listener thinks that the connection is dead.
SILENCE_SECONDS: Final = 150.0

T = TypeVar("T")


class ServersUnavailableError(IdemixError):
    """No revocation server of a credential type gave a usable answer."""


class Connection(Protocol):
    """The way to other servers. Each method raises `ServersUnavailableError` where a server does not answer, or with an error."""

    def get(self, url: str) -> bytes:
        """The body of an answer."""
        ...

    def post(self, url: str, body: bytes) -> None:
        """Post a body."""
        ...

    def listen(self, url: str) -> Iterator[str]:
        """The data of server-sent events, until the connection ends."""
        ...

    def close(self) -> None:
        """End all connections."""
        ...


class HttpConnection:
    """The `Connection` over HTTP.

    Args:
        policy: which hosts may be called, where a scheme names them.
        own_hosts: gives the hosts that the operator names, which may be called wherever they lead.
    """

    def __init__(self, policy: AddressPolicy, own_hosts: Callable[[], Collection[str]]) -> None:
        self._policy = policy
        self._own_hosts = own_hosts
        self._lock = threading.Lock()
        self._clients: dict[str, OutboundClient] = {}

    @cached_property
    def _streams(self) -> httpx.Client:
        """For streams, which have no end in time. Whether to listen, and where, is the operator's choice."""
        return httpx.Client(timeout=httpx.Timeout(TIMEOUT_SECONDS, read=SILENCE_SECONDS), follow_redirects=False, trust_env=False)

    def get(self, url: str) -> bytes:
        return self._request("GET", url, None)

    def post(self, url: str, body: bytes) -> None:
        self._request("POST", url, body)

    def _request(self, method: str, url: str, body: bytes | None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/octet-stream"}
        try:
            answer = self._client(url).request(
                method, url, content=body, headers=headers, max_bytes=MAX_ANSWER_BYTES, timeout_seconds=TIMEOUT_SECONDS
            )
        except (IdemixError, httpx.InvalidURL) as error:
            raise ServersUnavailableError(str(error)) from error
        if answer.status != httpx.codes.OK:
            raise ServersUnavailableError(f"{url}: answers with status {answer.status}")
        return answer.body

    def _client(self, url: str) -> OutboundClient:
        host = httpx.URL(url).host
        own = host if host in self._own_hosts() else ""
        with self._lock:
            if own not in self._clients:
                self._clients[own] = OutboundClient(self._policy.with_host(own) if own else self._policy)
            return self._clients[own]

    def listen(self, url: str) -> Iterator[str]:
        try:
            with self._streams.stream("GET", url, headers={"Accept": "text/event-stream"}) as response:
                if response.status_code != httpx.codes.OK:
                    raise ServersUnavailableError(f"{url}: answers with status {response.status_code}")
                for line in _lines(response, url):
                    if line.startswith("data:"):
                        yield line.removeprefix("data:").strip()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise ServersUnavailableError(f"{url}: {error or type(error).__name__}") from error

    def close(self) -> None:
        if "_streams" in vars(self):
            self._streams.close()
        with self._lock:
            for client in self._clients.values():
                client.close()


def _lines(response: httpx.Response, url: str) -> Iterator[str]:
    """The lines of a stream; each update is on one."""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace").rstrip("\r")
        if len(rest) > MAX_MESSAGE_BYTES:
            raise ServersUnavailableError(f"{url}: a message is too long")


class RevocationServers:
    """Asks the servers of a credential type one after another, until one gives an answer that can be read.

    Args:
        connection: the way to them.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def latest(self, urls: Sequence[str], type_id: CredentialTypeId, count: int) -> dict[int, Update]:
        """Fetch the newest accumulator of each key, each with the last `count` events.

        Raises:
            ServersUnavailableError: no server gives them.
        """
        return self._first(urls, type_id, f"update/{count}", lambda data: updates_from_cbor(data, "updates"))

    def with_earlier(self, urls: Sequence[str], type_id: CredentialTypeId, public_key: PublicKey, update: Update, first: int) -> Update:
        """Put events before those of an update, from index `first` on; blocks of events are fetched for it.

        Raises:
            ServersUnavailableError: no server gives them.
            VerificationError, MalformedError: what the servers give does not fit together.
        """
        earlier: EventList | None = None
        for start, stop in event_blocks(first, update.first_index(update.verify(public_key)) - 1):
            path = f"events/{public_key.counter}/{start}/{stop}"
            block = self._first(urls, type_id, path, lambda data: EventList.from_cbor(data, "events"))
            earlier = block if earlier is None else block.after(earlier)
        return update if earlier is None else update.after(earlier, public_key)

    def post_record(self, url: str, type_id: CredentialTypeId, key_counter: int, record: bytes) -> None:
        """Post a signed record of issuance to the authority.

        Raises:
            ServersUnavailableError: it did not take it.
        """
        self._connection.post(f"{url}/revocation/{type_id}/issuancerecord/{key_counter}", record)

    def listen(self, url: str, type_id: CredentialTypeId) -> Iterator[str]:
        """The updates that a server pushes, as JSON, until the connection ends.

        Raises:
            ServersUnavailableError: the connection cannot be made, or broke.
        """
        return self._connection.listen(f"{url}/revocation/{type_id}/updateevents")

    def _first(self, urls: Sequence[str], type_id: CredentialTypeId, path: str, read: Callable[[bytes], T]) -> T:
        reasons = []
        for url in urls:
            try:
                return read(self._connection.get(f"{url.rstrip('/')}/revocation/{type_id}/{path}"))
            except IdemixError as error:
                reasons.append(str(error))
        raise ServersUnavailableError(f"no revocation server of {type_id} gives {path}: {'; '.join(reasons) or 'none is known'}")

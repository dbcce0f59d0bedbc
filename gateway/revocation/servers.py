"""Other revocation servers: fetching their updates, posting records to them, listening to what they push.

Their addresses stand in the operator's configuration or in a signed scheme.

Source: irmago `irma/revocation.go` (RevocationClient).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Final, Protocol, TypeVar

import httpx

from idemix.errors import IdemixError
from idemix.keys.public import PublicKey
from idemix.revocation import EventList, Update, event_blocks, updates_from_cbor
from idemix.scheme.identifiers import CredentialTypeId

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
    """The `Connection` over HTTP."""

    @cached_property
    def _client(self) -> httpx.Client:
        """Made when first used: reading the trusted certificates takes a while."""
        return httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)

    def get(self, url: str) -> bytes:
        try:
            with self._client.stream("GET", url) as response:
                _check(response)
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise ServersUnavailableError(f"{url}: the answer is too long")
                return bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServersUnavailableError(f"{url}: {error or type(error).__name__}") from error

    def post(self, url: str, body: bytes) -> None:
        try:
            with self._client.stream("POST", url, content=body, headers={"Content-Type": "application/octet-stream"}) as response:
                _check(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServersUnavailableError(f"{url}: {error or type(error).__name__}") from error

    def listen(self, url: str) -> Iterator[str]:
        timeout = httpx.Timeout(TIMEOUT_SECONDS, read=SILENCE_SECONDS)
        try:
            with self._client.stream("GET", url, headers={"Accept": "text/event-stream"}, timeout=timeout) as response:
                _check(response)
                for line in _lines(response, url):
                    if line.startswith("data:"):
                        yield line.removeprefix("data:").strip()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise ServersUnavailableError(f"{url}: {error or type(error).__name__}") from error

    def close(self) -> None:
        if "_client" in vars(self):
            self._client.close()


def _check(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.OK:
        raise ServersUnavailableError(f"{response.url}: answers with status {response.status_code}")


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

"""Fetching a scheme from its public address, the way a client's update does (spec of scheme updates, section 3)."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import quote

import httpx

from console.errors import NotLiveError, RefusedAddressError
from console.publishing.git import MAX_FILE_BYTES, MAX_TREE_BYTES, Resolver, is_private, resolve, split_address
from idemix.errors import MalformedError, VerificationError
from idemix.scheme.descriptions import parse_requestors
from idemix.scheme.index import SchemeIndex
from idemix.scheme.keys import read_public_key, verify
from idemix.scheme.tree import SchemeTree

#: A client gives a file 20 seconds.
TIMEOUT_SECONDS = 20.0


class PublicAddress:
    """A scheme's public address.

    Args:
        url: where the scheme's files are, with or without a slash at the end.
        trusted: the address is the installation's own, so that it may lie in a private range and be http.
        resolver: gives the addresses of a host.

    Raises:
        RefusedAddressError: it is not https, or its host lies in a private range.
    """

    def __init__(self, url: str, *, trusted: bool, resolver: Resolver = resolve) -> None:
        parts = split_address(url)
        self._pinned: str | None = None
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
            raise RefusedAddressError(url, "must be a web address without user name")
        if not trusted:
            if parts.scheme != "https":
                raise RefusedAddressError(url, "must be an https address")
            try:
                found = resolver(parts.hostname, parts.port or 443)
            except (OSError, ValueError) as error:
                raise RefusedAddressError(url, "the host is not known") from error
            if not found or any(is_private(address) for address in found):
                raise RefusedAddressError(url, "the host lies in a private range, which the settings do not allow")
            self._pinned = found[0]
        self.url = url.rstrip("/") + "/"

    @contextmanager
    def open(self) -> Iterator["Fetcher"]:
        """A connection for several files."""
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, headers={"User-Agent": "irmahub"}) as client:
            yield Fetcher(self.url, client, self._pinned)


class Fetcher:
    """Gets files below one address; there are no redirects, no retries and no more bytes than a scheme may have.

    Args:
        url: the address.
        client: what speaks HTTP.
        pinned: the network address that was judged; the host's name is not resolved again, only certified. None resolves it.
    """

    def __init__(self, url: str, client: httpx.Client, pinned: str | None = None) -> None:
        self._url = url
        self._host = httpx.URL(url).netloc.decode() if pinned is not None else None
        self._pinned = pinned
        self._client = client
        self._total = 0

    def get(self, path: str) -> bytes:
        """One file.

        Raises:
            NotLiveError: it cannot be had.
        """
        url = self._url + quote(path)
        content = bytearray()
        try:
            with self._stream(url) as response:
                if response.status_code != 200:
                    raise NotLiveError(f"{url} answers with status {response.status_code}")
                for part in response.iter_bytes():
                    content += part
                    self._total += len(part)
                    if len(content) > MAX_FILE_BYTES or self._total > MAX_TREE_BYTES:
                        raise NotLiveError(f"{url} is larger than a scheme may be")
        except httpx.HTTPError as error:
            raise NotLiveError(f"{url} does not answer: {error or type(error).__name__}") from error
        return bytes(content)

    def _stream(self, url: str) -> AbstractContextManager[httpx.Response]:
        if self._pinned is None or self._host is None:
            return self._client.stream("GET", url)
        whole = httpx.URL(url)
        return self._client.stream(
            "GET", whole.copy_with(host=self._pinned), headers={"Host": self._host}, extensions={"sni_hostname": whole.host}
        )


def fetch_scheme(fetcher: Fetcher, scheme_id: str, public_key: bytes, progress: Callable[[float], None] | None = None) -> SchemeTree:
    """Fetch a scheme as a client does that has its public key: index, signature, timestamp, then every file the index lists.

    Args:
        fetcher: connected to the scheme's address.
        scheme_id: the scheme the client knows.
        public_key: the `pk.pem` that the client has; it is never fetched.
        progress: told how far it is.

    Raises:
        NotLiveError: a file cannot be had, or is not what the signed index says.
    """
    index, signature, hashes = fetch_index(fetcher, scheme_id, public_key)
    files = {"index": index, "index.sig": signature, "pk.pem": public_key}
    for number, (path, digest) in enumerate(sorted(hashes.items())):
        files[path] = _checked(fetcher, path, digest)
        if progress is not None:
            progress((number + 1) / len(hashes))
    if "description.xml" not in files:
        for path in [path for path in files if path.endswith(".json") and path != "description.json"]:
            for requestor in parse_requestors(files[path], path):
                for logo in (requestor.logo, *(wizard.logo for wizard in requestor.wizards.values())):
                    if logo is not None:
                        files[f"assets/{logo}.png"] = fetcher.get(f"assets/{logo}.png")
    return SchemeTree(files, name=scheme_id)


def fetch_index(fetcher: Fetcher, scheme_id: str, public_key: bytes) -> tuple[bytes, bytes, dict[str, bytes]]:
    """Fetch a scheme's signed index and timestamp.

    Returns:
        The index, its signature, and its hashes by path inside the scheme.

    Raises:
        NotLiveError: as `fetch_scheme`.
    """
    content, signature = fetcher.get("index"), fetcher.get("index.sig")
    try:
        verify(read_public_key(public_key), content, signature)
        index = SchemeIndex.parse(content)
    except (VerificationError, MalformedError) as error:
        raise NotLiveError(f"{scheme_id}: the index that is served is not signed by the scheme’s key: {error}") from error
    hashes = {path.partition("/")[2]: digest for path, digest in index.items()}
    if index.scheme != scheme_id or "timestamp" not in hashes:
        raise NotLiveError(f"{scheme_id}: the index that is served is not the one of this scheme")
    _checked(fetcher, "timestamp", hashes["timestamp"])
    return content, signature, hashes


def fetch_listed(fetcher: Fetcher, hashes: Mapping[str, bytes], path: str) -> bytes:
    """Fetch a file that the index lists.

    Raises:
        NotLiveError: it is not listed, cannot be had, or is another.
    """
    if path not in hashes:
        raise NotLiveError(f"{path} is not in the index that is served")
    return _checked(fetcher, path, hashes[path])


def _checked(fetcher: Fetcher, path: str, digest: bytes) -> bytes:
    content = fetcher.get(path)
    if hashlib.sha256(content).digest() != digest:
        raise NotLiveError(f"{path} is served with another content than the index says")
    return content

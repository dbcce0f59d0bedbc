"""Fetching a scheme from its public address, the way a client's update does (spec of scheme updates, section 3)."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final
from urllib.parse import quote

import httpx

from console.errors import NotLiveError, RefusedAddressError
from console.publishing.git import MAX_FILE_BYTES, MAX_TREE_BYTES, Resolver, is_private, resolve, split_address
from console.publishing.paths import path_rule
from idemix.errors import MalformedError, VerificationError
from idemix.scheme.descriptions import parse_requestors, parse_scheme_manager, scheme_type
from idemix.scheme.index import SchemeIndex
from idemix.scheme.keys import print_public_key, read_public_key, verify
from idemix.scheme.tree import SchemeTree

#: A client gives a file 20 seconds.
TIMEOUT_SECONDS: Final = 20.0
#: So long may a whole scheme take.
TOTAL_SECONDS: Final = 300.0

_DESCRIPTIONS: Final = ("description.xml", "description.json")

_log = logging.getLogger(__name__)


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
    """Gets files below one address; there are no redirects, no retries, and no more bytes and time than a scheme may take.

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
        self._ends_at = time.monotonic() + TOTAL_SECONDS

    def get(self, path: str) -> bytes:
        """One file.

        Raises:
            NotLiveError: it cannot be had.
        """
        content = self.find(path)
        if content is None:
            raise NotLiveError(f"{self._url}{quote(path)} answers with status 404")
        return content

    def find(self, path: str) -> bytes | None:
        """One file, or None where the address says that there is none (404).

        Raises:
            NotLiveError: it cannot be had.
        """
        url = self._url + quote(path)
        content = bytearray()
        ends_at = min(self._ends_at, time.monotonic() + TIMEOUT_SECONDS)
        try:
            with self._stream(url) as response:
                if response.status_code == 404:
                    return None
                if response.status_code != 200:
                    raise NotLiveError(f"{url} answers with status {response.status_code}")
                for part in response.iter_bytes():
                    content += part
                    self._total += len(part)
                    if len(content) > MAX_FILE_BYTES or self._total > MAX_TREE_BYTES:
                        raise NotLiveError(f"{url} is larger than a scheme may be")
                    if time.monotonic() > ends_at:
                        raise NotLiveError(f"{url} takes too long")
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
                        picture = f"assets/{logo}.png"
                        _demand_path(picture)
                        files[picture] = fetcher.get(picture)
    return SchemeTree(files, name=scheme_id)


def is_published_at(fetcher: Fetcher) -> bool:
    """Whether an address serves the index of a scheme, so that it is that of a published scheme and not of a git repository."""
    try:
        content = fetcher.find("index")
        return content is not None and bool(SchemeIndex.parse(content))
    except (NotLiveError, MalformedError):
        return False


def install_scheme(fetcher: Fetcher, public_key: bytes | None = None) -> SchemeTree:
    """Fetch a scheme as a client does that installs it (spec of scheme updates, section 2).

    Description, key, index, signature, timestamp, and every file that the index lists; of demo schemes also the private keys, where
    they are served. The contents are not judged here.

    Args:
        fetcher: connected to the scheme's address.
        public_key: the PEM that the signature must be under; None takes the `pk.pem` that is served (trust on first use).

    Raises:
        NotLiveError: as `fetch_scheme`.
    """
    path = "description.xml"
    description = fetcher.find(path)
    if description is None:
        path = "description.json"
        description = fetcher.get(path)
    try:
        scheme_id, _ = scheme_type(description, path)
        key = fetcher.get("pk.pem") if public_key is None else print_public_key(read_public_key(public_key))
        tree = fetch_scheme(fetcher, scheme_id, key)
        demo = "description.xml" in tree and parse_scheme_manager(tree["description.xml"]).demo
    except MalformedError as error:
        raise NotLiveError(f"what is served is no scheme: {error}") from error
    return tree.with_files(dict(_private_keys(fetcher, tree))) if demo else tree


def _private_keys(fetcher: Fetcher, tree: SchemeTree) -> Iterator[tuple[str, bytes]]:
    """The private keys that a demo scheme serves. None of them need be there, so that one that cannot be had is only logged."""
    keys = [path.replace("/PublicKeys/", "/PrivateKeys/") for path in sorted(tree) if "/PublicKeys/" in path]
    for path in ("sk.pem", *keys):
        try:
            content = fetcher.find(path)
        except NotLiveError as error:
            _log.info("%s: %s", tree.name, error)
            continue
        if content is not None:
            yield path, content


def base_address(url: str) -> str:
    """The address of a scheme from that of its description, as people paste it."""
    for name in _DESCRIPTIONS:
        url = url.removesuffix(f"/{name}")
    return url


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
    if index.scheme != scheme_id or "timestamp" not in hashes or not all(path.startswith(f"{scheme_id}/") for path in index):
        raise NotLiveError(f"{scheme_id}: the index that is served is not the one of this scheme")
    for path in hashes:
        _demand_path(path)
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


def _demand_path(path: str) -> None:
    """Refuse a path that leads out of the scheme: somebody else wrote it."""
    rule = path_rule(path)
    if rule is not None:
        raise NotLiveError(f"{path!r}: {rule}")


def _checked(fetcher: Fetcher, path: str, digest: bytes) -> bytes:
    content = fetcher.get(path)
    if hashlib.sha256(content).digest() != digest:
        raise NotLiveError(f"{path} is served with another content than the index says")
    return content

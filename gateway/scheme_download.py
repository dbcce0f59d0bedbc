"""Fetching a scheme from its public address, the way a client does (spec of scheme updates, sections 1 to 3)."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from idemix.errors import IdemixError, MalformedError, VerificationError
from idemix.scheme.descriptions import parse_requestors, parse_scheme_manager, scheme_type
from idemix.scheme.index import SchemeIndex
from idemix.scheme.keys import print_public_key, read_public_key, verify
from idemix.scheme.tree import MAX_FILE_BYTES, SchemeTree

from .addresses import AddressRefusedError
from .outbound import OutboundClient, OutboundError
from .scheme_paths import path_rule

#: A client gives a file 20 seconds.
TIMEOUT_SECONDS: Final = 20.0
#: So long may a whole scheme take, and so large be.
TOTAL_SECONDS: Final = 300.0
MAX_TREE_BYTES: Final = 256 * 1024 * 1024

_DESCRIPTIONS: Final = ("description.xml", "description.json")

_log = logging.getLogger(__name__)


class SchemeDownloadError(IdemixError):
    """A scheme cannot be had from its address, or what is served there is not what its signature says."""


class SchemeServer:
    """Gets files below one address; there are no more bytes and time than a scheme may take.

    Args:
        url: where the scheme's files are, with or without a slash at the end.
        client: calls it.
        https_only: refuse http.
    """

    def __init__(self, url: str, client: OutboundClient, *, https_only: bool = False) -> None:
        self.url = url.rstrip("/") + "/"
        self._client = client
        self._https_only = https_only
        self._total = 0
        self._ends_at = time.monotonic() + TOTAL_SECONDS

    def get(self, path: str) -> bytes:
        """One file.

        Raises:
            SchemeDownloadError: it cannot be had.
        """
        content = self.find(path)
        if content is None:
            raise SchemeDownloadError(f"{self.url}{quote(path)} answers with status 404")
        return content

    def find(self, path: str) -> bytes | None:
        """One file, or None where the address says that there is none (404).

        Raises:
            SchemeDownloadError: it cannot be had.
        """
        url = self.url + quote(path)
        seconds = min(TIMEOUT_SECONDS, self._ends_at - time.monotonic())
        limit = min(MAX_FILE_BYTES, MAX_TREE_BYTES - self._total)
        if seconds <= 0 or limit <= 0:
            raise SchemeDownloadError(f"{self.url}: the scheme {'takes too long' if seconds <= 0 else 'is larger than a scheme may be'}")
        try:
            answer = self._client.get(url, max_bytes=limit, timeout_seconds=seconds, https_only=self._https_only)
        except (AddressRefusedError, OutboundError) as error:
            raise SchemeDownloadError(f"{url} cannot be fetched: {error}") from error
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise SchemeDownloadError(f"{url} answers with status {answer.status}")
        self._total += len(answer.body)
        return answer.body


@dataclass(frozen=True, slots=True)
class PublishedIndex:
    """The index of a published scheme, whose signature holds.

    Attributes:
        content, signature: the files `index` and `index.sig`.
        hashes: SHA-256 by path inside the scheme.
        timestamp: the file `timestamp`, which has the hash that the index says.
    """

    content: bytes
    signature: bytes
    hashes: Mapping[str, bytes]
    timestamp: bytes


def fetch_scheme(
    server: SchemeServer,
    scheme_id: str,
    public_key: bytes,
    progress: Callable[[float], None] | None = None,
    *,
    known: Mapping[str, bytes] | None = None,
    index: PublishedIndex | None = None,
) -> SchemeTree:
    """Fetch a scheme as a client does that has its public key: index, signature, timestamp, then every file the index lists.

    Args:
        server: the scheme's address.
        scheme_id: the scheme the client knows.
        public_key: the `pk.pem` that the client has; it is never fetched.
        progress: told how far it is.
        known: files of an older version; those that did not change are not fetched again.
        index: what `fetch_index` gave just now; None fetches it.

    Raises:
        SchemeDownloadError: a file cannot be had, or is not what the signed index says.
    """
    if index is None:
        index = fetch_index(server, scheme_id, public_key)
    hashes = index.hashes
    files = {"index": index.content, "index.sig": index.signature, "pk.pem": public_key}
    for number, (path, digest) in enumerate(sorted(hashes.items())):
        kept = None if known is None else known.get(path)
        files[path] = kept if kept is not None and hashlib.sha256(kept).digest() == digest else _checked(server, path, digest)
        if progress is not None:
            progress((number + 1) / len(hashes))
    if "description.xml" not in files:
        for path in [path for path in files if path.endswith(".json") and path != "description.json"]:
            for requestor in parse_requestors(files[path], path):
                for logo in (requestor.logo, *(wizard.logo for wizard in requestor.wizards.values())):
                    if logo is not None:
                        picture = f"assets/{logo}.png"
                        _demand_path(picture)
                        files[picture] = known[picture] if known is not None and picture in known else server.get(picture)
    return SchemeTree(files, name=scheme_id)


def is_published_at(server: SchemeServer) -> bool:
    """Whether an address serves the index of a scheme, so that it is that of a published scheme and not of a git repository."""
    try:
        content = server.find("index")
        return content is not None and bool(SchemeIndex.parse(content))
    except (SchemeDownloadError, MalformedError):
        return False


def install_scheme(server: SchemeServer, public_key: bytes | None = None) -> SchemeTree:
    """Fetch a scheme as a client does that installs it (spec of scheme updates, section 2).

    Description, key, index, signature, timestamp, and every file that the index lists; of demo schemes also the private keys, where
    they are served. The contents are not judged here.

    Args:
        server: the scheme's address.
        public_key: the PEM that the signature must be under; None takes the `pk.pem` that is served (trust on first use).

    Raises:
        SchemeDownloadError: as `fetch_scheme`.
    """
    path = "description.xml"
    description = server.find(path)
    if description is None:
        path = "description.json"
        description = server.get(path)
    try:
        scheme_id, _ = scheme_type(description, path)
        key = server.get("pk.pem") if public_key is None else print_public_key(read_public_key(public_key))
        tree = fetch_scheme(server, scheme_id, key)
        demo = "description.xml" in tree and parse_scheme_manager(tree["description.xml"]).demo
    except MalformedError as error:
        raise SchemeDownloadError(f"what is served is no scheme: {error}") from error
    return tree.with_files(dict(private_keys(server, tree))) if demo else tree


def private_keys(server: SchemeServer, tree: SchemeTree) -> Iterator[tuple[str, bytes]]:
    """The private keys that a demo scheme serves. None of them need be there, so that one that cannot be had is only logged."""
    keys = [path.replace("/PublicKeys/", "/PrivateKeys/") for path in sorted(tree) if "/PublicKeys/" in path]
    for path in ("sk.pem", *keys):
        try:
            content = server.find(path)
        except SchemeDownloadError as error:
            _log.info("%s: %s", tree.name, error)
            continue
        if content is not None:
            yield path, content


def base_address(url: str) -> str:
    """The address of a scheme from that of its description, as people paste it."""
    for name in _DESCRIPTIONS:
        url = url.removesuffix(f"/{name}")
    return url


def fetch_index(server: SchemeServer, scheme_id: str, public_key: bytes) -> PublishedIndex:
    """Fetch a scheme's signed index and timestamp.

    Raises:
        SchemeDownloadError: as `fetch_scheme`.
    """
    content, signature = server.get("index"), server.get("index.sig")
    try:
        verify(read_public_key(public_key), content, signature)
        index = SchemeIndex.parse(content)
    except (VerificationError, MalformedError) as error:
        raise SchemeDownloadError(f"{scheme_id}: the index that is served is not signed by the scheme’s key: {error}") from error
    hashes = {path.partition("/")[2]: digest for path, digest in index.items()}
    if index.scheme != scheme_id or "timestamp" not in hashes or not all(path.startswith(f"{scheme_id}/") for path in index):
        raise SchemeDownloadError(f"{scheme_id}: the index that is served is not the one of this scheme")
    for path in hashes:
        _demand_path(path)
    return PublishedIndex(content, signature, hashes, _checked(server, "timestamp", hashes["timestamp"]))


def fetch_listed(server: SchemeServer, hashes: Mapping[str, bytes], path: str) -> bytes:
    """Fetch a file that the index lists.

    Raises:
        SchemeDownloadError: it is not listed, cannot be had, or is another.
    """
    if path not in hashes:
        raise SchemeDownloadError(f"{path} is not in the index that is served")
    return _checked(server, path, hashes[path])


def _demand_path(path: str) -> None:
    """Refuse a path that leads out of the scheme: somebody else wrote it."""
    rule = path_rule(path)
    if rule is not None:
        raise SchemeDownloadError(f"{path!r}: {rule}")


def _checked(server: SchemeServer, path: str, digest: bytes) -> bytes:
    content = server.get(path)
    if hashlib.sha256(content).digest() != digest:
        raise SchemeDownloadError(f"{path} is served with another content than the index says")
    return content

"""The file `index`: the SHA-256 of every signed file of a scheme."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from ..errors import MalformedSchemeError
from .tree import MAX_ENTRIES, MAX_INDEX_BYTES, SchemeTree, byte_order

_HASH: Final = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)

#: Names of keyshare keys, as the end of a file name.
_KEYSHARE_KEY: Final = re.compile(r"kss-\d+\.pem\Z", re.ASCII)


class SchemeIndex(Mapping[str, bytes]):
    """Paths to hashes. A path begins with the scheme's id: `irma-demo/RU/description.xml`."""

    __slots__ = ("_hashes",)

    def __init__(self, hashes: Mapping[str, bytes]) -> None:
        self._hashes: Final = dict(hashes)

    def __getitem__(self, path: str) -> bytes:
        return self._hashes[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def scheme(self) -> str:
        """The scheme it is the index of; empty where it has no entries.

        The part before the first `/` of the first entry: that all entries agree is checked by `idemix.scheme.verify`.
        """
        return next(iter(self._hashes), "").partition("/")[0]

    @classmethod
    def parse(cls, content: bytes) -> "SchemeIndex":
        """Read the file. Blank lines are passed over, order is free.

        Raises:
            MalformedSchemeError: a line is not a hash in hex, one blank and a path with `/`; a path is repeated; too large.

        Source: irmago `irma/schemes.go` SchemeManagerIndex.FromString.
        """
        if len(content) > MAX_INDEX_BYTES:
            raise MalformedSchemeError("index", f"an index has at most {MAX_INDEX_BYTES} bytes", departure="scheme-limits")
        hashes: dict[str, bytes] = {}
        for number, line in enumerate(content.decode("utf-8", "surrogateescape").split("\n"), 1):
            if not line:
                continue
            where = f"line {number}"
            parts = line.split(" ")
            if len(parts) != 2:
                raise MalformedSchemeError("index", "must be a hash, one blank and a path", field=where)
            digest, path = parts
            if not _HASH.fullmatch(digest):
                raise MalformedSchemeError("index", "the hash must be hexadecimal", field=where)
            if "/" not in path:
                raise MalformedSchemeError("index", "the path must begin with the scheme and a slash", field=where)
            if path in hashes:
                raise MalformedSchemeError("index", "the path was listed before", field=where, departure="duplicate-index-path")
            if len(hashes) >= MAX_ENTRIES:
                raise MalformedSchemeError("index", f"an index has at most {MAX_ENTRIES} entries", departure="scheme-limits")
            hashes[path] = bytes.fromhex(digest)
        return cls(hashes)

    @classmethod
    def of(cls, tree: SchemeTree, scheme_id: str, kind: str) -> "SchemeIndex":
        """Make the index of a tree.

        Args:
            kind: `issuer` or `requestor`, which decides what is indexed.

        Raises:
            MalformedSchemeError: a file to be indexed has Windows line ends, a blank or a line end in its name, or was not read.

        Source: irmago `yivi/cli/irmacli/sign.go`, but for looking at paths relative to the scheme.
        """
        hashes: dict[str, bytes] = {}
        for path in (*tree, *tree.unread, *tree.symlinks):
            if not is_indexed(path, kind):
                continue
            if path in tree.symlinks:
                raise MalformedSchemeError(path, "a scheme holds no symbolic links")
            if path in tree.unread:
                raise MalformedSchemeError(path, tree.unread[path])
            if any(character in path for character in " \n\0"):
                raise MalformedSchemeError(path, "the name of a signed file holds no blank, line end or zero byte")
            content = tree[path]
            if not path.endswith(".png") and b"\r\n" in content:
                raise MalformedSchemeError(path, "lines must end in LF, not CRLF")
            hashes[f"{scheme_id}/{path}"] = hashlib.sha256(content).digest()
        return cls(hashes)

    def print(self) -> bytes:
        """The file: one line an entry, sorted by the bytes of the paths."""
        lines = (f"{self._hashes[path].hex()} {path}\n" for path in sorted(self._hashes, key=byte_order))
        return "".join(lines).encode("utf-8", "surrogateescape")


def is_indexed(path: str, kind: str) -> bool:
    """Whether signing puts a file in the index.

    Args:
        path: relative to the scheme.
        kind: `issuer` or `requestor`.
    """
    name = path.rpartition("/")[2]
    if path.endswith("index"):
        return False
    if kind == "requestor":
        return path.endswith(".json") or name == "timestamp"
    directories = f"/{path}".rpartition("/")[0].split("/")
    if "PrivateKeys" in directories or "Proofs" in directories:
        return False
    return path.endswith((".xml", ".png")) or name == "timestamp" or _KEYSHARE_KEY.search(name) is not None

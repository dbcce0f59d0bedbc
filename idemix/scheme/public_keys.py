"""The public keys of an issuer as they lie in a scheme: `ISSUER/PublicKeys/N.xml`."""

import re
from typing import Final

from ..errors import MalformedKeyError, MalformedSchemeError
from ..keys.public import PublicKey
from .index import SchemeIndex
from .memory import remembered
from .tree import SchemeTree

#: The name of a key file; the group is its counter.
KEY_FILE: Final = re.compile(r"([0-9]{1,10})\.xml", re.ASCII)


@remembered
def _read_key(content: bytes, path: str) -> PublicKey:
    try:
        return PublicKey.from_xml(content)
    except MalformedKeyError as error:
        raise MalformedKeyError(f"{path}: {error.where}" if error.where else path, error.rule, departure=error.departure) from error


class PublicKeyFolder:
    """The key files of an issuer, read when first asked for.

    Args:
        tree: the scheme; the hashes of its files were checked.
        index: only keys that it lists are read.
        issuer_id: the issuer's directory.
    """

    def __init__(self, tree: SchemeTree, index: SchemeIndex, issuer_id: str) -> None:
        self._tree = tree
        self._index = index
        self.path: Final = f"{issuer_id}/PublicKeys"
        self._keys: dict[int, PublicKey] = {}
        self._counters: tuple[int, ...] | None = None

    def file(self, counter: int) -> str:
        """The path of a key."""
        return next((path for number, path in self._files() if number == counter), f"{self.path}/{counter}.xml")

    def counters(self) -> tuple[int, ...]:
        """The numbers of the keys that can be read, ascending.

        They are read in the order of the text of their names, up to the first file that the index does not list: so does every
        installation.

        Raises:
            MalformedSchemeError: an entry of the directory is not named `<number>.xml`.

        Source: irmago `irma/irmaconfig.go` parseKeysFolder.
        """
        if self._counters is None:
            found: list[int] = []
            for counter, path in self._files():
                if f"{self._index.scheme}/{path}" not in self._index:
                    break
                found.append(counter)
            self._counters = tuple(sorted(found))
        return self._counters

    def newest(self) -> int | None:
        """The highest number of a key file, listed or not; None where there is none.

        Raises:
            MalformedSchemeError: an entry of the directory is not named `<number>.xml`.
        """
        return max((counter for counter, _ in self._files()), default=None)

    def key(self, counter: int) -> PublicKey:
        """Read a key; once read it is kept.

        Raises:
            MalformedSchemeError: the directory holds other entries, there is no such key, or it has another counter inside.
            MalformedKeyError: it is not a key.
        """
        if counter not in self._keys:
            if counter not in self.counters():
                raise MalformedSchemeError(f"{self.path}/{counter}.xml", "no such key is listed in the index")
            self._keys[counter] = self._read(counter, self.file(counter))
        return self._keys[counter]

    def _files(self) -> list[tuple[int, str]]:
        files = []
        for name in self._tree.entries(self.path):
            match = KEY_FILE.fullmatch(name)
            if not match or int(match[1]) >= 1 << 32:
                raise MalformedSchemeError(f"{self.path}/{name}", "a folder of public keys holds files named <number>.xml only")
            files.append((int(match[1]), f"{self.path}/{name}"))
        return files

    def _read(self, counter: int, path: str) -> PublicKey:
        try:
            content = self._tree[path]
        except KeyError as error:
            raise MalformedSchemeError(path, "is not a file") from error
        key = _read_key(content, path)
        if key.counter != counter:
            raise MalformedSchemeError(path, f"the counter inside is {key.counter}", field="<Counter>")
        return key

"""What the checks of a scheme share: its files, and what was found so far."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ..errors import HashMismatchError, IdemixError, MalformedSchemeError
from .findings import Finding, SchemeStatus
from .index import SchemeIndex
from .translations import TranslatedString
from .tree import MAX_FILE_BYTES, SchemeTree

if TYPE_CHECKING:
    from .configuration import Configuration

#: The rule for the parts of an identifier.
NAME: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
NAME_RULE: Final = "must be letters, digits, dashes and underscores"


def sanitized(text: str) -> str:
    """A text from a scheme for a message: short, and without characters that a terminal would act upon."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return shown if len(shown) <= 200 else shown[:200] + "…"


class SchemeCheck:
    """One check of one scheme, to which its steps add what they find.

    Attributes:
        tree: the files.
        now: Unix seconds.
        configuration: the other schemes that are loaded, None where there are none to refer to.
        index: empty until it was read.
        scheme_id: empty until it was read.
        errors, warnings: what was found, in order.
    """

    def __init__(self, tree: SchemeTree, now: int, configuration: "Configuration | None") -> None:
        self.tree: Final = tree
        self.now: Final = now
        self.configuration: Final = configuration
        self.index = SchemeIndex({})
        self.scheme_id = ""
        self.errors: Final[list[Finding]] = []
        self.warnings: Final[list[Finding]] = []

    def error(self, rule: str, error: IdemixError, status: SchemeStatus) -> None:
        """Add an error."""
        path = str(getattr(error, "path", "") or getattr(error, "where", ""))
        self.errors.append(Finding(path, getattr(error, "field", ""), rule, sanitized(str(error)), status, error))

    def refuse(self, path: str, rule: str, message: str, status: SchemeStatus, *, field: str = "", departure: str | None = None) -> None:
        """Add an error about a file."""
        self.error(rule, MalformedSchemeError(path, message, field=field, departure=departure), status)

    def warn(self, path: str, rule: str, message: str, *, field: str = "") -> None:
        """Add a warning, in the reference's words."""
        self.warnings.append(Finding(path, field, rule, message))

    def content(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            MalformedSchemeError: there is no such file, or it was not read.
        """
        if path in self.tree:
            return self.tree[path]
        if path in self.tree.symlinks:
            raise MalformedSchemeError(path, "a scheme holds no symbolic links", departure="symbolic-link")
        if path in self.tree.unread:
            raise MalformedSchemeError(path, self.tree.unread[path], departure="scheme-limits")
        raise MalformedSchemeError(path, "is a directory" if path in self.tree.directories else "is missing")

    def is_listed(self, path: str) -> bool:
        """Whether the index lists a file."""
        return f"{self.index.scheme}/{path}" in self.index

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """The entries of the index that are of this scheme and name a file plainly: relative path and hash. Others are errors."""
        prefix = f"{self.index.scheme}/"
        for full in sorted(self.index):
            path = full[len(prefix) :]
            if not full.startswith(prefix):
                self.refuse("index", "index-scheme", f"{sanitized(full)!r} is not of this scheme", SchemeStatus.INVALID_SIGNATURE)
            elif not path or any(part in ("", ".", "..") for part in path.split("/")) or "\0" in path:
                self.refuse(
                    "index",
                    "index-path",
                    f"{sanitized(full)!r} does not name a file of the scheme plainly",
                    SchemeStatus.INVALID_SIGNATURE,
                    departure="index-path",
                )
            else:
                yield path, self.index[full]

    def check_hash(self, path: str, digest: bytes, status: SchemeStatus, *, departure: str | None = None) -> bytes | None:
        """Check a file against a hash; None, after an error, where it is missing or another."""
        try:
            content = self.content(path)
        except MalformedSchemeError as error:
            self.error("missing-file", error, status)
            return None
        if len(content) > MAX_FILE_BYTES:
            self.refuse(path, "limits", f"a file of a scheme has at most {MAX_FILE_BYTES} bytes", status, departure="scheme-limits")
        if hashlib.sha256(content).digest() != digest:
            self.error("hash", HashMismatchError(path, departure=departure), status)
            return None
        return content

    def check_translations(
        self, path: str, subject: str, members: Iterable[tuple[str, TranslatedString | None]], languages: Sequence[str]
    ) -> None:
        """Warn of missing texts, up to the first member that is absent.

        Source: irmago `irma/irmaconfig.go` validateTranslations.
        """
        for name, text in members:
            if text is None:
                return
            if not text:
                self.warn(path, "translation", f"{subject} has empty <{name}> tag", field=f"<{name}>")
            for language in text.missing(languages):
                self.warn(path, "translation", f"{subject} misses {language} translation in <{name}> tag", field=f"<{name}>")

"""Checks a scheme: its signature, its files against its index, its contents, its keys.

The order and the verdicts are the reference's, whose first error decides the status; we go on after an error as far as there
is something to check, so that all errors are reported. Warnings are in the reference's words. Where we refuse what the
reference accepts, the error names the rule of `idemix.departures`.

Source: irmago `irma/schemes.go` ParseSchemeFolder.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ..errors import HashMismatchError, InvalidSignatureError, MalformedKeyError, MalformedSchemeError
from .check import NAME, NAME_RULE, SchemeCheck
from .descriptions import RequestorScheme, SchemeManager, parse_requestor_scheme, parse_scheme_manager, scheme_type
from .findings import Finding, SchemeStatus
from .index import SchemeIndex
from .issuer_scheme import IssuerSchemeCheck
from .keys import read_public_key, verify
from .lint import lint_scheme
from .requestor_scheme import RequestorSchemeCheck
from .signing import description_path
from .timestamp import parse_timestamp
from .tree import MAX_ENTRIES, MAX_INDEX_BYTES, SchemeTree
from .verdict import SchemeContents, SchemeVerdict

if TYPE_CHECKING:
    from .configuration import Configuration

_PARSING: Final = SchemeStatus.PARSING_ERROR

#: Paths, with the scheme's id before them, that an index never lists and that draw no warning. The dots are the reference's.
_NEVER_INDEXED: Final = re.compile(
    r"/.git(/.*)?"
    r"|^.*?/pk\.pem\Z|^.*?/sk\.pem\Z|^.*?/index|^.*?/AUTHORS\Z|^.*?/LICENSE\Z|^.*?/README\.md\Z"
    r"|^.*?/.*?/PrivateKeys\Z|^.*?/.*?/PrivateKeys/\d+.xml\Z"
    r"|^.*?/assets/?\w*(\.png)?\Z|\.DS_Store\Z",
    re.ASCII,
)


def verify_scheme(
    tree: SchemeTree,
    *,
    now: int,
    configuration: "Configuration | None" = None,
    previous: SchemeContents | None = None,
    check_keys: bool = True,
    lint: bool = True,
) -> SchemeVerdict:
    """Check a scheme.

    Args:
        tree: its files.
        now: Unix seconds; the expiry of keys is judged by it.
        configuration: the other schemes that are loaded, for what refers to them. Without it, a wizard's credential types are
            not looked up.
        previous: what was last published, for the lint.
        check_keys: also check the issuers' public keys. A server leaves this out and reads keys when it needs them.
        lint: also look for what is no error and draws no warning of the reference.

    Returns:
        The verdict; nothing is raised for a faulty scheme.
    """
    check = SchemeCheck(tree, now, configuration)
    head = _HeadCheck(check)
    head.run(check_keys=check_keys)
    contents = head.contents
    statuses = (error.status for error in check.errors if error.status is not SchemeStatus.VALID)
    return SchemeVerdict(
        scheme_id=check.scheme_id,
        status=next(statuses, None) or SchemeStatus.VALID,
        known=head.known,
        errors=tuple(check.errors),
        warnings=tuple(dict.fromkeys(check.warnings)),
        lint=lint_scheme(contents, now=now, configuration=configuration, previous=previous) if lint and contents is not None else (),
        contents=contents,
    )


class _HeadCheck:
    """Steps 1 to 9, then those of the scheme's type."""

    def __init__(self, check: SchemeCheck) -> None:
        self._check = check
        self.known = False
        self.contents: SchemeContents | None = None

    def run(self, *, check_keys: bool) -> None:
        """Steps 1 to 9, then those of the scheme's type."""
        try:
            path = description_path(self._check.tree)
        except MalformedSchemeError as error:
            self._check.error("description", error, _PARSING)
            return
        index = self._read_index()
        if index is None:
            return
        self._check.index = index
        self._list_unsigned_files()
        scheme = self._read_description(path)
        if scheme is None:
            # Without it the contents make no sense; the files can still be compared with the index.
            for listed, digest in self._check.entries():
                if listed != path:
                    self._check.check_hash(listed, digest, SchemeStatus.INVALID_SIGNATURE)
            return
        scheme = self._read_timestamp(scheme)
        self.known = not self._check.errors
        if isinstance(scheme, SchemeManager) and path.endswith(".json"):
            self._check.refuse(path, "description", 'must be "requestor" in a description.json', _PARSING, field="schemetype")
        elif isinstance(scheme, SchemeManager):
            check = IssuerSchemeCheck(self._check)
            check.run(scheme, check_keys=check_keys)
            issuers, types = MappingProxyType(check.issuers), MappingProxyType(check.types)
            self.contents = SchemeContents(self._check.tree, index, scheme, issuers, types)
        else:
            self.contents = SchemeContents(self._check.tree, index, RequestorSchemeCheck(self._check).run(scheme))

    def _read_index(self) -> SchemeIndex | None:
        """Steps 2 and 3: index, signature and public key are there, the signature holds, the index can be read."""
        try:
            index = self._check.content("index")
        except MalformedSchemeError as error:
            self._check.error("index", error, _PARSING)
            index = None
        try:
            signature, public_key = self._check.content("index.sig"), self._check.content("pk.pem")
            if index is not None and len(index) <= MAX_INDEX_BYTES:
                verify(read_public_key(public_key), index, signature)
        except (MalformedSchemeError, MalformedKeyError) as error:
            self._check.error("index-signature", error, _PARSING)
        except InvalidSignatureError as error:
            failure = InvalidSignatureError(f"index.sig: {error}", departure=error.departure)
            self._check.errors.append(Finding("index.sig", "", "index-signature", str(failure), _PARSING, failure))
        if index is None:
            return None
        try:
            return SchemeIndex.parse(index)
        except MalformedSchemeError as error:
            self._check.error("index", error, _PARSING)
            return None

    def _list_unsigned_files(self) -> None:
        """Step 4: what lies in the directory and not in the index draws a warning; a symbolic link is refused."""
        scheme, listed = self._check.index.scheme, sorted(self._check.index)
        if sum(1 for _ in self._check.tree.paths()) > MAX_ENTRIES:
            self._check.refuse(
                "", "limits", f"a scheme has at most {MAX_ENTRIES} files and directories", _PARSING, departure="scheme-limits"
            )
        for path in sorted(self._check.tree.symlinks):
            self._check.refuse(path, "symbolic-link", "a scheme holds no symbolic links", _PARSING, departure="symbolic-link")
        for path in self._check.tree.paths():
            full = f"{scheme}/{path}" if scheme else path
            if full in self._check.index or path in self._check.tree.symlinks or _NEVER_INDEXED.search(full):
                continue
            shown = full.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            if path in self._check.tree.directories:
                if not _has_prefix(listed, full):
                    self._check.warn(path, "ignored", f"Ignored dir: {shown}")
            else:
                self._check.warn(path, "ignored", f"Ignored file: {shown}")

    def _read_description(self, path: str) -> SchemeManager | RequestorScheme | None:
        """Steps 5 to 8: the description is listed and unchanged, can be read, and is of the scheme of the index."""
        digest = self._check.index.get(f"{self._check.index.scheme}/{path}")
        try:
            content = self._check.content(path)
            if digest is None:
                self._check.refuse(path, "not-in-index", "the description of the scheme is not listed in the index", _PARSING)
            elif hashlib.sha256(content).digest() != digest:
                self._check.error("hash", HashMismatchError(path), _PARSING)
            scheme_id, kind = scheme_type(content, path)
            scheme: SchemeManager | RequestorScheme
            if kind == "requestor":
                if not path.endswith(".json"):
                    raise MalformedSchemeError(path, "a requestor scheme is described by description.json", field="<SchemeType>")
                scheme = parse_requestor_scheme(content, path)
            elif path.endswith(".xml"):
                scheme = parse_scheme_manager(content, path)
            else:
                # The reference takes it for an issuer scheme of version 0, knows it, and refuses the version.
                scheme = SchemeManager(scheme_id=scheme_id, version=0)
        except MalformedSchemeError as error:
            self._check.error("description", error, _PARSING)
            return None
        self._check.scheme_id = scheme_id
        if self._check.index.scheme != scheme_id:
            self._check.refuse(
                path, "index-scheme", f"the index is of the scheme {self._check.index.scheme!r}, the description of {scheme_id!r}", _PARSING
            )
        elif not NAME.fullmatch(scheme_id):
            self._check.refuse(path, "identifier", NAME_RULE, _PARSING, field="id", departure="identifier-characters")
        return scheme

    def _read_timestamp(self, scheme: SchemeManager | RequestorScheme) -> SchemeManager | RequestorScheme:
        """Step 9: the timestamp can be read, and is signed."""
        try:
            scheme = replace(scheme, timestamp=parse_timestamp(self._check.content("timestamp")))
        except MalformedSchemeError as error:
            self._check.error("timestamp", error, _PARSING)
        else:
            if not self._check.is_listed("timestamp"):
                self._check.refuse("timestamp", "timestamp", "is not listed in the index", _PARSING, departure="unsigned-content")
        return scheme


def _has_prefix(listed: Sequence[str], prefix: str) -> bool:
    """Whether one of sorted paths begins with a text."""
    position = bisect_left(listed, prefix)
    return position < len(listed) and listed[position].startswith(prefix)

"""Checks a scheme: its signature, its files against its index, its contents, its keys.

The order and the verdicts are the reference's, whose first error decides the status; we go on after an error as far as there
is something to check, so that all errors are reported. Warnings are in the reference's words. Where we refuse what the
reference accepts, the error names the rule of `idemix.departures`.

Source: irmago `irma/schemes.go` ParseSchemeFolder, `irma/irmaconfig.go` validateIssuer … ValidateKeys.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ..errors import HashMismatchError, IdemixError, InvalidSignatureError, MalformedError, MalformedKeyError, MalformedSchemeError
from .descriptions import (
    CREDENTIAL_TYPE_VERSION,
    ISSUER_VERSION,
    SCHEME_VERSION,
    CredentialType,
    Issuer,
    IssueWizard,
    RequestorInfo,
    RequestorScheme,
    SchemeManager,
    WizardItem,
    parse_credential_type,
    parse_issuer,
    parse_requestor_scheme,
    parse_requestors,
    parse_scheme_manager,
    scheme_type,
)
from .findings import Finding, SchemeStatus
from .identifiers import CredentialTypeId, IssuerId
from .index import SchemeIndex
from .keys import read_public_key, verify
from .public_keys import PublicKeyFolder
from .signing import description_path
from .timestamp import parse_timestamp
from .translations import TranslatedString
from .tree import MAX_ENTRIES, MAX_FILE_BYTES, MAX_INDEX_BYTES, SchemeTree
from .wizards import MAX_STEPS, TooManyPathsError, expand, validation_paths

if TYPE_CHECKING:
    from .configuration import Configuration

#: Keys that expire within this time draw a warning.
EXPIRY_WARNING_SECONDS: Final = 31 * 24 * 3600

#: Chains of dependencies are shorter than this.
MAX_DEPENDENCY_DEPTH: Final = 25

_PARSING: Final = SchemeStatus.PARSING_ERROR
_SIGNATURE: Final = SchemeStatus.INVALID_SIGNATURE
_CONTENT: Final = SchemeStatus.CONTENT_PARSING_ERROR
#: An error in the keys leaves a scheme in use: only this check refuses it.
_IN_USE: Final = SchemeStatus.VALID

#: Paths, with the scheme's id before them, that an index never lists and that draw no warning. The dots are the reference's.
_NEVER_INDEXED: Final = re.compile(
    r"/.git(/.*)?"
    r"|^.*?/pk\.pem\Z|^.*?/sk\.pem\Z|^.*?/index|^.*?/AUTHORS\Z|^.*?/LICENSE\Z|^.*?/README\.md\Z"
    r"|^.*?/.*?/PrivateKeys\Z|^.*?/.*?/PrivateKeys/\d+.xml\Z"
    r"|^.*?/assets/?\w*(\.png)?\Z|\.DS_Store\Z",
    re.ASCII,
)

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_COLOUR: Final = re.compile(r"#[0-9A-F]{6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SchemeContents:
    """What a scheme says, as far as it could be read.

    Attributes:
        tree: its files.
        index: its index.
        scheme: its description, with the timestamp.
        issuers, credential_types: of an issuer scheme, by id.
    """

    tree: SchemeTree
    index: SchemeIndex
    scheme: SchemeManager | RequestorScheme
    issuers: Mapping[IssuerId, Issuer] = field(default_factory=lambda: MappingProxyType({}))
    credential_types: Mapping[CredentialTypeId, CredentialType] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class SchemeVerdict:
    """The outcome of `verify_scheme`.

    Attributes:
        scheme_id: the id in the description; empty where that could not be read.
        status: the state of the scheme, as decided by the first error; errors in keys alone leave it valid.
        known: whether description, index, signature and timestamp could be read: the reference lists such a scheme, disabled,
            and passes over others.
        errors: in the order of the checks.
        warnings: in the reference's words, without repetitions.
        lint: what we find besides; it changes neither status nor verdict.
        contents: what the scheme says; None where its head could not be read. To be used only where the status is valid.
    """

    scheme_id: str
    status: SchemeStatus
    known: bool
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    lint: tuple[Finding, ...]
    contents: SchemeContents | None

    @property
    def is_valid(self) -> bool:
        """Whether there is no error at all."""
        return not self.errors

    def require_valid(self) -> None:
        """Stop on a scheme with errors.

        Raises:
            IdemixError: the first error.
        """
        for finding in self.errors:
            if finding.error is not None:
                raise finding.error


def verify_scheme(
    tree: SchemeTree,
    *,
    now: int,
    configuration: "Configuration | None" = None,
    check_keys: bool = True,
    lint: bool = True,
) -> SchemeVerdict:
    """Check a scheme.

    Args:
        tree: its files.
        now: Unix seconds; the expiry of keys is judged by it.
        configuration: the other schemes that are loaded, for what refers to them. Without it, a wizard's credential types are
            not looked up.
        check_keys: also check the issuers' public keys. A server leaves this out and reads keys when it needs them.
        lint: also look for what is no error and draws no warning of the reference.

    Returns:
        The verdict; nothing is raised for a faulty scheme.
    """
    check = _SchemeCheck(tree, now, configuration)
    check.run(check_keys=check_keys)
    findings: tuple[Finding, ...] = ()
    if lint and check.contents is not None:
        from .lint import lint_scheme

        findings = lint_scheme(check.contents, now=now, configuration=configuration)
    return SchemeVerdict(
        scheme_id=check.scheme_id,
        status=next((error.status for error in check.errors if error.status not in (None, _IN_USE)), None) or SchemeStatus.VALID,
        known=check.known,
        errors=tuple(check.errors),
        warnings=tuple(dict.fromkeys(check.warnings)),
        lint=findings,
        contents=check.contents,
    )


def sanitized(text: str) -> str:
    """A text from a scheme for a message: short, and without characters that a terminal would act upon."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return shown if len(shown) <= 200 else shown[:200] + "…"


class _SchemeCheck:
    """One check of one scheme: the steps in order, each adding to the findings."""

    def __init__(self, tree: SchemeTree, now: int, configuration: "Configuration | None") -> None:
        self.tree = tree
        self.now = now
        self.configuration = configuration
        self.errors: list[Finding] = []
        self.warnings: list[Finding] = []
        self.scheme_id = ""
        self.known = False
        self.contents: SchemeContents | None = None
        self.index = SchemeIndex({})
        self.issuers: dict[IssuerId, Issuer] = {}
        self.types: dict[CredentialTypeId, CredentialType] = {}

    def run(self, *, check_keys: bool) -> None:
        """Steps 1 to 9, then those of the scheme's type."""
        try:
            path = description_path(self.tree)
        except MalformedSchemeError as error:
            self._error("description", error, _PARSING)
            return
        index = self._read_index()
        if index is None:
            return
        self.index = index
        self._list_unsigned_files()
        scheme = self._read_description(path)
        if scheme is None:
            return
        scheme = self._read_timestamp(scheme)
        self.known = not self.errors
        if isinstance(scheme, SchemeManager):
            self._check_issuer_scheme(scheme, check_keys=check_keys)
        else:
            scheme = self._check_requestor_scheme(scheme)
        self.contents = SchemeContents(self.tree, index, scheme, MappingProxyType(self.issuers), MappingProxyType(self.types))

    # What the steps say -----------------------------------------------------------------------------------------------

    def _error(self, rule: str, error: IdemixError, status: SchemeStatus) -> None:
        path = str(getattr(error, "path", "") or getattr(error, "where", ""))
        self.errors.append(Finding(path, getattr(error, "field", ""), rule, sanitized(str(error)), status, error))

    def _refuse(self, path: str, rule: str, message: str, status: SchemeStatus, *, field: str = "", departure: str | None = None) -> None:
        self._error(rule, MalformedSchemeError(path, message, field=field, departure=departure), status)

    def _warn(self, path: str, rule: str, message: str, *, field: str = "") -> None:
        self.warnings.append(Finding(path, field, rule, message))

    # Steps 1 to 9: the head of a scheme ---------------------------------------------------------------------------------

    def _content(self, path: str) -> bytes:
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

    def _read_index(self) -> SchemeIndex | None:
        """Steps 2 and 3: index, signature and public key are there, the signature holds, the index can be read."""
        try:
            index = self._content("index")
        except MalformedSchemeError as error:
            self._error("index", error, _PARSING)
            index = None
        try:
            signature, public_key = self._content("index.sig"), self._content("pk.pem")
            if index is not None and len(index) <= MAX_INDEX_BYTES:
                verify(read_public_key(public_key), index, signature)
        except (MalformedSchemeError, MalformedKeyError) as error:
            self._error("index-signature", error, _PARSING)
        except InvalidSignatureError as error:
            failure = InvalidSignatureError(f"index.sig: {error}", departure=error.departure)
            self.errors.append(Finding("index.sig", "", "index-signature", str(failure), _PARSING, failure))
        if index is None:
            return None
        try:
            return SchemeIndex.parse(index)
        except MalformedSchemeError as error:
            self._error("index", error, _PARSING)
            return None

    def _list_unsigned_files(self) -> None:
        """Step 4: what lies in the directory and not in the index draws a warning; a symbolic link is refused."""
        scheme, listed = self.index.scheme, sorted(self.index)
        if sum(1 for _ in self.tree.paths()) > MAX_ENTRIES:
            self._refuse("", "limits", f"a scheme has at most {MAX_ENTRIES} files and directories", _PARSING, departure="scheme-limits")
        for path in sorted(self.tree.symlinks):
            self._refuse(path, "symbolic-link", "a scheme holds no symbolic links", _PARSING, departure="symbolic-link")
        for path in self.tree.paths():
            full = f"{scheme}/{path}" if scheme else path
            if full in self.index or path in self.tree.symlinks or _NEVER_INDEXED.search(full):
                continue
            if path in self.tree.directories:
                if not _has_prefix(listed, full):
                    self._warn(path, "ignored", f"Ignored dir: {full}")
            else:
                self._warn(path, "ignored", f"Ignored file: {full}")

    def _read_description(self, path: str) -> SchemeManager | RequestorScheme | None:
        """Steps 5 to 8: the description is listed and unchanged, can be read, and is of the scheme of the index."""
        digest = self.index.get(f"{self.index.scheme}/{path}")
        try:
            content = self._content(path)
            if digest is None:
                self._refuse(path, "not-in-index", "the description of the scheme is not listed in the index", _PARSING)
            elif hashlib.sha256(content).digest() != digest:
                self._error("hash", HashMismatchError(path), _PARSING)
            scheme_id, kind = scheme_type(content, path)
            scheme: SchemeManager | RequestorScheme
            if kind == "issuer" and path.endswith(".xml"):
                scheme = parse_scheme_manager(content, path)
            elif kind == "requestor" and path.endswith(".json"):
                scheme = parse_requestor_scheme(content, path)
            elif kind == "issuer":
                raise MalformedSchemeError(path, 'the description of a requestor scheme says so: "requestor"', field="schemetype")
            else:
                raise MalformedSchemeError(path, "the description of a requestor scheme is description.json", field="<SchemeType>")
        except MalformedSchemeError as error:
            self._error("description", error, _PARSING)
            return None
        self.scheme_id = scheme_id
        if self.index.scheme != scheme_id:
            self._refuse(
                path, "index-scheme", f"the index is of the scheme {self.index.scheme!r}, the description of {scheme_id!r}", _PARSING
            )
        elif not _NAME.fullmatch(scheme_id):
            self._refuse(path, "identifier", _NAME_RULE, _PARSING, field="id", departure="identifier-characters")
        return scheme

    def _read_timestamp(self, scheme: SchemeManager | RequestorScheme) -> SchemeManager | RequestorScheme:
        """Step 9: the timestamp can be read, and is signed."""
        try:
            scheme = replace(scheme, timestamp=parse_timestamp(self._content("timestamp")))
        except MalformedSchemeError as error:
            self._error("timestamp", error, _PARSING)
        else:
            if f"{self.index.scheme}/timestamp" not in self.index:
                self._refuse("timestamp", "timestamp", "is not listed in the index", _PARSING, departure="unsigned-content")
        return scheme

    def _entries(self) -> Iterator[tuple[str, bytes]]:
        """The entries of the index that are of this scheme and name a file plainly: relative path and hash. Others are errors."""
        prefix = f"{self.scheme_id}/"
        for full in sorted(self.index):
            path = full[len(prefix) :]
            if not full.startswith(prefix):
                self._refuse("index", "index-scheme", f"{sanitized(full)!r} is not of this scheme", _SIGNATURE)
            elif not path or any(part in ("", ".", "..") for part in path.split("/")) or "\0" in path:
                self._refuse(
                    "index",
                    "index-path",
                    f"{sanitized(full)!r} does not name a file of the scheme plainly",
                    _SIGNATURE,
                    departure="index-path",
                )
            else:
                yield path, self.index[full]

    def _check_hash(self, path: str, digest: bytes, status: SchemeStatus, *, departure: str | None = None) -> bytes | None:
        """Check a file against a hash; None, after an error, where it is missing or another."""
        try:
            content = self._content(path)
        except MalformedSchemeError as error:
            self._error("missing-file", error, status)
            return None
        if len(content) > MAX_FILE_BYTES:
            self._refuse(path, "limits", f"a file of a scheme has at most {MAX_FILE_BYTES} bytes", status, departure="scheme-limits")
        if hashlib.sha256(content).digest() != digest:
            self._error("hash", HashMismatchError(path, departure=departure), status)
            return None
        return content

    def _check_translations(
        self, path: str, subject: str, members: Iterable[tuple[str, TranslatedString | None]], languages: Sequence[str]
    ) -> None:
        """Warn of missing texts, up to the first member that is absent.

        Source: irmago `irma/irmaconfig.go` validateTranslations.
        """
        for name, text in members:
            if text is None:
                return
            if not text:
                self._warn(path, "translation", f"{subject} has empty <{name}> tag", field=f"<{name}>")
            for language in text.missing(languages):
                self._warn(path, "translation", f"{subject} misses {language} translation in <{name}> tag", field=f"<{name}>")

    # Steps 10 to 13 of an issuer scheme ----------------------------------------------------------------------------------

    def _check_issuer_scheme(self, scheme: SchemeManager, *, check_keys: bool) -> None:
        if scheme.version < SCHEME_VERSION:
            self._refuse("description.xml", "version", f"must be at least {SCHEME_VERSION}", _PARSING, field="attribute version")
        if scheme.has_keyshare:
            if not self.tree.exists("kss-0.pem"):
                self._refuse("kss-0.pem", "keyshare-key", "a scheme with a keyshare server has its key", _PARSING)
            elif f"{self.scheme_id}/kss-0.pem" not in self.index:
                self._refuse("kss-0.pem", "keyshare-key", "is not listed in the index", _PARSING, departure="unsigned-content")
        self._check_translations(
            "description.xml", f"Scheme {scheme.scheme_id}", (("Name", scheme.name), ("Description", scheme.description)), scheme.languages
        )
        for path, digest in self._entries():
            self._check_hash(path, digest, _SIGNATURE)
        for directory in self.tree.subdirectories(""):
            self._check_issuer(scheme, directory)
        self._check_dependencies()
        if check_keys:
            for identifier, issuer in self.issuers.items():
                self._check_keys(identifier, issuer)

    def _signed_content(self, path: str) -> bytes | None:
        """A description that the index lists; None, after an error, where it does not or where it cannot be read."""
        if f"{self.scheme_id}/{path}" not in self.index:
            self._refuse(path, "not-in-index", "is not listed in the index", _CONTENT)
            return None
        return self.tree.get(path)

    def _check_issuer(self, scheme: SchemeManager, directory: str) -> None:
        path = f"{directory}/description.xml"
        if not self.tree.exists(path):
            return
        content = self._signed_content(path)
        if content is None:
            return
        try:
            issuer = parse_issuer(content, path)
        except MalformedSchemeError as error:
            self._error("issuer", error, _CONTENT)
            return
        languages = issuer.languages or scheme.languages
        if issuer.version < ISSUER_VERSION:
            self._refuse(path, "version", f"must be at least {ISSUER_VERSION}", _CONTENT, field="attribute version")
        self._check_translations(path, f"Issuer {issuer.id}", (("Name", issuer.name),), languages)
        if not self.tree.entries(f"{issuer.issuer_id}/PublicKeys"):
            self._warn(path, "no-public-keys", f"Issuer {issuer.id} has no public keys")
        if issuer.issuer_id != directory:
            self._refuse(path, "identifier", f"must be the name of the directory, {directory!r}", _CONTENT, field="<ID>")
        elif not _NAME.fullmatch(directory):
            self._refuse(path, "identifier", _NAME_RULE, _CONTENT, field="<ID>", departure="identifier-characters")
        if issuer.scheme_id != scheme.scheme_id:
            self._refuse(path, "identifier", f"must be {scheme.scheme_id!r}", _CONTENT, field="<SchemeManager>")
        if scheme.demo:
            self._check_demo_prefix(path, issuer.name, languages)
        if not self.tree.exists(f"{directory}/logo.png"):
            self._warn(path, "no-logo", f"Issuer {issuer.id} has no logo.png")
        self.issuers[issuer.id] = issuer
        self._check_credential_types(scheme, issuer, directory, languages)

    def _check_demo_prefix(self, path: str, name: TranslatedString, languages: Sequence[str]) -> None:
        for language in languages:
            if not name.get(language, "").startswith("Demo "):
                self._refuse(
                    path, "demo-prefix", "a name in a demo scheme begins with 'Demo '", _CONTENT, field=f"<Name><{sanitized(language)}>"
                )

    def _check_credential_types(self, scheme: SchemeManager, issuer: Issuer, directory: str, languages: Sequence[str]) -> None:
        found = False
        for name in self.tree.subdirectories(f"{directory}/Issues"):
            path = f"{directory}/Issues/{name}/description.xml"
            if not self.tree.exists(path):
                continue
            content = self._signed_content(path)
            if content is None:
                continue
            try:
                credential_type = parse_credential_type(content, path)
            except MalformedSchemeError as error:
                self._error("credential-type", error, _CONTENT)
                continue
            before = len(self.errors)
            self._check_credential_type(scheme, issuer, credential_type, path, name, credential_type.languages or languages)
            found = found or len(self.errors) == before
            self.types[credential_type.id] = credential_type
        if not found:
            self._warn(f"{directory}/description.xml", "no-credential-types", f"Issuer {issuer.id} has no credential types")

    def _check_credential_type(
        self, scheme: SchemeManager, issuer: Issuer, credential_type: CredentialType, path: str, directory: str, languages: Sequence[str]
    ) -> None:
        subject = f"Credential type {credential_type.id}"
        self._check_translations(path, subject, _translated_members(credential_type), languages)
        if credential_type.version < CREDENTIAL_TYPE_VERSION:
            self._refuse(path, "version", f"must be at least {CREDENTIAL_TYPE_VERSION}", _CONTENT, field="attribute version")
        if credential_type.credential_id != directory:
            self._refuse(path, "identifier", f"must be the name of the directory, {directory!r}", _CONTENT, field="<CredentialID>")
        elif not _NAME.fullmatch(directory):
            self._refuse(path, "identifier", _NAME_RULE, _CONTENT, field="<CredentialID>", departure="identifier-characters")
        if credential_type.issuer_id != issuer.issuer_id:
            self._refuse(path, "identifier", f"must be {issuer.issuer_id!r}", _CONTENT, field="<IssuerID>")
        if credential_type.scheme_id != scheme.scheme_id:
            self._refuse(path, "identifier", f"must be {scheme.scheme_id!r}", _CONTENT, field="<SchemeManager>")
        if scheme.demo:
            self._check_demo_prefix(path, credential_type.name, languages)
        for server in credential_type.revocation_servers:
            if not server:
                rule = "must not be empty"
            elif not scheme.demo and not server.startswith("https://"):
                rule = "must begin with https://"
            elif server.endswith("/"):
                rule = "must not end in a slash"
            else:
                continue
            self._refuse(path, "revocation-server", rule, _CONTENT, field="<RevocationServer>")
        if not self.tree.exists(path.removesuffix("description.xml") + "logo.png"):
            self._warn(path, "no-logo", f"{subject} has no logo.png")
        self._check_attributes(credential_type, path, languages)

    def _check_attributes(self, credential_type: CredentialType, path: str, languages: Sequence[str]) -> None:
        attributes = credential_type.attributes
        if not attributes:
            self._refuse(path, "attributes", "a credential type has attributes", _CONTENT, field="<Attributes>")
            return
        places: set[int] = set()
        ids: set[str] = set()
        for position, attribute in enumerate(attributes):
            where = f"<Attribute> {position + 1}"
            if not attribute.revocation:
                self._check_translations(
                    path,
                    f"Attribute {attribute.attribute_id} of credential type {credential_type.id}",
                    (("Name", attribute.name), ("Description", attribute.description)),
                    languages,
                )
            place = position if attribute.display_index is None else attribute.display_index
            if place >= len(attributes):
                self._warn(
                    path,
                    "display-index",
                    f"Credential type {credential_type.id} has invalid attribute displayIndex at attribute {position}",
                    field=where,
                )
            places.add(place)
            if attribute.revocation:
                if attribute.random_blind:
                    self._refuse(path, "revocation-attribute", "is not random-blind as well", _CONTENT, field=where)
                if attribute.attribute_id:
                    self._refuse(path, "revocation-attribute", "a revocation attribute has no id", _CONTENT, field=where)
            elif not _NAME.fullmatch(attribute.attribute_id):
                self._refuse(path, "identifier", _NAME_RULE, _CONTENT, field=where, departure="identifier-characters")
            elif attribute.attribute_id in ids:
                self._refuse(path, "duplicate-attribute", "the id was used before", _CONTENT, field=where, departure="duplicate-attribute")
            ids.add(attribute.attribute_id)
        if len(places) != len(attributes):
            self._warn(
                path,
                "display-index",
                f"Credential type {credential_type.id} has invalid attribute ordering, check the displayIndex tags",
                field="<Attributes>",
            )
        revocation = sum(attribute.revocation for attribute in attributes)
        if revocation and not credential_type.supports_revocation:
            self._refuse(
                path, "revocation-attribute", "a revocation attribute needs a revocation server", _CONTENT, field="<RevocationServers>"
            )
        if not revocation and credential_type.supports_revocation:
            self._refuse(path, "revocation-attribute", "a revocation server needs a revocation attribute", _CONTENT, field="<Attributes>")
        if revocation > 1:
            self._refuse(
                path,
                "revocation-attribute",
                "there is at most one revocation attribute",
                _CONTENT,
                field="<Attributes>",
                departure="duplicate-attribute",
            )

    def _check_dependencies(self) -> None:
        """Step 13: every credential type can be obtained without having itself first.

        Source: irmago `irma/schemes.go` validateDependencies.
        """
        for identifier, credential_type in self.types.items():
            if not credential_type.dependencies:
                continue
            path = _path_of(credential_type)
            unknown = False
            for dependency in dict.fromkeys(item for discon in credential_type.dependencies for con in discon for item in con):
                if dependency not in self.types:
                    foreign = self.configuration is not None and dependency in self.configuration.credential_types
                    rule = "is of another scheme" if foreign else "is unknown"
                    self._refuse(path, "dependency", f"{sanitized(str(dependency))} {rule}", _CONTENT, field="<Dependencies>")
                    unknown = True
            if unknown:
                continue
            try:
                obtainable = _is_obtainable(identifier, self.types, identifier, 0, {})
            except _ChainTooLongError:
                self._refuse(
                    path, "dependency", f"a chain of dependencies is shorter than {MAX_DEPENDENCY_DEPTH}", _CONTENT, field="<Dependencies>"
                )
                continue
            if not obtainable:
                self._refuse(
                    path, "dependency", "every way to obtain the credential needs the credential itself", _CONTENT, field="<Dependencies>"
                )

    def _check_keys(self, identifier: IssuerId, issuer: Issuer) -> None:
        """The public keys of an issuer.

        Source: irmago `irma/irmaconfig.go` ValidateKeys.
        """
        folder = PublicKeyFolder(self.tree, self.index, self.scheme_id, issuer.issuer_id)
        try:
            newest = folder.newest()
            if newest is None:
                return
            for counter in folder.counters():
                try:
                    folder.key(counter)
                except MalformedError as error:
                    self._error("public-key", error, _IN_USE)
            if newest not in folder.counters():
                self._refuse(
                    folder.file(newest),
                    "public-key",
                    "the newest key cannot be loaded: it, or a key before it in the order of their names, is not listed in the index",
                    _IN_USE,
                )
                return
            latest = folder.key(newest)
        except MalformedSchemeError as error:
            if not any(finding.error is error or finding.message == str(error) for finding in self.errors):
                self._error("public-key", error, _IN_USE)
            return
        except MalformedKeyError:
            return
        path = folder.file(newest)
        if not issuer.is_deprecated(self.now):
            if latest.expires_at < self.now:
                self._warn(path, "key-expiry", f"Issuer {identifier} has no nonexpired public keys", field="<ExpiryDate>")
            elif self.now < latest.expires_at < self.now + EXPIRY_WARNING_SECONDS:
                moment = datetime.fromtimestamp(latest.expires_at, UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
                message = f"Latest public key of issuer {identifier} expires soon (at {moment})"
                self._warn(path, "key-expiry", message, field="<ExpiryDate>")
        for credential_type in self.types.values():
            if credential_type.issuer != identifier:
                continue
            needed = len(credential_type.attributes) + 2
            if needed > len(latest.R):
                self._refuse(
                    path,
                    "key-bases",
                    f"the newest key has {len(latest.R)} bases, {credential_type.id} needs {needed}",
                    _IN_USE,
                    field="<Bases>",
                )
            if credential_type.supports_revocation and not latest.supports_revocation:
                self._refuse(path, "key-revocation", f"the newest key has no part for revocation, {credential_type.id} needs it", _IN_USE)

    # The same of a requestor scheme ---------------------------------------------------------------------------------------

    def _check_requestor_scheme(self, scheme: RequestorScheme) -> RequestorScheme:
        requestors: list[tuple[str, str, RequestorInfo]] = []
        for path, digest in self._entries():
            name = path.rpartition("/")[2]
            if path == "description.json":
                continue
            if name in ("description.json", "timestamp"):
                # The reference does not look at these again.
                self._check_hash(path, digest, _PARSING, departure="unsigned-timestamp")
                continue
            content = self._check_hash(path, digest, _PARSING)
            if content is None:
                continue
            try:
                chunk = parse_requestors(content, path)
            except MalformedSchemeError as error:
                self._error("requestor", error, _PARSING)
                continue
            requestors += [(path, f"[{number}]", requestor) for number, requestor in enumerate(chunk)]
        for path, where, requestor in requestors:
            self._check_requestor(scheme, path, where, requestor)
        self._check_requestor_uniqueness(requestors)
        return replace(scheme, requestors=tuple(requestor for _, _, requestor in requestors))

    def _check_requestor(self, scheme: RequestorScheme, path: str, where: str, requestor: RequestorInfo) -> None:
        if requestor.scheme_id != scheme.scheme_id:
            self._refuse(path, "identifier", f"must be {scheme.scheme_id!r}", _PARSING, field=f"{where}.scheme")
        if scheme.demo and requestor.hostnames:
            self._refuse(path, "hostname", "a requestor of a demo scheme has no hostnames", _PARSING, field=f"{where}.hostnames")
        if requestor.requestor_id.rpartition(".")[0] != scheme.scheme_id:
            self._refuse(path, "identifier", f"must begin with {scheme.scheme_id!r} and a dot", _PARSING, field=f"{where}.id")
        if requestor.logo is not None:
            self._check_logo(path, f"{where}.logo", requestor.logo)
        for key, wizard in requestor.wizards.items():
            inside = f"{where}.wizards.{sanitized(key)}"
            if key != wizard.wizard_id or key.rpartition(".")[0] != requestor.requestor_id:
                rule = "must be the key of the wizard, and begin with the requestor's id and a dot"
                self._refuse(path, "identifier", rule, _PARSING, field=f"{inside}.id")
            self._check_wizard(path, inside, wizard, wizard.languages or requestor.languages or scheme.languages)
            if wizard.logo is not None:
                self._check_logo(path, f"{inside}.logo", wizard.logo)

    def _check_logo(self, path: str, where: str, logo: str) -> None:
        if not re.fullmatch(r"(?:[0-9a-fA-F]{2})*", logo, re.ASCII):
            self._refuse(path, "logo", "must be a SHA-256 in hex", _PARSING, field=where)
            return
        self._check_hash(f"assets/{logo}.png", bytes.fromhex(logo), _SIGNATURE)

    def _check_requestor_uniqueness(self, requestors: Sequence[tuple[str, str, RequestorInfo]]) -> None:
        """Hostnames and wizards stand once in all requestor schemes together, ids of requestors once in a scheme."""
        others = (
            []
            if self.configuration is None
            else [
                requestor
                for other in self.configuration.requestor_schemes.values()
                if other.scheme_id != self.scheme_id
                for requestor in other.requestors
            ]
        )
        hostnames = {hostname for requestor in others for hostname in requestor.hostnames}
        wizards = {key for requestor in others for key in requestor.wizards}
        ids: set[str] = set()
        for path, where, requestor in requestors:
            for hostname in requestor.hostnames:
                if hostname in hostnames:
                    self._refuse(
                        path, "hostname", f"{sanitized(hostname)!r} belongs to another entry", _CONTENT, field=f"{where}.hostnames"
                    )
                hostnames.add(hostname)
            for key in requestor.wizards:
                if key in wizards:
                    self._refuse(path, "identifier", "the wizard was defined before", _CONTENT, field=f"{where}.wizards.{sanitized(key)}")
                wizards.add(key)
            if requestor.requestor_id in ids:
                self._refuse(
                    path, "identifier", "the requestor was defined before", _CONTENT, field=f"{where}.id", departure="duplicate-requestor"
                )
            ids.add(requestor.requestor_id)

    def _check_wizard(self, path: str, where: str, wizard: IssueWizard, languages: Sequence[str]) -> None:
        """A wizard.

        Source: irmago `irma/descriptions.go` IssueWizard.Validate.
        """
        members = (
            ("Title", wizard.title),
            ("Info", wizard.info),
            ("Intro", wizard.intro),
            ("SuccessHeader", wizard.success_header),
            ("SuccessText", wizard.success_text),
        )
        self._check_translations(path, f"issue wizard {wizard.wizard_id}", members, languages)
        if (wizard.success_header is None) != (wizard.success_text is None):
            self._refuse(path, "wizard", "successHeader and successText stand together", _PARSING, field=f"{where}.successHeader")
        for name, colour in (("color", wizard.color), ("textColor", wizard.text_color)):
            if colour is not None and not _COLOUR.fullmatch(colour):
                self._refuse(path, "colour", "must be # and six upper-case hex digits", _PARSING, field=f"{where}.{name}")
        if self._check_wizard_shape(path, where, wizard):
            self._check_wizard_length(path, where, wizard)
        last = False
        for i, discon in enumerate(wizard.contents):
            for j, con in enumerate(discon):
                for k, item in enumerate(con):
                    if item.credential is None:
                        last = True
                    elif last:
                        rule = "steps without a credential come last"
                        self._refuse(path, "wizard", rule, _PARSING, field=f"{where}.contents[{i}][{j}][{k}]")
                    self._check_wizard_item(path, f"{where}.contents[{i}][{j}][{k}]", item, languages)
                    self._check_translations(
                        path,
                        f"item {i}.{j}.{k}",
                        (("Header", item.header), ("Text", item.text), ("Label", item.label), ("URL", item.url)),
                        languages,
                    )
        self._check_translations(path, "issue wizard", members, languages)
        for number, question in enumerate(wizard.faq):
            self._check_translations(path, f"QA {number}", (("Question", question.question), ("Answer", question.answer)), languages)

    def _check_wizard_shape(self, path: str, where: str, wizard: IssueWizard) -> bool:
        """What the ways through a wizard presuppose."""
        before = len(self.errors)
        for i, discon in enumerate(wizard.contents):
            if not discon:
                self._refuse(path, "wizard", "has no alternative", _PARSING, field=f"{where}.contents[{i}]")
            for j, con in enumerate(discon[1:], 1):
                credentials = sum(item.credential is not None for item in con)
                if 0 < credentials < len(con):
                    rule = "an alternative after the first does not mix steps with and without a credential"
                    self._refuse(path, "wizard", rule, _PARSING, field=f"{where}.contents[{i}][{j}]")
        return len(self.errors) == before

    def _check_wizard_length(self, path: str, where: str, wizard: IssueWizard) -> None:
        known = {} if self.configuration is None else self.configuration.credential_types
        try:
            for steps in validation_paths(wizard.contents):
                count = expand(steps, known) if wizard.expands_dependencies else len(steps)
                if count >= MAX_STEPS:
                    rule = f"a wizard has fewer than {MAX_STEPS} steps"
                    self._refuse(path, "wizard", rule, _PARSING, field=f"{where}.contents")
                    return
        except TooManyPathsError:
            rule = "there are too many ways through the wizard"
            self._refuse(path, "wizard", rule, _PARSING, field=f"{where}.contents", departure="scheme-limits")

    def _check_wizard_item(self, path: str, where: str, item: WizardItem, languages: Sequence[str]) -> None:
        if item.type not in ("credential", "session", "website"):
            self._refuse(path, "wizard", "must be credential, session or website", _PARSING, field=f"{where}.type")
        elif item.type == "credential":
            if item.credential is None:
                self._refuse(path, "wizard", "is required for this type", _PARSING, field=f"{where}.credential")
        else:
            for name, text in (("header", item.header), ("label", item.label), ("text", item.text)):
                if text is None:
                    self._refuse(path, "wizard", "is required for this type", _PARSING, field=f"{where}.{name}")
        if item.type == "session" and item.session_url is None:
            self._refuse(path, "wizard", "is required for this type", _PARSING, field=f"{where}.sessionUrl")
        if item.type == "website" and item.url is None:
            self._refuse(path, "wizard", "is required for this type", _PARSING, field=f"{where}.url")
        if item.credential is None or self.configuration is None or item.credential.scheme not in self.configuration.schemes:
            return
        types = self.configuration.credential_types
        known = types.get(item.credential)
        if known is None:
            self._refuse(path, "wizard", f"{sanitized(str(item.credential))} is unknown", _PARSING, field=f"{where}.credential")
            return
        text = known.faq_summary if item.text is None else item.text
        if text is None or text.missing(languages):
            rule = f"must be complete, or the FAQSummary of {item.credential} instead of it"
            self._refuse(path, "wizard", rule, _PARSING, field=f"{where}.text")
        for dependency in _with_dependencies(known, types):
            if dependency.faq_summary is None or dependency.faq_summary.missing(languages):
                rule = f"the FAQSummary of {dependency.id}, on which {item.credential} depends, must be complete"
                self._refuse(path, "wizard", rule, _PARSING, field=f"{where}.credential")
                return


class _ChainTooLongError(Exception):
    """A chain of dependencies is too long."""


_NAME_RULE: Final = "must be letters, digits, dashes and underscores"


def _has_prefix(listed: Sequence[str], prefix: str) -> bool:
    """Whether one of sorted paths begins with a text."""
    position = bisect_left(listed, prefix)
    return position < len(listed) and listed[position].startswith(prefix)


def _path_of(credential_type: CredentialType) -> str:
    return f"{credential_type.issuer_id}/Issues/{credential_type.credential_id}/description.xml"


def _translated_members(credential_type: CredentialType) -> tuple[tuple[str, TranslatedString | None], ...]:
    """The texts of a credential type in the order in which the reference goes through them."""
    return (
        ("Name", credential_type.name),
        ("Description", credential_type.description),
        ("IssueURL", credential_type.issue_url),
        ("Category", credential_type.category),
        ("FAQIntro", credential_type.faq_intro),
        ("FAQPurpose", credential_type.faq_purpose),
        ("FAQContent", credential_type.faq_content),
        ("FAQHowto", credential_type.faq_howto),
        ("FAQSummary", credential_type.faq_summary),
    )


def _is_obtainable(
    identifier: CredentialTypeId,
    types: Mapping[CredentialTypeId, CredentialType],
    target: CredentialTypeId,
    depth: int,
    known: dict[tuple[CredentialTypeId, int], bool],
) -> bool:
    """Whether each disjunction of a type's dependencies has an alternative that does not need `target`.

    Raises:
        _ChainTooLongError: a chain of dependencies reaches `MAX_DEPENDENCY_DEPTH`.
    """
    if not types[identifier].dependencies:
        return True
    if depth >= MAX_DEPENDENCY_DEPTH:
        raise _ChainTooLongError
    if (identifier, depth) not in known:
        obtainable = True
        for discon in types[identifier].dependencies:
            # Every alternative is looked at, as the reference does, so that a chain too long is found in each.
            alternatives = [
                all(item != target and (item not in types or _is_obtainable(item, types, target, depth + 1, known)) for item in con)
                for con in discon
            ]
            if not any(alternatives):
                obtainable = False
                break
        known[identifier, depth] = obtainable
    return known[identifier, depth]


def _with_dependencies(credential_type: CredentialType, types: Mapping[CredentialTypeId, CredentialType]) -> Iterator[CredentialType]:
    """The credential types on which one depends, however far; those that are not loaded are left out."""
    seen = {credential_type.id}
    waiting = [credential_type]
    while waiting:
        for discon in waiting.pop().dependencies:
            for con in discon:
                for identifier in con:
                    if identifier not in seen and identifier in types:
                        seen.add(identifier)
                        waiting.append(types[identifier])
                        yield types[identifier]

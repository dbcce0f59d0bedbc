"""The schemes that are in use: an immutable value that answers questions about issuers, credential types and keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ..errors import IdemixError, MalformedError, MalformedKeyError, MalformedSchemeError, UnknownIdentifierError, UnknownPublicKeyError
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from .descriptions import (
    AttributeType,
    CredentialType,
    Issuer,
    IssueWizard,
    RequestorInfo,
    RequestorScheme,
    SchemeManager,
    credential_type_hash,
    scheme_type,
)
from .findings import Finding, SchemeStatus
from .identifiers import (
    AttributeTypeId,
    CredentialTypeId,
    IssuerId,
    IssueWizardId,
    PublicKeyId,
    RequestorSchemeId,
    SchemeManagerId,
)
from .keyshare_keys import keyshare_key
from .public_keys import KEY_FILE, PublicKeyFolder
from .signing import description_path
from .tree import SchemeTree
from .verdict import SchemeContents, SchemeVerdict
from .verify import verify_scheme


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a scheme is not in use, or what is wrong with one that is.

    Attributes:
        directory: where it lies.
        scheme_id: its id, empty where that could not be read.
        status: its status; `VALID` where it is in use all the same.
        known: whether its head could be read; the reference passes over other directories with a line in its log.
        finding: what is wrong.
    """

    directory: str
    scheme_id: str
    status: SchemeStatus
    known: bool
    finding: Finding

    def __str__(self) -> str:
        return f"{self.scheme_id or self.directory}: {self.finding.message}"


class Configuration:
    """The schemes in use. Immutable; keys are read when first asked for and kept.

    Only schemes without an error are in it: one that cannot be trusted contributes nothing.

    Attributes:
        schemes: issuer schemes by id.
        issuers, credential_types: of all issuer schemes, by id.
        requestor_schemes: by id.
        statuses: the status of every scheme whose head could be read, by its id, those not in use included.
    """

    def __init__(self, contents: Iterable[SchemeContents] = (), statuses: Mapping[str, SchemeStatus] = MappingProxyType({})) -> None:
        contents = tuple(contents)
        managers = [(item, item.scheme) for item in contents if isinstance(item.scheme, SchemeManager)]
        self._contents: Final = {scheme.id: item for item, scheme in managers}
        self.schemes: Final[Mapping[SchemeManagerId, SchemeManager]] = MappingProxyType({scheme.id: scheme for _, scheme in managers})
        self.requestor_schemes: Final[Mapping[RequestorSchemeId, RequestorScheme]] = MappingProxyType(
            {item.scheme.id: item.scheme for item in contents if isinstance(item.scheme, RequestorScheme)}
        )
        self.issuers: Final[Mapping[IssuerId, Issuer]] = MappingProxyType(
            {identifier: issuer for item in contents for identifier, issuer in item.issuers.items()}
        )
        self.credential_types: Final[Mapping[CredentialTypeId, CredentialType]] = MappingProxyType(
            {identifier: kind for item in contents for identifier, kind in item.credential_types.items()}
        )
        self.statuses: Final[Mapping[str, SchemeStatus]] = MappingProxyType(
            {**dict(statuses), **{item.scheme.scheme_id: SchemeStatus.VALID for item in contents}}
        )
        self._by_hash: Final = {credential_type_hash(identifier): kind for identifier, kind in self.credential_types.items()}
        self._keyshare_keys: Final[dict[tuple[SchemeManagerId, int], RSAPublicKey]] = {}
        self._folders: Final = {
            issuer: PublicKeyFolder(item.tree, item.index, description.issuer_id)
            for item in contents
            for issuer, description in item.issuers.items()
        }

    @classmethod
    def load(cls, trees: Iterable[SchemeTree], *, now: int) -> tuple["Configuration", tuple[Problem, ...]]:
        """Read schemes: issuer schemes first, since requestor schemes refer to them.

        Args:
            trees: the schemes, each checked; the order is that in which they are read.
            now: Unix seconds.

        Returns:
            The schemes that are in order, and what is wrong with the others.
        """
        verdict = verify_configuration(trees, now=now, check_keys=False, lint=False)
        return verdict.configuration, verdict.problems

    @property
    def requestors(self) -> dict[str, RequestorInfo]:
        """The known requestors by hostname."""
        return {
            hostname: requestor
            for scheme in self.requestor_schemes.values()
            for requestor in scheme.requestors
            for hostname in requestor.hostnames
        }

    @property
    def wizards(self) -> dict[IssueWizardId, IssueWizard]:
        """The issue wizards by id."""
        return {
            wizard.id: wizard
            for scheme in self.requestor_schemes.values()
            for requestor in scheme.requestors
            for wizard in requestor.wizards.values()
        }

    def tree(self, scheme: SchemeManagerId) -> SchemeTree:
        """The files of an issuer scheme in use.

        Raises:
            UnknownIdentifierError: there is no such scheme.
        """
        if scheme not in self._contents:
            raise UnknownIdentifierError(str(scheme))
        return self._contents[scheme].tree

    def attribute_type(self, identifier: AttributeTypeId) -> AttributeType:
        """The declaration of an attribute.

        Raises:
            UnknownIdentifierError: no scheme in use has it.
        """
        credential_type = self.credential_types.get(identifier.credential_type)
        attribute = credential_type.attribute(identifier.name) if credential_type and identifier.name else None
        if attribute is None:
            raise UnknownIdentifierError(str(identifier))
        return attribute

    def credential_type_by_hash(self, digest: bytes) -> CredentialType | None:
        """The credential type for the 16 bytes in a metadata attribute, None where no scheme in use has it."""
        return self._by_hash.get(digest)

    def languages(self, credential_type: CredentialType) -> tuple[str, ...]:
        """The languages in which the texts of a credential type must be: its own, else its issuer's, else its scheme's."""
        issuer, scheme = self.issuers.get(credential_type.issuer), self.schemes.get(credential_type.id.scheme)
        return credential_type.languages or (issuer.languages if issuer else ()) or (scheme.languages if scheme else ())

    def public_key(self, issuer: IssuerId, counter: int) -> PublicKey:
        """An issuer's public key.

        Raises:
            UnknownPublicKeyError: there is no such key, or it cannot be read.
        """
        identifier = PublicKeyId(issuer, counter)
        if issuer not in self._folders:
            raise UnknownPublicKeyError(str(identifier))
        try:
            return self._folders[issuer].key(counter)
        except MalformedError as error:
            raise UnknownPublicKeyError(str(identifier), f"unknown public key {identifier}: {error}") from error

    def keyshare_key(self, scheme: SchemeManagerId, number: int) -> RSAPublicKey:
        """The public key of a number of a scheme's keyshare server.

        Raises:
            UnknownIdentifierError: there is no such scheme.
            MalformedSchemeError, MalformedKeyError: it has no such key, or one that cannot be used.
        """
        if scheme not in self._contents:
            raise UnknownIdentifierError(str(scheme))
        if (scheme, number) not in self._keyshare_keys:
            self._keyshare_keys[scheme, number] = keyshare_key(self._contents[scheme].tree, self._contents[scheme].index, number)
        return self._keyshare_keys[scheme, number]

    def public_keys(self, issuer: IssuerId) -> dict[int, PublicKey]:
        """An issuer's public keys by counter, ascending; none for an issuer that is not known.

        Raises:
            UnknownPublicKeyError: one of them cannot be read.
        """
        if issuer not in self._folders:
            return {}
        try:
            counters = self._folders[issuer].counters()
        except MalformedError as error:
            raise UnknownPublicKeyError(str(issuer), f"the public keys of {issuer} cannot be read: {error}") from error
        return {counter: self.public_key(issuer, counter) for counter in counters}

    def latest_public_key(self, issuer: IssuerId) -> PublicKey:
        """An issuer's public key of the highest counter.

        Raises:
            UnknownPublicKeyError: it has none, or it cannot be read.
        """
        try:
            newest = self._folders[issuer].newest() if issuer in self._folders else None
        except MalformedError as error:
            raise UnknownPublicKeyError(str(issuer), f"the public keys of {issuer} cannot be read: {error}") from error
        if newest is None:
            raise UnknownPublicKeyError(str(issuer), f"{issuer} has no public keys")
        return self.public_key(issuer, newest)

    def private_key_files(self, issuer: IssuerId) -> dict[int, bytes]:
        """The private keys that lie in the scheme itself, as published with demo schemes: content by counter, ascending.

        Raises:
            MalformedSchemeError: the folder holds other files.
        """
        folder = self._folders.get(issuer)
        if folder is None:
            return {}
        tree = self._contents[issuer.scheme].tree
        path = f"{issuer.name}/PrivateKeys"
        files: dict[int, bytes] = {}
        for name in tree.entries(path):
            match = KEY_FILE.fullmatch(name)
            if not match or f"{path}/{name}" not in tree:
                raise MalformedSchemeError(f"{path}/{name}", "a folder of private keys holds files named <number>.xml only")
            files[int(match[1])] = tree[f"{path}/{name}"]
        return dict(sorted(files.items()))

    def private_key(self, issuer: IssuerId, counter: int) -> PrivateKey:
        """A private key that lies in the scheme itself, checked against its public key.

        Raises:
            MalformedSchemeError: there is no such file, it has another counter inside, or the scheme has no public key to which it
                belongs.
            MalformedKeyError: it is not a private key, or what should be the public key is none.

        Source: irmago `irma/keyring.go` validatePrivateKey.
        """
        path = f"{issuer.name}/PrivateKeys/{counter}.xml"
        content = self.private_key_files(issuer).get(counter)
        if content is None:
            raise MalformedSchemeError(path, "is missing")
        demo = self.schemes[issuer.scheme].demo
        try:
            private_key = PrivateKey.from_xml(content, demo=demo)
        except MalformedKeyError as error:
            raise MalformedKeyError(f"{path}: {error.where}" if error.where else path, error.rule, departure=error.departure) from error
        if private_key.counter != counter:
            raise MalformedSchemeError(path, f"the counter inside is {private_key.counter}", field="<Counter>")
        folder = self._folders[issuer]
        if counter not in folder.counters():
            raise MalformedSchemeError(path, "has no public key of the same number that the index lists")
        public_key = folder.key(counter)
        if private_key.N != public_key.N:
            raise MalformedSchemeError(path, "does not belong to the public key of the same number")
        if not demo and (private_key.ecdsa is not None) != public_key.supports_revocation:
            raise MalformedSchemeError(path, "supports revocation otherwise than the public key of the same number")
        return private_key

    def check_private_keys(self) -> tuple[Problem, ...]:
        """Check every private key that lies in a scheme; a server does so when it starts.

        Returns:
            What is wrong with them; the schemes stay in use.
        """
        problems = []
        for issuer in self.issuers:
            try:
                for counter in self.private_key_files(issuer):
                    self.private_key(issuer, counter)
            except IdemixError as error:
                path = getattr(error, "path", None) or f"{issuer.name}/PrivateKeys"
                finding = Finding(path, getattr(error, "field", ""), "private-key", str(error), SchemeStatus.VALID, error)
                tree = self._contents[issuer.scheme].tree
                problems.append(Problem(tree.name, str(issuer.scheme), SchemeStatus.VALID, True, finding))
        return tuple(problems)


@dataclass(frozen=True, slots=True)
class ConfigurationVerdict:
    """The outcome of `verify_configuration`.

    Attributes:
        configuration: the schemes that are in order.
        verdicts: of every scheme, by the name of its directory.
        problems: all errors.
    """

    configuration: Configuration
    verdicts: Mapping[str, SchemeVerdict]
    problems: tuple[Problem, ...]


def verify_configuration(trees: Iterable[SchemeTree], *, now: int, check_keys: bool = True, lint: bool = True) -> ConfigurationVerdict:
    """Check schemes together: issuer schemes first, since requestor schemes refer to them.

    Args:
        trees: the schemes.
        now: Unix seconds.
        check_keys: also check the public keys, and the private keys that lie in the schemes.
        lint: also look for what is no error and draws no warning of the reference.
    """
    contents: list[SchemeContents] = []
    statuses: dict[str, SchemeStatus] = {}
    verdicts: dict[str, SchemeVerdict] = {}
    problems: list[Problem] = []
    for tree in sorted(trees, key=_is_requestor_scheme):
        known = Configuration(contents, statuses)
        verdict = verify_scheme(tree, now=now, configuration=known, check_keys=check_keys, lint=lint)
        if verdict.known and verdict.scheme_id in statuses:
            error = MalformedSchemeError("", f"the scheme {verdict.scheme_id} is there twice", departure="duplicate-scheme")
            finding = Finding("", "", "duplicate-scheme", str(error), SchemeStatus.PARSING_ERROR, error)
            verdict = replace(verdict, status=SchemeStatus.PARSING_ERROR, errors=(*verdict.errors, finding))
        elif verdict.known:
            statuses[verdict.scheme_id] = verdict.status
            if verdict.contents is not None and verdict.status is SchemeStatus.VALID:
                contents.append(verdict.contents)
        verdicts[tree.name] = verdict
        problems += [Problem(tree.name, verdict.scheme_id, verdict.status, verdict.known, finding) for finding in verdict.errors]
    configuration = Configuration(contents, statuses)
    if check_keys:
        problems += configuration.check_private_keys()
    return ConfigurationVerdict(configuration, MappingProxyType(verdicts), tuple(problems))


def _is_requestor_scheme(tree: SchemeTree) -> bool:
    try:
        path = description_path(tree)
        return scheme_type(tree[path], path)[1] == "requestor"
    except (KeyError, MalformedSchemeError):
        return False

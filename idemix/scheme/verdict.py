"""The outcome of the check of a scheme, and what the scheme says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .descriptions import CredentialType, Issuer, RequestorScheme, SchemeManager
from .findings import Finding, SchemeStatus
from .identifiers import CredentialTypeId, IssuerId
from .index import SchemeIndex
from .tree import SchemeTree


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

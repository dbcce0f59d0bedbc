"""Identifiers: `scheme`, `scheme.issuer`, `scheme.issuer.credential`, `scheme.issuer.credential.attribute`.

Source: irmago `irma/identifiers.go`.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from ..errors import MalformedRequestError


@dataclass(frozen=True, slots=True, order=True)
class Identifier:
    """A dotted identifier with a fixed number of parts. `str()` gives the text form."""

    text: str
    PARTS: ClassVar[int] = 1

    @classmethod
    def parse(cls, text: str, where: str = "identifier") -> Self:
        """Read an identifier.

        Raises:
            MalformedRequestError: it has another number of parts.
        """
        count = text.count(".") + 1
        if not text or count != cls.PARTS:
            raise MalformedRequestError(where, f"expected {cls.PARTS} dot-separated parts, {count} found in {text!r}")
        return cls(text)

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """The last part."""
        return self.text.rpartition(".")[2]

    @property
    def scheme(self) -> "SchemeManagerId":
        """The scheme, the first part."""
        return SchemeManagerId(self.text.partition(".")[0])


class SchemeManagerId(Identifier):
    """`irma-demo`"""

    __slots__ = ()
    PARTS = 1


class IssuerId(Identifier):
    """`irma-demo.RU`"""

    __slots__ = ()
    PARTS = 2


class CredentialTypeId(Identifier):
    """`irma-demo.RU.studentCard`"""

    __slots__ = ()
    PARTS = 3

    @property
    def issuer(self) -> IssuerId:
        return IssuerId(self.text.rpartition(".")[0])


class AttributeTypeId(Identifier):
    """`irma-demo.RU.studentCard.studentID`"""

    __slots__ = ()
    PARTS = 4

    @property
    def credential_type(self) -> CredentialTypeId:
        return CredentialTypeId(self.text.rpartition(".")[0])


@dataclass(frozen=True, slots=True, order=True)
class PublicKeyId:
    """A public key of an issuer; the text form `irma-demo.RU-2` splits at the last dash."""

    issuer: IssuerId
    counter: int

    @classmethod
    def parse(cls, text: str, where: str = "key") -> Self:
        """Read the text form.

        Raises:
            MalformedRequestError: it is no issuer's identifier, a dash and a number.
        """
        issuer, _, counter = text.rpartition("-")
        if not (1 <= len(counter) <= 10 and counter.isascii() and counter.isdigit()):
            raise MalformedRequestError(where, f"expected an issuer, a dash and a number, found {text!r}")
        return cls(IssuerId.parse(issuer, where), int(counter))

    def __str__(self) -> str:
        return f"{self.issuer}-{self.counter}"


class RequestorSchemeId(Identifier):
    """`pbdf-requestors`"""

    __slots__ = ()
    PARTS = 1


class RequestorId(Identifier):
    """`pbdf-requestors.pbdf`"""

    __slots__ = ()
    PARTS = 2


class IssueWizardId(Identifier):
    """`pbdf-requestors.pbdf.wizard`"""

    __slots__ = ()
    PARTS = 3

    @property
    def requestor(self) -> RequestorId:
        return RequestorId(self.text.rpartition(".")[0])

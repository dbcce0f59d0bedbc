"""What a check of a scheme says: its status and its findings."""

from dataclasses import dataclass
from enum import Enum

from ..errors import IdemixError


class SchemeStatus(Enum):
    """The state of a scheme after it was read, in the reference's words.

    Source: irmago `irma/schemes.go` SchemeManagerStatus.
    """

    UNPROCESSED = "Unprocessed"
    VALID = "Valid"
    PARSING_ERROR = "ParsingError"
    INVALID_SIGNATURE = "InvalidSignature"
    CONTENT_PARSING_ERROR = "ContentParsingError"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found in a scheme.

    Attributes:
        path: the file or directory, relative to the scheme; empty for the scheme as a whole.
        field: the element, attribute or line in it; empty for the file as a whole.
        rule: the name of the rule, in words joined by dashes.
        message: what is wrong, for people. Warnings are in the reference's words.
        status: of an error, the status it gives the scheme; `VALID` for errors that leave the scheme in use. None for others.
        error: of an error, the same as an exception. None for others.
    """

    path: str
    field: str
    rule: str
    message: str
    status: SchemeStatus | None = None
    error: IdemixError | None = None

    @property
    def departure(self) -> str | None:
        """The rule of `idemix.departures` by which we refuse what the reference accepts, None where it refuses as well."""
        return self.error.departure if self.error else None

    def to_json(self) -> dict[str, str]:
        """The finding as data."""
        data = {"path": self.path, "field": self.field, "rule": self.rule, "message": self.message}
        if self.departure:
            data["departure"] = self.departure
        return data

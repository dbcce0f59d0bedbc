"""The errors of the engine. Each says what is wrong; what it is about travels in attributes.

An error that refuses what the reference implementation accepts carries the name of our rule in `departure`; the rules
stand in `idemix.departures` and, for people, in docs/compatibility.md.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .session.session import Session


class IdemixError(Exception):
    """Base of every error that the engine raises on purpose.

    Attributes:
        departure: the name of the rule of `idemix.departures` that refused, or None where the reference refuses as well.
    """

    def __init__(self, message: str, *, departure: str | None = None) -> None:
        super().__init__(message)
        self.departure = departure


class MalformedError(IdemixError):
    """Input that cannot be read. `where` names the field or file, `rule` what it should have been."""

    def __init__(self, where: str, rule: str, *, departure: str | None = None) -> None:
        super().__init__(f"{where}: {rule}" if where else rule, departure=departure)
        self.where = where
        self.rule = rule


class MalformedSchemeError(MalformedError):
    """A file of a scheme cannot be read or breaks a rule of its format.

    Attributes:
        path: the file, relative to the scheme.
        field: the element, field or line in it, or the empty text.
    """

    def __init__(self, path: str, rule: str, *, field: str = "", departure: str | None = None) -> None:
        super().__init__(f"{path}: {field}" if path and field else path or field, rule, departure=departure)
        self.path = path
        self.field = field


class MalformedKeyError(MalformedError):
    """A public or private key cannot be read or cannot be a key."""


class MalformedRequestError(MalformedError):
    """A session request cannot be read or breaks a rule of its format."""


class MalformedProofError(MalformedError):
    """A proof, commitment, issuance or revocation message cannot be read or has not the structure of one."""


class ProofCountError(MalformedProofError):
    """There are not as many public keys, labels or index sets as proofs, or more proofs than are read."""


class ProofRuleError(MalformedProofError):
    """A rule that the reference states in words of its own. An app gets these words alone."""


class MalformedAttributeError(MalformedError):
    """A value cannot be an attribute, or an integer cannot be one that was."""


class VerificationError(IdemixError):
    """Something was read but does not hold."""


class InvalidSignatureError(VerificationError):
    """A signature (CL, ECDSA) does not hold."""


class InvalidProofError(VerificationError):
    """A zero-knowledge proof does not hold."""


class EmptyProofListError(InvalidProofError):
    """There is no proof where one is needed."""


class ChallengeMismatchError(InvalidProofError):
    """The challenge is not the hash of what the responses rebuild."""


class ResponseSizeError(InvalidProofError):
    """A response is negative, or longer than an honest one."""


class ElementRangeError(InvalidProofError):
    """A group element is not between 1 and n, or has no inverse modulo n."""


class SecretKeyMismatchError(InvalidProofError):
    """Proofs that should be about one secret key are not."""


class IssuerProofError(InvalidProofError):
    """An issuer's proof that it made a signature as it should (ProofS) does not hold."""


class InvalidTimestampError(VerificationError):
    """A time stamp on a signature does not hold, or cannot be had."""


class HashMismatchError(VerificationError):
    """A file of a scheme is not the one its index lists. `path` is relative to the scheme."""

    def __init__(self, path: str, message: str | None = None, *, departure: str | None = None) -> None:
        super().__init__(message or f"{path}: hash differs from the index", departure=departure)
        self.path = path


class TimestampRollbackError(VerificationError):
    """A scheme's timestamp does not rise."""


class RevokedError(VerificationError):
    """A credential was revoked."""


class InvalidUpdateError(VerificationError):
    """The events of a revocation update are no chain that ends in its accumulator."""


class MissingEventsError(VerificationError):
    """A revocation update starts later than it can be used: events before it are missing. `first_index` is that of the first."""

    def __init__(self, first_index: int) -> None:
        super().__init__(f"update too new: the events from {first_index} on are missing")
        self.first_index = first_index


class InvalidWitnessError(VerificationError):
    """A non-revocation witness does not belong to its accumulator."""


class UnknownIdentifierError(IdemixError):
    """An identifier that no loaded scheme knows."""

    def __init__(self, identifier: str, message: str | None = None, *, departure: str | None = None) -> None:
        super().__init__(message or f"unknown identifier: {identifier}", departure=departure)
        self.identifier = identifier


class UnknownPublicKeyError(UnknownIdentifierError):
    """A public key (`scheme.issuer-counter`) that no loaded scheme has."""


class NotPermittedError(IdemixError):
    """Someone asks what they have no permission for."""


class ComputationError(IdemixError):
    """A computation with a private key went wrong, as with failing hardware; its result would have given the key away."""


class CancelledError(IdemixError):
    """A long computation was called off."""


class SessionError(IdemixError):
    """A message that a session refuses.

    Attributes:
        code: the name of its entry in the table of remote errors, e.g. `UNEXPECTED_REQUEST`.
        session: the session to store along with the refusal; None where the refusal leaves it as it was.
    """

    code: str = "EXCEPTION"

    def __init__(self, message: str = "", *, departure: str | None = None, session: "Session | None" = None) -> None:
        super().__init__(message, departure=departure)
        self.session = session

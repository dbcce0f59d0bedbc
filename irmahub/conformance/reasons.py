"""What the reference gives as the reason of a refusal, by kind, and the class of the error with which we refuse the same.

docs/compatibility.md shows the same table to people. A reason of no kind fails its case, so that nothing new passes by.
"""

import re
from dataclasses import dataclass
from typing import Final

from idemix.departures import DEPARTURES
from idemix.errors import (
    ChallengeMismatchError,
    ElementRangeError,
    EmptyProofListError,
    IdemixError,
    InvalidProofError,
    InvalidSignatureError,
    InvalidUpdateError,
    InvalidWitnessError,
    IssuerProofError,
    MalformedProofError,
    MissingEventsError,
    ProofCountError,
    ProofRuleError,
    ResponseSizeError,
    RevokedError,
    SecretKeyMismatchError,
    UnknownPublicKeyError,
)
from idemix.rangeproof import UnprovableStatementError
from idemix.verification import IndexOutOfRangeError, WrongProofKindError
from irmahub.conformance.core import Mismatch


@dataclass(frozen=True, slots=True)
class Reason:
    """A kind of reason.

    Attributes:
        kind: for people.
        pattern: a regular expression that the text of the reason begins with, places and numbers taken away.
        error: the class of our error.
    """

    kind: str
    pattern: str
    error: type[IdemixError]


REASONS: Final = (
    Reason(
        "challenge mismatch, or in a range or non-revocation proof a response size", "challenge (mismatch|or size)", ChallengeMismatchError
    ),
    Reason("response size out of bounds", "response size out of bounds", ResponseSizeError),
    Reason("secret key response differs", "secret key response differs", SecretKeyMismatchError),
    Reason("modular inverse does not exist", "modular inverse does not exist", ElementRangeError),
    Reason("empty proof list", "empty proof list", EmptyProofListError),
    Reason(
        "number of public keys or keyshare servers differs from that of proofs",
        r"number of [a-z ]+ differs from number of proofs",
        ProofCountError,
    ),
    Reason("proof of correctness on signature does not verify", "Proof of correctness on signature does not verify", IssuerProofError),
    Reason("the signature on the attributes is not correct", "The Signature on the attributes is not correct", InvalidSignatureError),
    Reason("unknown proof type in the list", "Unknown proof type found in ProofList", ProofRuleError),
    Reason("negative integer", "Unexpected negative integer", ProofRuleError),
    Reason("a range statement with a negative bound", "json: .*Marshaling negative integers", UnprovableStatementError),
    Reason(
        "what Go's parsers of JSON, integers, base64 and multihashes refuse",
        "json: |math/big: |illegal base64 data|unexpected end of JSON input|invalid character|length greater than remaining",
        MalformedProofError,
    ),
    Reason(
        "the reference panics: a part is missing, or an index names no base or the proof after the last",
        "runtime error: |assignment to entry in nil map",
        MalformedProofError,
    ),
    Reason("no response for the revocation attribute", "no revocation response found", MalformedProofError),
    Reason("accumulator under another key", "wrong public key", InvalidSignatureError),
    Reason("signature on the accumulator invalid", "ecdsa signature was invalid", InvalidSignatureError),
    Reason("events of a revocation update are no chain", "update chain has wrong hash", InvalidUpdateError),
    Reason("revocation update lacks events before it", "update too new", MissingEventsError),
    Reason("credential revoked", "revoked", RevokedError),
    Reason("witness of another accumulator", "invalid witness|non-revocation relation does not hold", InvalidWitnessError),
    Reason("a range proof of no possible shape", "invalid proof|Invalid range proof|unsupported sign", MalformedProofError),
    Reason(
        "a range statement that does not hold or cannot be proved",
        "requested inequality does not hold|value outside of table range|Range statements on revealed attributes",
        UnprovableStatementError,
    ),
    Reason("commitment proof among disclosures", "Cannot extract public key, not a disclosure proofD", WrongProofKindError),
    Reason("public key unknown", "[Mm]issing public key", UnknownPublicKeyError),
    Reason("credential index out of range", "Credential index out of range", IndexOutOfRangeError),
    Reason("another commitment than was announced to the keyshare server", "incorrect commitment hash", InvalidProofError),
)

#: Where a reason says it arose: nothing that its kind depends on.
_PLACE: Final = re.compile(r"(proof \d+|challenge contributions|Could not reconstruct Z|reference panics during verification): ")


def kinds_of(reason: str) -> list[Reason]:
    """Return the kinds of the parts of a recorded reason.

    Raises:
        Mismatch: a part is of no known kind.
    """
    kinds = []
    for part in _PLACE.sub("", reason).split("; "):
        kind = next((known for known in REASONS if re.match(known.pattern, part)), None)
        if kind is None:
            raise Mismatch(f"a reason of no known kind: {part!r}")
        kinds.append(kind)
    return kinds


def expect_class(reason: str, error: IdemixError) -> None:
    """Compare the class of our refusal with the kind of the recorded reason; a rule of ours may have refused before.

    Raises:
        Mismatch: they do not belong together, or the reason is of no known kind.
    """
    expected = [kind.error for kind in kinds_of(reason)]
    fits = type(error) in expected if error.departure is None else isinstance(error, DEPARTURES[error.departure].error)
    if not fits:
        raise Mismatch(f"refused as {type(error).__name__}: {error}; recorded is {reason!r}")

"""What the reference gives as the reason of a refusal, by kind, and the class of the error with which we refuse the same.

docs/compatibility.md shows the same table to people. A reason of no kind fails its case, so that nothing new passes by.
"""

import re
from dataclasses import dataclass
from typing import Final

from idemix.errors import (
    ChallengeMismatchError,
    ElementRangeError,
    EmptyProofListError,
    IdemixError,
    InvalidSignatureError,
    IssuerProofError,
    MalformedProofError,
    ProofCountError,
    ProofRuleError,
    ResponseSizeError,
    SecretKeyMismatchError,
)
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
    Reason("challenge mismatch", "challenge mismatch", ChallengeMismatchError),
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
    Reason(
        "what Go's parsers of JSON, integers and base64 refuse",
        "json: |math/big: |illegal base64 data|unexpected end of JSON input|invalid character",
        MalformedProofError,
    ),
    Reason(
        "the reference panics: a part is missing, or an index names no base",
        "runtime error: |assignment to entry in nil map",
        MalformedProofError,
    ),
    Reason("no response for the revocation attribute", "no revocation response found", MalformedProofError),
    Reason("accumulator under another key", "wrong public key", InvalidSignatureError),
    Reason("signature on the accumulator invalid", "ecdsa signature was invalid", InvalidSignatureError),
)

#: Where a reason says it arose: nothing that its kind depends on.
_PLACE: Final = re.compile(r"(proof \d+|challenge contributions|Could not reconstruct Z|reference panics during verification): ")


def classes_of(reason: str) -> tuple[type[IdemixError], ...]:
    """Return the classes of error for the parts of a recorded reason.

    Raises:
        Mismatch: a part is of no known kind.
    """
    classes = []
    for part in _PLACE.sub("", reason).split("; "):
        error = next((known.error for known in REASONS if re.match(known.pattern, part)), None)
        if error is None:
            raise Mismatch(f"a reason of no known kind: {part!r}")
        classes.append(error)
    return tuple(classes)


def expect_class(reason: str, error: IdemixError) -> None:
    """Compare the class of our refusal with the kind of the recorded reason; a rule of ours may have refused before.

    Raises:
        Mismatch: they do not belong together, or the reason is of no known kind.
    """
    expected = classes_of(reason)
    if error.departure is None and not isinstance(error, expected):
        raise Mismatch(f"refused as {type(error).__name__}: {error}; recorded is {reason!r}")

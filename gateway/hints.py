"""Which field a text of the reference is about, and what it should hold: told beside the error, in a header.

Many of the reference's texts name no field. Its clients may know them, and know no other fields in the body of an error, so that
the body stays as it is.
"""

from typing import Final

#: The header that names the field and what it should hold.
HINT_HEADER: Final = "X-Error-Hint"

#: Beginning of a text -> field and rule.
_HINTS: Final = {
    "Disclosure request had no attributes": "disclose: must hold at least one attribute",
    "Signature request had no attributes": "disclose: must hold at least one attribute",
    "Signature request had empty message": "message: must not be empty",
    "Empty issuance request": "credentials: must hold at least one credential",
    "Empty disjunction": "disclose: every list in it must hold at least one list",
    "Expected attribute request to consist of": "disclose: an attribute is scheme.issuer.credential.attribute, or without the last part",
    "Expected credential ID to consist of": "credential: must be scheme.issuer.credential",
    "Failed to JSON unmarshal request bytes": "body: must be a session request, one JSON object",
    "Invalid requestor request type": "request: must be a session request, an object with a known @context",
    "Invalid session request type": "@context: must be https://irma.app/ld/request/ and disclosure/v2, signature/v2 or issuance/v2",
    "Invalid session type": "JWT claim sub: must be verification_request, signature_request or issue_request",
    "augmenting client return url not enabled": "augmentReturnUrl: must be absent or false on this server",
    "nextSession provided with empty URL": "nextSession.url: must not be empty",
    "not a revocation request": "@context: must be https://irma.app/ld/request/revocation/v1",
    "string did not pass input validation for": "path: a token must be 20 letters and digits",
    "Cannot extract public key": "combinedProofs: those before the commitments must be disclosure proofs",
    "Not a frontend options request": "@context: must be https://irma.app/ld/request/frontendoptions/v1",
    "Received insufficient proofs": "combinedProofs: must hold a commitment for each credential",
    "Unexpected negative integer": "combinedProofs: must hold no negative number here",
    "Unknown proof type found in ProofList": "proofs: each must have the fields of a disclosure proof (A) or of a commitment (U)",
}

#: Stands before the text in errors of signed requests.
_JWT_BODY: Final = "Invalid JWT body: "


def hint_of(message: str) -> str:
    """The field and the rule that a text is about, "" where it names them itself or is about none."""
    text = message.removeprefix(_JWT_BODY)
    return next((hint for beginning, hint in _HINTS.items() if text.startswith(beginning)), "")

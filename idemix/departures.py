"""Where we refuse what the reference implementation accepts: the rules, each with its error and its reason.

docs/compatibility.md shows the same table to people; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .errors import (
    ElementRangeError,
    HashMismatchError,
    IdemixError,
    InvalidProofError,
    InvalidSignatureError,
    InvalidTimestampError,
    InvalidUpdateError,
    MalformedAttributeError,
    MalformedError,
    MalformedKeyError,
    MalformedProofError,
    MalformedRequestError,
    MalformedSchemeError,
    NotPermittedError,
    ProofCountError,
    ResponseSizeError,
    SessionError,
)


@dataclass(frozen=True, slots=True)
class Departure:
    """One rule of ours that is stricter than the reference.

    Attributes:
        rule: its name, as errors carry it in `departure`.
        error: the class of the error that refuses.
        reason: why we refuse, in a sentence for people.
    """

    rule: str
    error: type[IdemixError]
    reason: str


_RULES: Final = (
    Departure("overlapping-indices", MalformedProofError, "An attribute is either disclosed or hidden: an index in both maps is refused."),
    Departure("response-size", ResponseSizeError, "Every response has an upper bound that honest provers keep."),
    Departure("index-gap", MalformedProofError, "The indices of a disclosure proof are together exactly 0 to the highest one."),
    Departure("index-beyond-attributes", MalformedProofError, "A disclosure has no index beyond the attributes of its credential type."),
    Departure("proof-count", ProofCountError, "A list has at most 256 proofs."),
    Departure("index-form", MalformedProofError, "An index is written in decimal digits without sign or leading zeros."),
    Departure(
        "blind-indices", MalformedProofError, "A commitment holds shares of exactly the random blind attributes of its credential type."
    ),
    Departure(
        "element-range",
        ElementRangeError,
        "A group element in a proof lies between 1 and n and is coprime to n; the C_u of a non-revocation proof once it is reduced.",
    ),
    Departure("range-proof-index", MalformedProofError, "A range proof is about an attribute that its disclosure proof hides."),
    Departure("range-proof-form", MalformedProofError, "A range proof has each of its parts, and a factor from 1 to 2^63 - 1."),
    Departure("range-proof-count", MalformedProofError, "A disclosure proof carries at most 32 range proofs."),
    Departure(
        "keyshare-jwt",
        MalformedProofError,
        "A keyshare server's JWT says in sub that it is a ProofP, has a plain number as kid or none, and holds nothing else.",
    ),
    Departure("secret-key-hidden", MalformedProofError, "A disclosure that answers a request hides the secret key."),
    Departure("metadata-disclosed", MalformedProofError, "A disclosure that answers a request shows the metadata attribute."),
    Departure("timestamp-algorithm", InvalidTimestampError, "A time stamp is signed with Ed25519, as IRMA apps ask for."),
    Departure(
        "unknown-proof-key", MalformedProofError, "A proof or revocation update has only the keys of its kind, spelled as they should be."
    ),
    Departure(
        "revocation-attribute",
        MalformedProofError,
        "A non-revocation proof is about the attribute that the credential type names for it.",
    ),
    Departure("alpha-response", InvalidProofError, "A response for alpha in a non-revocation proof is that of the revocation attribute."),
    Departure("revocation-attribute-size", MalformedProofError, "A revocation attribute has 1 to 196 bits."),
    Departure("event-hash", MalformedProofError, "A hash in a chain of revocation events is a whole SHA-256."),
    Departure("event-index", InvalidUpdateError, "The last event of a revocation update has the index of its accumulator."),
    Departure("renewed-accumulator", InvalidUpdateError, "A newer accumulator of the same index differs in its time alone."),
    Departure(
        "revocation-limits",
        MalformedProofError,
        "Accumulators, events, witnesses and issuance records have upper bounds in size and number.",
    ),
    Departure("update-key", MalformedProofError, "An update among those of several keys stands under the counter of its own."),
    Departure("record-key", InvalidSignatureError, "An issuance record names the key that signed it."),
    Departure(
        "cbor-form",
        MalformedProofError,
        "CBOR has definite lengths, heads no longer than need be, keys that are text and occur once, no tags, and nothing after it.",
    ),
    Departure("doubled-key", MalformedError, "A JSON object has each key once."),
    Departure("json-limits", MalformedError, "JSON has a limited depth, and its numbers a limited length."),
    Departure(
        "key-structure",
        MalformedKeyError,
        "A key has each of its parts once, each a number in its range and fitting the others, and as many bases as it says.",
    ),
    Departure("xml-form", MalformedKeyError, "A key is one well-formed XML document of limited size, without DOCTYPE."),
    Departure(
        "metadata-range",
        MalformedAttributeError,
        "A metadata attribute has at most 24 bytes; key counter and validity fit into two bytes each.",
    ),
    Departure("credential-validity", MalformedRequestError, "A credential is valid for as many weeks as its metadata attribute can tell."),
    Departure("content-type", MalformedRequestError, "A media type is compared whole, apart from its parameters."),
    Departure("content-encoding", MalformedRequestError, "A body is taken as it is: a Content-Encoding other than identity is refused."),
    Departure("single-authorization", NotPermittedError, "Authorization is one header with one token."),
    Departure("jwt-line-end", MalformedRequestError, "A JWT ends with its signature; a line end belongs to no part of it."),
    Departure(
        "jwt-header", MalformedRequestError, "The typ of a JWT is JWT or absent, and its header has no parameter that changes its meaning."
    ),
    Departure("jwt-claims", MalformedRequestError, "The claims of a JWT are one JSON object, and nothing follows it."),
    Departure("revocation-subject", MalformedRequestError, "The sub of a revocation JWT, where it has one, says that it is one."),
    Departure(
        "revocation-request",
        MalformedRequestError,
        "A revocation server is asked for events in whole blocks, and for keys that it has an accumulator of.",
    ),
    Departure("revocation-issuer", NotPermittedError, "A revocation JWT names in iss the requestor whose key signed it."),
    Departure(
        "session-host", NotPermittedError, "A host is a name or an address, with or without port: no user, query, fragment or blank."
    ),
    Departure("requestor-name", MalformedError, "A requestor has a name."),
    Departure("shared-token", MalformedError, "A token belongs to one requestor."),
    Departure("scheme-limits", MalformedSchemeError, "The files of a scheme, their number, size and nesting have upper bounds."),
    Departure(
        "xml-well-formed",
        MalformedSchemeError,
        "A description is one well-formed XML document, with nothing before its declaration or after it.",
    ),
    Departure("document-type", MalformedSchemeError, "The document type of a description declares nothing."),
    Departure("json-utf-8", MalformedSchemeError, "JSON is UTF-8 throughout."),
    Departure("issuer-root", MalformedSchemeError, "The root element of an issuer's description is Issuer."),
    Departure(
        "identifier-characters",
        MalformedSchemeError,
        "The parts of an identifier are letters, digits, dashes and underscores, at least one.",
    ),
    Departure(
        "duplicate-attribute", MalformedSchemeError, "A credential type has each attribute once, and one revocation attribute at most."
    ),
    Departure("duplicate-requestor", MalformedSchemeError, "A requestor scheme has each requestor once."),
    Departure("duplicate-scheme", MalformedSchemeError, "A configuration has each scheme once."),
    Departure("symbolic-link", MalformedSchemeError, "A scheme holds no symbolic links."),
    Departure("index-path", MalformedSchemeError, "An index names files of its own scheme, plainly: no step up, no dots, no empty parts."),
    Departure("duplicate-index-path", MalformedSchemeError, "An index lists each path once."),
    Departure(
        "unsigned-content",
        MalformedSchemeError,
        "What a reader relies on is listed in the index: the timestamp and the keyshare server's key.",
    ),
    Departure("unsigned-timestamp", HashMismatchError, "Every file that the index lists has the hash listed, in a requestor scheme too."),
    Departure("negative-timestamp", MalformedSchemeError, "A timestamp is not before 1970."),
    Departure("signature-encoding", InvalidSignatureError, "An ECDSA signature is DER of exactly two integers, with nothing after it."),
    Departure("scheme-key-curve", MalformedKeyError, "A scheme's key lies on P-256 or a larger curve."),
    Departure(
        "split-conjunction",
        MalformedProofError,
        "Attributes of one credential type within one conjunction come from one credential.",
    ),
    Departure("next-session-url", MalformedRequestError, "A request that names a next session gives its URL."),
    Departure("repeated-request", SessionError, "A request that is repeated gets the first one's answer only with the same Authorization."),
)

DEPARTURES: Final[Mapping[str, Departure]] = {rule.rule: rule for rule in _RULES}

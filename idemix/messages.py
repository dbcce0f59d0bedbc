"""What an app sends as its answer: a disclosure, or a message signed with attributes.

Source: irmago `irma/messages.go` (Disclosure), `irma/irma_signature.go` (SignedMessage).
"""

from dataclasses import dataclass
from typing import ClassVar, Final, Self, TypeAlias

from gmpy2 import mpz

from .challenge import signature_nonce
from .errors import MalformedProofError, MalformedRequestError
from .integers import decode_integer, encode_integer
from .json_text import parse_json
from .proofs import ProofList
from .request.reading import Fields, as_integer, as_list
from .timestamp.messages import Timestamp

_INDEX_FIELDS: Final = frozenset({"cred", "attr"})
_DISCLOSURE_FIELDS: Final = frozenset({"proofs", "indices"})
_SIGNED_MESSAGE_FIELDS: Final = frozenset({"@context", "signature", "indices", "nonce", "context", "message", "timestamp"})


@dataclass(frozen=True, slots=True)
class DisclosedIndex:
    """Says where a disclosed attribute is.

    Attributes:
        credential: position of the proof in the list.
        attribute: index among the bases of the key: 1 the metadata, 2 the first attribute of the credential type.
    """

    credential: int
    attribute: int

    def to_json(self) -> dict[str, object]:
        return {"cred": self.credential, "attr": self.attribute}


#: One list of indices per disjunction of the request, in its order.
Indices: TypeAlias = tuple[tuple[DisclosedIndex, ...], ...]


def indices_from_json(value: object, where: str = "indices") -> Indices:
    """Read the lists of indices.

    Raises:
        MalformedProofError: they are malformed.
    """
    try:
        return tuple(
            tuple(_read_index(item, f"{where}[{i}][{j}]") for j, item in enumerate(as_list(entry, f"{where}[{i}]")))
            for i, entry in enumerate(as_list(value, where))
        )
    except MalformedRequestError as error:
        raise MalformedProofError(error.where, error.rule, departure=error.departure) from error


def _read_index(value: object, where: str) -> DisclosedIndex:
    if value is None:
        raise MalformedProofError(where, "expected an index, found null")
    fields = Fields.read(value, where, _INDEX_FIELDS)
    return DisclosedIndex(as_integer(fields.get("cred"), fields.path("cred")), as_integer(fields.get("attr"), fields.path("attr")))


def indices_to_json(indices: Indices) -> list[list[dict[str, object]]]:
    return [[index.to_json() for index in entry] for entry in indices]


def _read_fields(value: object, names: frozenset[str]) -> Fields:
    try:
        return Fields.read(value, "", names)
    except MalformedRequestError as error:
        raise MalformedProofError(error.where, error.rule, departure=error.departure) from error


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Proofs, and which of their attributes answer which disjunction."""

    proofs: ProofList
    indices: Indices

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read `{"proofs": [...], "indices": [[...]]}` from decoded JSON.

        Raises:
            MalformedProofError: it is malformed.
        """
        fields = _read_fields(value, _DISCLOSURE_FIELDS)
        return cls(ProofList.from_json(fields.get("proofs"), "proofs"), indices_from_json(fields.get("indices")))

    def to_json(self) -> dict[str, object]:
        return {"proofs": self.proofs.to_json(), "indices": indices_to_json(self.indices)}


def _read_optional_integer(fields: Fields, name: str) -> mpz | None:
    value = fields.get(name)
    return None if value is None else decode_integer(value, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """A message signed with attributes.

    Attributes:
        signature: the proofs.
        indices: see `Disclosure`.
        nonce, context: those of the request; the proofs are over a nonce derived from this one and the message. Only a message
            without proofs can do without them.
        message: the text that is signed.
        timestamp: the time stamp, or None; reading it checks its form only.
        ld_context: `@context`; empty in the older form.
    """

    LD_CONTEXT: ClassVar[str] = "https://irma.app/ld/signature/v2"

    signature: ProofList
    indices: Indices
    nonce: mpz | None
    context: mpz | None
    message: str
    timestamp: Timestamp | None = None
    ld_context: str = LD_CONTEXT

    @classmethod
    def parse(cls, body: bytes | str) -> Self:
        """Read a signed message from JSON text.

        Raises:
            MalformedProofError: it is malformed.
        """
        return cls.from_json(parse_json(body, "signed message"))

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read a signed message from decoded JSON.

        Raises:
            MalformedProofError: it is malformed.
        """
        fields = _read_fields(value, _SIGNED_MESSAGE_FIELDS)
        try:
            ld_context, message, stamp = fields.text("@context"), fields.text("message"), fields.get("timestamp")
            timestamp = None if stamp is None else Timestamp.from_json(stamp)
        except MalformedRequestError as error:
            raise MalformedProofError(error.where, error.rule, departure=error.departure) from error
        return cls(
            signature=ProofList.from_json(fields.get("signature"), "signature"),
            indices=indices_from_json(fields.get("indices")),
            nonce=_read_optional_integer(fields, "nonce"),
            context=_read_optional_integer(fields, "context"),
            message=message,
            timestamp=timestamp,
            ld_context=ld_context,
        )

    def to_json(self) -> dict[str, object]:
        """Write the message as the reference does."""
        return {
            "@context": self.ld_context,
            "signature": self.signature.to_json() or None,
            "indices": indices_to_json(self.indices),
            "nonce": None if self.nonce is None else encode_integer(self.nonce),
            "context": None if self.context is None else encode_integer(self.context),
            "message": self.message,
            "timestamp": None if self.timestamp is None else self.timestamp.to_json(),
        }

    def proof_context(self) -> mpz:
        """The context of the proofs.

        Raises:
            MalformedProofError: it is missing.
        """
        if self.context is None:
            raise MalformedProofError("context", "missing")
        return self.context

    def proof_nonce(self) -> mpz:
        """The nonce of the proofs, derived from nonce, message and the signature of the time stamp.

        Raises:
            MalformedProofError: the nonce is missing.
        """
        if self.nonce is None:
            raise MalformedProofError("nonce", "missing")
        stamp_signature = None if self.timestamp is None else self.timestamp.signature.data or b""
        return signature_nonce(self.nonce, self.message, stamp_signature)

    @property
    def disclosure(self) -> Disclosure:
        return Disclosure(self.signature, self.indices)

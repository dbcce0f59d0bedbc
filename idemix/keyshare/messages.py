"""What a holder sends to a keyshare server in the newer protocol: first a hash of its commitments, then these commitments.

The hash is SHA-256 of CBOR (RFC 8949): a list of maps {"key", "val", "comm", "otherComms"} in this order, integers as byte
strings of their shortest bytes, a key as {"issuer", "counter"}; what is absent is left out. In JSON a key is a text. The protocol
itself leaves open what names a key; a name that is a text is one in CBOR too.

Source: gabi `keyshare.go` (KeyshareUserChallengeInput, keyshareUserCommitmentsHash).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

from gmpy2 import mpz

from .. import cbor
from ..errors import MalformedProofError, MalformedRequestError
from ..integers import decode_integer, encode_integer, integer_to_bytes
from ..json_text import check_spelling
from ..scheme.identifiers import PublicKeyId

#: What names an issuer's key: in IRMA an identifier.
KeyName: TypeAlias = PublicKeyId | str


@dataclass(frozen=True, slots=True)
class ChallengeInput:
    """What one proof of the holder adds to the challenge, without the server's part.

    Attributes:
        key: the issuer's key; None where the server does not take part in this proof.
        value: A' or U.
        commitment: Z̃ or Û, from the holder's part of the secret key alone.
        others: what non-revocation and range proofs add.
    """

    key: KeyName | None
    value: mpz
    commitment: mpz
    others: tuple[mpz, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        result: dict[str, Any] = {} if self.key is None else {"key": str(self.key)}
        result |= {"val": encode_integer(self.value), "comm": encode_integer(self.commitment)}
        if self.others:
            result["otherComms"] = list(map(encode_integer, self.others))
        return result

    @classmethod
    def from_json(cls, value: Any, where: str) -> Self:
        """Read the JSON object.

        Raises:
            MalformedProofError: a field is absent or not of its kind.
        """
        fields = check_spelling(value, {"key", "val", "comm", "otherComms"}, where)
        key, others = fields.get("key"), fields.get("otherComms")
        if key is not None and not isinstance(key, str):
            raise MalformedProofError(f"{where}.key", "expected a text")
        if others is not None and not isinstance(others, list):
            raise MalformedProofError(f"{where}.otherComms", "expected a list")
        try:
            identifier = None if key is None else PublicKeyId.parse(key, f"{where}.key")
        except MalformedRequestError as error:
            raise MalformedProofError(error.where, error.rule) from error
        return cls(
            key=identifier,
            value=decode_integer(fields.get("val"), f"{where}.val"),
            commitment=decode_integer(fields.get("comm"), f"{where}.comm"),
            others=tuple(decode_integer(element, f"{where}.otherComms[{i}]") for i, element in enumerate(others or ())),
        )

    def to_cbor(self) -> bytes:
        """Return the CBOR map."""
        return cbor.encode(self.cbor_map())

    def cbor_map(self) -> dict[str, Any]:
        """Return what is to be encoded as CBOR."""
        key = self.key
        if isinstance(key, PublicKeyId):
            result: dict[str, Any] = {"key": {"issuer": str(key.issuer), "counter": key.counter}}
        else:
            result = {} if key is None else {"key": key}
        result |= {"val": integer_to_bytes(self.value), "comm": integer_to_bytes(self.commitment)}
        if self.others:
            result["otherComms"] = list(map(integer_to_bytes, self.others))
        return result


def commitments_hash(inputs: Sequence[ChallengeInput]) -> bytes:
    """Return the hash by which the holder is bound to its commitments before it sees the server's."""
    return hashlib.sha256(cbor.encode([element.cbor_map() for element in inputs])).digest()


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """The holder's second message.

    Attributes:
        inputs: what was hashed.
        context, nonce, is_signature: of the session; the nonce of a signature is the one derived with its message.
        user_response: the holder's response for its part of the secret key.
    """

    inputs: tuple[ChallengeInput, ...]
    context: mpz
    nonce: mpz
    is_signature: bool
    user_response: mpz

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "context": encode_integer(self.context),
            "nonce": encode_integer(self.nonce),
            "resp": encode_integer(self.user_response),
            "sig": self.is_signature,
            "UserChallengeInput": [element.to_json() for element in self.inputs],
        }

    @classmethod
    def from_json(cls, value: Any, where: str = "response request") -> Self:
        """Read the JSON object; an absent context is 1.

        Raises:
            MalformedProofError: a field is absent or not of its kind.
        """
        fields = check_spelling(value, {"context", "nonce", "resp", "sig", "UserChallengeInput"}, where)
        context, is_signature, inputs = fields.get("context"), fields.get("sig", False), fields.get("UserChallengeInput")
        if not isinstance(is_signature, bool):
            raise MalformedProofError(f"{where}.sig", "expected a boolean")
        if not isinstance(inputs, list):
            raise MalformedProofError(f"{where}.UserChallengeInput", "expected a list")
        return cls(
            inputs=tuple(ChallengeInput.from_json(element, f"{where}.UserChallengeInput[{i}]") for i, element in enumerate(inputs)),
            context=mpz(1) if context is None else decode_integer(context, f"{where}.context"),
            nonce=decode_integer(fields.get("nonce"), f"{where}.nonce"),
            is_signature=is_signature,
            user_response=decode_integer(fields.get("resp"), f"{where}.resp"),
        )

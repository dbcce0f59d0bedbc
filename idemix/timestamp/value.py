"""What is stamped: a hash of the message, of the randomized signatures and of what is disclosed.

SHA-256 of DER SEQUENCE { SEQUENCE OF INTEGER A'_i, OCTET STRING SHA-256(message), D }. D is a SEQUENCE OF INTEGER, for each
credential ∏ R_j^{m_j} mod N over its disclosed attributes; in the older form of a signed message the attributes themselves, with
0 for those that are not disclosed.

Source: irmago `irma/timestamp.go` (TimestampRequest, VerifyTimestamp).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gmpy2 import mpz

from ..challenge import der_integer, der_octet_string, der_sequence
from ..cl.signature import represent_to_bases
from ..errors import InvalidTimestampError
from ..keys.public import PublicKey
from ..scheme.descriptions import SchemeManager


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a stamp is on, of one credential.

    Attributes:
        A: A' of the randomized signature.
        disclosed: the disclosed attributes by index of base, metadata among them.
        count: the number of bases that the credential type uses, of the secret key and the metadata too.
        public_key: the issuer's key.
    """

    A: mpz
    disclosed: Mapping[int, mpz]
    count: int
    public_key: PublicKey

    @property
    def attributes(self) -> list[mpz]:
        """The attributes in base order, 0 for each that is not disclosed."""
        return [self.disclosed.get(index, mpz(0)) for index in range(self.count)]

    def representation(self) -> mpz:
        """Return ∏ R_j^{m_j} mod N.

        Raises:
            InvalidTimestampError: the key has too few bases.
        """
        shown = {index: value for index, value in self.disclosed.items() if index < self.count}
        if self.count > len(self.public_key.R):
            raise InvalidTimestampError(f"{self.count} attributes, the key has {len(self.public_key.R)} bases")
        return represent_to_bases(self.public_key, shown)


def stamped_value(message: str, credentials: Sequence[Stamped], *, old_form: bool = False) -> bytes:
    """Return what a time-stamp server signs, with the time.

    Args:
        message: the text that is signed with attributes.
        credentials: in the order of the proofs.
        old_form: whether the signed message has no `@context`.

    Raises:
        InvalidTimestampError: a credential has more attributes than its key has bases.
    """
    if old_form:
        disclosed = [der_sequence(map(der_integer, credential.attributes)) for credential in credentials]
    else:
        disclosed = [der_integer(credential.representation()) for credential in credentials]
    signatures = der_sequence(der_integer(credential.A) for credential in credentials)
    text = der_octet_string(hashlib.sha256(message.encode()).digest())
    return hashlib.sha256(der_sequence([signatures, text, der_sequence(disclosed)])).digest()


def timestamp_server(schemes: Iterable[SchemeManager]) -> str:
    """Return the address of the time-stamp server of the schemes whose credentials sign.

    Raises:
        InvalidTimestampError: a scheme has none, or two have different ones.
    """
    servers = {scheme.timestamp_server: scheme for scheme in schemes}
    if "" in servers:
        raise InvalidTimestampError(f"the scheme {servers[''].id} has no time-stamp server")
    if len(servers) != 1:
        raise InvalidTimestampError("the schemes have not one time-stamp server")
    return next(iter(servers))

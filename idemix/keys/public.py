"""The public key of an issuer."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from gmpy2 import mpz

from ..arith.fixed_base import CombShape, PowerProducts
from ..arith.modular import inverse, is_unit
from ..errors import MalformedKeyError
from ..params import SystemParameters, params_for
from .xml import KeyElement, KeyWriter, parse_key_xml, parse_signed

#: The validity, in seconds, of an accumulator where a key does not say.
DEFAULT_EPOCH_LENGTH: Final = 432_000

_ROOT: Final = "IssuerPublicKey"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public key of an issuer, with its parts in their range.

    Attributes:
        counter: its number among the issuer's keys.
        expires_at: Unix seconds; no credential is signed under it afterwards.
        N: the modulus, of a length that `params_for` knows.
        Z: the element that every signature's equation ends in.
        S: the generator of the blinding.
        R: one base per exponent of a credential; R[0] carries the secret key.
        G, H: the bases of non-revocation proofs, or None.
        epoch_length: see `DEFAULT_EPOCH_LENGTH`.
        ecdsa: DER SubjectPublicKeyInfo (P-256) of the key that signs accumulators, or None.
    """

    counter: int
    expires_at: int
    N: mpz
    Z: mpz
    S: mpz
    R: tuple[mpz, ...]
    G: mpz | None = None
    H: mpz | None = None
    epoch_length: int = DEFAULT_EPOCH_LENGTH
    ecdsa: bytes | None = None
    params: SystemParameters = field(init=False, repr=False, compare=False)
    _products: PowerProducts = field(init=False, repr=False, compare=False)
    _revocation_products: PowerProducts = field(init=False, repr=False, compare=False)
    _Z_inverse: mpz = field(init=False, repr=False, compare=False, default=mpz(0))

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", params_for(self.N.bit_length()))
        if not self.R:
            raise MalformedKeyError("Elements/Bases", "a key has bases", departure="key-structure")
        for name, element in self._elements():
            if not 1 < element < self.N:
                raise MalformedKeyError(f"Elements/{name}", "not between 1 and n", departure="key-structure")

    def _elements(self) -> Iterator[tuple[str, mpz]]:
        """Yield the group elements with their names."""
        for name, element in (("Z", self.Z), ("S", self.S), ("G", self.G), ("H", self.H)):
            if element is not None:
                yield name, element
        for index, base in enumerate(self.R):
            yield f"Bases[{index}]", base

    def check_elements(self) -> None:
        """Check that the key can be computed with: N is odd and every element has an inverse modulo N.

        Every computation under the key does this once; loading does not, so that a scheme of many keys loads fast.

        Raises:
            MalformedKeyError: it is not so.
        """
        if self._Z_inverse:
            return
        if not self.N.bit_test(0):
            raise MalformedKeyError("Elements/n", "the modulus is even")
        for name, element in self._elements():
            if not is_unit(element, self.N):
                raise MalformedKeyError(f"Elements/{name}", "has no inverse modulo n")
        Z_inverse = inverse(self.Z, self.N)
        # The last thing set is what other threads look at.
        object.__setattr__(self, "_products", self._power_products(Z_inverse))
        object.__setattr__(self, "_revocation_products", self._revocation_power_products())
        object.__setattr__(self, "_Z_inverse", Z_inverse)

    def _power_products(self, Z_inverse: mpz) -> PowerProducts:
        """Tables reach as far as the longest response on each base.

        A base of an attribute has a comb for the attribute itself, as in a signature, and one for responses.
        """
        params = self.params
        attribute = CombShape(params.l_m, teeth=10)
        response = CombShape(params.l_m_commit + 2, teeth=12)
        shapes: dict[mpz, Sequence[CombShape]] = dict.fromkeys(self.R, (attribute, response))
        shapes |= {self.S: [CombShape(params.l_v_commit + 1, teeth=11, blocks=5)], Z_inverse: [CombShape(params.l_h, teeth=8)]}
        return PowerProducts(self.N, shapes)

    def _revocation_power_products(self) -> PowerProducts:
        """Tables for G and H, apart from the others: a key gets them with its first proofs of non-revocation."""
        shape = CombShape(self.params.l_er_nonrev_commit + 1, teeth=11, blocks=5)
        return PowerProducts(self.N, {base: [shape] for base in (self.G, self.H) if base is not None})

    def build_tables(self) -> None:
        """Build the tables that verification uses now, instead of when the key is used a second time."""
        self.check_elements()
        self._products.build()

    @property
    def supports_revocation(self) -> bool:
        """Whether credentials under this key can be revocable: G, H and the ECDSA key are all there."""
        return self.G is not None and self.H is not None and self.ecdsa is not None

    def power_product(self, *, Z: mpz | int = 0, S: mpz | int = 0, R: Mapping[int, mpz] | None = None) -> mpz:
        """Return Z^z · S^s · ∏ R_i^{r_i} mod N, for exponents of either sign.

        Args:
            Z, S: the exponents z and s.
            R: exponent per index of base.

        Note:
            Tables of powers make this fast once the key has been used; see `idemix.arith.fixed_base`.

        Raises:
            MalformedKeyError: see `check_elements`.
        """
        self.check_elements()
        # A negative exponent on Z alone, as in every verification, needs no division at the end.
        terms = [(self.Z, mpz(Z)) if Z >= 0 else (self._Z_inverse, mpz(-Z)), (self.S, mpz(S))]
        terms += [(self.R[index], exponent) for index, exponent in (R or {}).items()]
        return self._products.product(terms)

    def revocation_product(self, *, G: mpz | int = 0, H: mpz | int = 0) -> mpz:
        """Return G^g · H^h mod N, for exponents of either sign; tables as for `power_product`.

        Raises:
            MalformedKeyError: the key has no such base, or see `check_elements`.
        """
        self.check_elements()
        if self.G is None or self.H is None:
            raise MalformedKeyError("Elements", "the key has no G and H, and so does not support revocation")
        return self._revocation_products.product([(self.G, mpz(G)), (self.H, mpz(H))])

    def fingerprint(self) -> str:
        """Return the lower-case hexadecimal SHA-256 of the key's canonical XML."""
        return hashlib.sha256(self.to_xml()).hexdigest()

    @classmethod
    def from_xml(cls, data: bytes) -> Self:
        """Read a key file.

        Raises:
            MalformedKeyError: it is not one, a part is absent or out of range, or the modulus has an unknown length.
        """
        root = parse_key_xml(data, _ROOT)
        elements = root.child("Elements")
        return cls(
            counter=root.child("Counter").unsigned(),
            expires_at=root.child("ExpiryDate").signed(),
            N=elements.child("n").integer(),
            Z=elements.child("Z").integer(),
            S=elements.child("S").integer(),
            R=_read_bases(elements.child("Bases")),
            G=_optional_integer(elements, "G"),
            H=_optional_integer(elements, "H"),
            epoch_length=_read_epoch_length(root),
            ecdsa=_read_ecdsa(root),
        )

    def to_xml(self) -> bytes:
        """Return the key file, byte for byte as the reference writes it."""
        writer = KeyWriter(_ROOT)
        writer.element("Counter", self.counter)
        writer.element("ExpiryDate", self.expires_at)
        writer.open("Elements")
        for name, element in (("n", self.N), ("Z", self.Z), ("S", self.S), ("G", self.G), ("H", self.H)):
            if element is not None:
                writer.element(name, element)
        writer.open("Bases", f' num="{len(self.R)}"')
        for index, base in enumerate(self.R):
            writer.element(f"Base_{index}", base)
        writer.close()
        writer.close()
        writer.open("Features")
        writer.element("Epoch", "", f' length="{self.epoch_length}"')
        writer.close()
        if self.ecdsa is not None:
            writer.element("ECDSA", base64.b64encode(self.ecdsa).decode("ascii"))
        return writer.document()


def _optional_integer(elements: KeyElement, name: str) -> mpz | None:
    element = elements.find(name)
    return element.integer() if element else None


def _read_bases(bases: KeyElement) -> tuple[mpz, ...]:
    """Read the bases in document order; the digits in their names are not looked at, as in the reference."""
    children = bases.children()
    declared = bases.attributes.get("num", "")
    if declared != str(len(children)):
        raise MalformedKeyError("Elements/Bases", f"num is {declared!r}, the number of bases {len(children)}", departure="key-structure")
    return tuple(child.integer() for child in children)


def _read_epoch_length(root: KeyElement) -> int:
    features = root.find("Features")
    epoch = features.find("Epoch") if features else None
    text = epoch.attributes.get("length", "") if epoch else ""
    if not text:
        return DEFAULT_EPOCH_LENGTH
    length = parse_signed(text)
    if length is None:
        raise MalformedKeyError("Features/Epoch", "length is a number of seconds")
    if length < 0:
        raise MalformedKeyError("Features/Epoch", "length is not negative", departure="key-structure")
    return length


def _read_ecdsa(root: KeyElement) -> bytes | None:
    element = root.find("ECDSA")
    if element is None or not element.text:
        return None
    der = element.base64()
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as cause:
        raise MalformedKeyError("ECDSA", "not a public key (DER SubjectPublicKeyInfo)") from cause
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise MalformedKeyError("ECDSA", "not a key on the curve P-256", departure="key-structure")
    return der

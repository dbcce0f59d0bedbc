"""System parameters: the bit lengths that belong to each length of modulus.

Source: gabi `gabikeys/sysparams.go`; Identity Mixer specification 2.3.40, section 4.2.
"""

from dataclasses import dataclass
from typing import Final

from .errors import MalformedKeyError


@dataclass(frozen=True, slots=True)
class SystemParameters:
    """Lengths in bits, named as in the papers.

    The first four are chosen per modulus length; the others follow from them.

    Attributes:
        l_n: the modulus N.
        l_m: an attribute; a longer one is hashed before it becomes an exponent.
        l_statzk: the statistical hiding of every response.
        l_e_prime: the interval from which the prime e is taken.
        l_h: the challenge hash.
    """

    l_n: int
    l_m: int
    l_statzk: int
    l_e_prime: int = 120
    l_h: int = 256

    @property
    def l_e(self) -> int:
        """The prime e of a signature."""
        return self.l_statzk + self.l_h + self.l_m + 5

    @property
    def l_e_commit(self) -> int:
        """The randomizer of e."""
        return self.l_e_prime + self.l_statzk + self.l_h

    @property
    def l_m_commit(self) -> int:
        """The randomizer of an attribute."""
        return self.l_m + self.l_statzk + self.l_h

    @property
    def l_ra(self) -> int:
        """The exponent that randomizes a signature."""
        return self.l_n + self.l_statzk

    @property
    def l_s_commit(self) -> int:
        """The randomizer of the secret key in a commitment on its own."""
        return self.l_m + self.l_statzk + self.l_h + 1

    @property
    def l_v(self) -> int:
        """The exponent v of a signature."""
        return self.l_n + 2 * self.l_statzk + self.l_h + self.l_m + 4

    @property
    def l_v_commit(self) -> int:
        """The randomizer of v."""
        return self.l_v + self.l_statzk + self.l_h

    @property
    def l_v_prime(self) -> int:
        """The holder's part v' of v."""
        return self.l_n + self.l_statzk

    @property
    def l_v_prime_commit(self) -> int:
        """The randomizer of v'."""
        return self.l_n + 2 * self.l_statzk + self.l_h

    @property
    def l_r_nonrev_commit(self) -> int:
        """The randomizers, in a non-revocation proof, of its blindings ε and ζ, which lie below N/4."""
        return self.l_n - 2 + _REVOCATION_HIDING_BITS

    @property
    def l_er_nonrev_commit(self) -> int:
        """The randomizers, in a non-revocation proof, of the products β and δ of the revocation attribute and a blinding."""
        return self.l_r_nonrev_commit + REVOCATION_PRIME_BITS


#: A revocation attribute is a prime between 2^3 and 2^3 + 2^195, whatever the length of the key (gabi `revocation/proof.go`, Parameters).
REVOCATION_PRIME_BITS: Final = 195

#: What hides a response of a non-revocation proof: the challenge's 256 bits and 128 for statistical hiding.
_REVOCATION_HIDING_BITS: Final = 256 + 128

#: The randomizer of a revocation attribute.
REVOCATION_RANDOMIZER_BITS: Final = REVOCATION_PRIME_BITS + _REVOCATION_HIDING_BITS

_PARAMETERS: Final = {
    parameters.l_n: parameters
    for parameters in (
        SystemParameters(l_n=1024, l_m=256, l_statzk=80),
        SystemParameters(l_n=2048, l_m=256, l_statzk=128),
        SystemParameters(l_n=4096, l_m=512, l_statzk=128),
    )
}

#: The lengths of modulus that are in use.
MODULUS_LENGTHS: Final = tuple(_PARAMETERS)

#: The secret key is a bit shorter than an attribute of the smallest parameters: with a keyshare server's part added it still fits.
SECRET_KEY_BITS: Final = _PARAMETERS[1024].l_m - 1

#: One randomizer hides the secret key in every proof of a session, whatever the lengths of the keys; it is that of the smallest parameters.
SECRET_RANDOMIZER_BITS: Final = _PARAMETERS[1024].l_m_commit

#: Nonces of sessions and issuance.
NONCE_BITS: Final = _PARAMETERS[2048].l_statzk


def params_for(modulus_bits: int) -> SystemParameters:
    """Return the parameters for a modulus of exactly `modulus_bits` bits.

    Raises:
        MalformedKeyError: no parameters are defined for that length.
    """
    try:
        return _PARAMETERS[modulus_bits]
    except KeyError:
        raise MalformedKeyError("n", f"a modulus has {', '.join(map(str, MODULUS_LENGTHS))} bits, this one {modulus_bits}") from None

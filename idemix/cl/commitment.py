"""Commitments to the holder's part of a credential."""

from collections.abc import Mapping

from gmpy2 import mpz

from ..keys.public import PublicKey


def commit(public_key: PublicKey, secret_key: mpz, v_prime: mpz, shares: Mapping[int, mpz]) -> mpz:
    """Return U = S^{v'} · R_0^{secret key} · ∏ R_i^{m'_i} mod N.

    Args:
        public_key: the issuer's key.
        secret_key: the holder's secret key (or the holder's part of it).
        v_prime: the blinding, l_v' random bits.
        shares: the holder's shares m'_i of random blind attributes, by index of base.

    Source: Camenisch and Lysyanskaya, SCN 2002, section 4.1; gabi `builder.go` (userCommitment).
    """
    return public_key.power_product(S=v_prime, R={0: secret_key, **shares})

"""Keys are what they were once they are written and read."""

import gmpy2
from gmpy2 import mpz
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from tests.support.keys import key_pair

PAIR = key_pair("issuer-1024")
elements = st.integers(2, PAIR.public.N - 1).map(mpz)
counters = st.integers(0, 1 << 31)
moments = st.integers(-(1 << 63), (1 << 63) - 1)
#: Odd numbers of 512 bits with the two highest set, so that a product of two has 1024.
factors = st.integers(3 << 509, (1 << 511) - 1).map(lambda half: mpz(2 * half + 1))


@settings(max_examples=50)
@given(
    st.builds(
        PublicKey,
        counter=counters,
        expires_at=moments,
        N=st.just(PAIR.public.N),
        Z=elements,
        S=elements,
        R=st.lists(elements, min_size=1, max_size=8).map(tuple),
        G=st.none() | elements,
        H=st.none() | elements,
        epoch_length=st.integers(1, 1 << 31),
        ecdsa=st.none() | st.just(PAIR.public.ecdsa),
    )
)
def test_public_keys(key: PublicKey) -> None:
    assert PublicKey.from_xml(key.to_xml()) == key


@settings(max_examples=50)
@given(counters, moments, factors, factors, st.none() | st.just(PAIR.private.ecdsa))
def test_private_keys(counter: int, expires_at: int, p: mpz, q: mpz, ecdsa: bytes | None) -> None:
    assume(gmpy2.gcd(p, q) == 1)
    key = PrivateKey(counter, expires_at, p, q, ecdsa)
    assert PrivateKey.from_xml(key.to_xml(), demo=True) == key

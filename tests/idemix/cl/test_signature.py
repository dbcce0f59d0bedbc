"""CL signatures."""

from dataclasses import replace

import gmpy2
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.challenge import hash_integer
from idemix.cl.commitment import commit
from idemix.cl.signature import CLSignature, attribute_exponent, represent_to_bases, sign, sign_commitment
from idemix.errors import InvalidSignatureError, MalformedProofError
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

PAIR = key_pair("issuer-1024")
KEY = PAIR.public
ATTRIBUTES = [mpz(value) for value in (11, 22, 0, 44)]
SIGNATURE = sign(PAIR.private, KEY, ATTRIBUTES, SeededRandom())
attributes = st.lists(st.integers(0, 1 << 600).map(mpz), min_size=1, max_size=8)


@settings(deadline=None, max_examples=25)
@given(attributes, st.integers(0, 1 << 32))
def test_what_is_signed_verifies_and_stays_so_randomized(values: list[mpz], seed: int) -> None:
    random = SeededRandom(seed)
    signature = sign(PAIR.private, KEY, values, random)
    signature.verify(KEY, values)
    randomized = signature.randomize(KEY, random)
    randomized.verify(KEY, values)
    assert randomized.A != signature.A
    assert CLSignature.from_json(signature.to_json()) == signature


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 3), st.integers(1, 1 << 300))
def test_another_attribute_does_not_verify(index: int, difference: int) -> None:
    values = list(ATTRIBUTES)
    values[index] += difference
    with pytest.raises(InvalidSignatureError):
        SIGNATURE.verify(KEY, values)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(replace(SIGNATURE, A=SIGNATURE.A + 1), id="A + 1"),
        pytest.param(replace(SIGNATURE, A=mpz(0)), id="A = 0"),
        pytest.param(replace(SIGNATURE, e=SIGNATURE.e + 2), id="e + 2"),
        pytest.param(replace(SIGNATURE, e=mpz(65537)), id="e too small"),
        pytest.param(replace(SIGNATURE, e=-SIGNATURE.e), id="e negative"),
        pytest.param(replace(SIGNATURE, v=SIGNATURE.v + 1), id="v + 1"),
        pytest.param(replace(SIGNATURE, v=-SIGNATURE.v), id="v negative"),
        pytest.param(replace(SIGNATURE, keyshare_p=KEY.R[0]), id="a keyshare part too much"),
    ],
)
def test_another_signature_does_not_verify(signature: CLSignature) -> None:
    with pytest.raises(InvalidSignatureError):
        signature.verify(KEY, ATTRIBUTES)


def with_e(e: mpz) -> CLSignature:
    """A signature whose equation holds, with e chosen."""
    v = mpz(1) << (KEY.params.l_v - 1)
    Q = KEY.power_product(Z=1, S=-v, R={index: -value for index, value in enumerate(ATTRIBUTES)})
    return CLSignature(PAIR.private.power(Q, gmpy2.invert(e, PAIR.private.order)), e, v)


def test_e_is_a_prime_in_its_range() -> None:
    start = mpz(1) << (KEY.params.l_e - 1)
    end = start + (mpz(1) << (KEY.params.l_e_prime - 1))
    with_e(gmpy2.next_prime(start)).verify(KEY, ATTRIBUTES)
    for e in (gmpy2.next_prime(mpz(1) << (KEY.params.l_e - 2)), gmpy2.next_prime(end), start + 1):
        with pytest.raises(InvalidSignatureError, match="e is not"):
            with_e(e).verify(KEY, ATTRIBUTES)


def test_more_attributes_than_bases() -> None:
    too_many = [mpz(0)] * (len(KEY.R) + 1)
    with pytest.raises(InvalidSignatureError):
        SIGNATURE.verify(KEY, too_many)
    with pytest.raises(MalformedProofError):
        sign(PAIR.private, KEY, too_many)


def test_keyshare_part_belongs_to_the_signature() -> None:
    server_part = mpz(99)
    P = KEY.power_product(R={0: server_part})
    signature, _ = sign_commitment(PAIR.private, KEY, ATTRIBUTES, P, SeededRandom(3))
    replace(signature, keyshare_p=P).verify(KEY, ATTRIBUTES)
    with pytest.raises(InvalidSignatureError):
        signature.verify(KEY, ATTRIBUTES)


def test_commitment_is_signed_along() -> None:
    U = commit(KEY, mpz(5), mpz(77), {2: mpz(3)})
    signature, Q = sign_commitment(PAIR.private, KEY, [mpz(0), mpz(1)], U, SeededRandom(4))
    replace(signature, v=signature.v + 77).verify(KEY, [mpz(5), mpz(1), mpz(3)])
    assert pow(signature.A, signature.e, KEY.N) == Q


@pytest.mark.parametrize("U", [mpz(0), PAIR.private.p])
def test_a_commitment_without_inverse_is_not_signed(U: mpz) -> None:
    with pytest.raises(MalformedProofError):
        sign_commitment(PAIR.private, KEY, ATTRIBUTES, U, SeededRandom(5))


@pytest.mark.parametrize("seed", range(6))
def test_a_commitment_that_is_no_square_has_its_root_too(seed: int) -> None:
    # Whether it had one would depend on the secret order.
    signature, Q = sign_commitment(PAIR.private, KEY, ATTRIBUTES, KEY.N - 1, SeededRandom(seed))
    assert pow(signature.A, signature.e, KEY.N) == Q


def test_long_attributes_are_hashed() -> None:
    longest = (mpz(1) << KEY.params.l_m) - 1
    assert attribute_exponent(longest, KEY.params) == longest
    assert attribute_exponent(longest + 1, KEY.params) == hash_integer(longest + 1)
    assert represent_to_bases(KEY, {1: longest + 1}) == pow(KEY.R[1], hash_integer(longest + 1), KEY.N)


@pytest.mark.parametrize("change", [{"A": None}, {"e": "!"}, {"v": True}, {"KeyshareP": 1.5}, {"a": "AQ=="}])
def test_other_json_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(MalformedProofError):
        CLSignature.from_json({**SIGNATURE.to_json(), **change})


class ExtremeRandom:
    """Gives the smallest or the largest numbers."""

    def __init__(self, largest: bool) -> None:
        self._largest = largest

    def bits(self, length: int) -> mpz:
        return (mpz(1) << length) - 1 if self._largest else mpz(0)

    def below(self, bound: int | mpz) -> mpz:
        return mpz(bound) - 1 if self._largest else mpz(0)


@pytest.mark.parametrize("largest", [False, True])
def test_the_blinding_has_its_length_whatever_the_randomness(largest: bool) -> None:
    signature, _ = sign_commitment(PAIR.private, KEY, ATTRIBUTES, mpz(1), ExtremeRandom(largest), prime=SIGNATURE.e)
    end = mpz(1) << KEY.params.l_v
    assert signature.v == (end - 1 if largest else end >> 1)

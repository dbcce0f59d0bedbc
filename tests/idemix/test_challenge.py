"""The Fiat-Shamir hash."""

from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from idemix.challenge import commitment_der, create_challenge, der_integer, hash_commit, hash_number, signature_nonce


def test_the_documented_values() -> None:
    assert commitment_der([1, 2, 300]).hex() == "300d0201030201010201020202012c"
    assert commitment_der([1, 2, 300], is_signature=True).hex() == "30100101ff0201030201010201020202012c"
    assert f"{hash_commit([1, 2, 300]):x}" == "cda665ae055600154defaa2490edf0a16974e465d20fe94ffd08a380559fa98e"
    assert signature_nonce(5, "hello") == 65608452603000914400779436438248276036062853322351181226972181423398096403579


@given(st.integers(min_value=-(1 << 2100), max_value=1 << 2100))
def test_integers_are_der(value: int) -> None:
    der = der_integer(mpz(value))
    start = len(der) - int.from_bytes(der[2 : 2 + (der[1] & 0x7F)], "big") if der[1] & 0x80 else 2
    content = der[start:]
    assert int.from_bytes(content, "big", signed=True) == value
    assert len(content) == 1 or content[0] not in (0, 0xFF) or (content[0] ^ content[1]) & 0x80


def test_every_part_changes_the_challenge() -> None:
    reference = create_challenge(1, 2, [mpz(3), mpz(4)], False)
    others = [
        create_challenge(2, 2, [mpz(3), mpz(4)], False),
        create_challenge(1, 3, [mpz(3), mpz(4)], False),
        create_challenge(1, 2, [mpz(4), mpz(3)], False),
        create_challenge(1, 2, [mpz(3)], False),
        create_challenge(1, 2, [mpz(3), mpz(4)], True),
    ]
    assert len({reference, *others}) == len(others) + 1


def test_time_stamp_is_part_of_the_nonce() -> None:
    assert len({signature_nonce(1, "m"), signature_nonce(1, "m", b""), signature_nonce(1, "m", b"\1")}) == 3


def test_long_hashes_have_their_length() -> None:
    assert hash_number([5], 0, 256) == hash_commit([5, 0, 0])
    assert hash_number([], 0, 1024).bit_length() > 768

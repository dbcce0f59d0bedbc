"""Private keys and their XML."""

import re

import pytest
from gmpy2 import mpz

from idemix.arith.modular import powmod_secret_pair
from idemix.errors import ComputationError, MalformedKeyError
from idemix.keys import private
from idemix.keys.private import PrivateKey
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

KEY = key_pair("issuer-1024").private
XML = KEY.to_xml().decode()


def test_what_is_written_is_read() -> None:
    read = PrivateKey.from_xml(XML.encode())
    assert read == KEY
    assert read.to_xml() == XML.encode()


def test_parts_belong_together() -> None:
    assert key_pair("issuer-1024").public.N == KEY.N
    assert KEY.order == (KEY.p - 1) // 2 * ((KEY.q - 1) // 2)


def test_repr_shows_no_secret() -> None:
    assert str(KEY.p) not in repr(KEY)
    assert str(KEY.q) not in repr(KEY)


def test_power_is_that_modulo_n() -> None:
    random = SeededRandom()
    for _ in range(5):
        base, exponent = random.below(KEY.N), random.below(KEY.order)
        assert KEY.power(base, exponent) == pow(base, exponent, KEY.N)
    # Also where the base is no square, and its order is not that of the squares.
    assert KEY.power(KEY.N - 1, KEY.order) == pow(KEY.N - 1, KEY.order, KEY.N)


def test_root_is_that_modulo_n() -> None:
    random = SeededRandom()
    for value in (random.below(KEY.N), random.below(KEY.N), KEY.N - 1):
        assert pow(KEY.root(value, mpz(65537)), 65537, KEY.N) == value


@pytest.mark.parametrize("half", [0, 1])
def test_a_root_that_goes_wrong_in_one_half_is_noticed(half: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*halves: mpz) -> tuple[mpz, mpz]:
        roots = powmod_secret_pair(*halves)
        return roots[0] ^ (half == 0), roots[1] ^ (half == 1)

    monkeypatch.setattr(private, "powmod_secret_pair", faulty)
    with pytest.raises(ComputationError, match="halves disagree"):
        KEY.root(mpz(4), mpz(65537))


def test_a_root_that_is_combined_wrongly_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PrivateKey, "_combine", lambda self, value_p, value_q: value_q)
    with pytest.raises(ComputationError, match="halves disagree"):
        KEY.root(mpz(4), mpz(65537))


def changed(pattern: str, replacement: str) -> str:
    result = re.sub(pattern, replacement, XML, count=1, flags=re.DOTALL)
    assert result != XML
    return result


CHANGES = {
    "p' not half of p": (changed("<p>[0-9]+", f"<p>{KEY.p + 2}"), "Elements/pPrime"),
    "q' not half of q": (changed("<qPrime>[0-9]+", f"<qPrime>{(KEY.q >> 1) + 1}"), "Elements/qPrime"),
    "no p": (changed("<p>.*?</p>", ""), "Elements/p"),
    "q even": (changed("<q>[0-9]+", f"<q>{KEY.q + 1}"), "Elements/q"),
    "p is q": (changed("<q>[0-9]+", f"<q>{KEY.p}"), "Elements/q"),
    "another length": (changed("<q>[0-9]+", "<q>23"), "n"),
    "q negative": (changed("<q>", "<q>-"), "Elements/q"),
    "ECDSA no key": (changed("<ECDSA>.*</ECDSA>", "<ECDSA>AAAA</ECDSA>"), "ECDSA"),
    "a public key": (key_pair("issuer-1024").public.to_xml().decode(), ""),
}


@pytest.mark.parametrize("demo", [False, True])
@pytest.mark.parametrize("label", CHANGES)
def test_other_files_are_refused(label: str, demo: bool) -> None:
    xml, where = CHANGES[label]
    with pytest.raises(MalformedKeyError) as refusal:
        PrivateKey.from_xml(xml.encode(), demo=demo)
    assert refusal.value.where == where


def test_primes_are_checked_but_for_demo_keys() -> None:
    p = KEY.p + 4
    xml = XML.replace(f"<p>{KEY.p}<", f"<p>{p}<").replace(f"<pPrime>{KEY.p >> 1}<", f"<pPrime>{p >> 1}<")
    with pytest.raises(MalformedKeyError, match="not a safe prime"):
        PrivateKey.from_xml(xml.encode())
    assert PrivateKey.from_xml(xml.encode(), demo=True).p == mpz(p)

"""Making key pairs."""

import multiprocessing
from dataclasses import replace

import gmpy2
import pytest

from idemix.errors import CancelledError, MalformedKeyError
from idemix.keys.generate import KeyPair, add_revocation, generate_key_pair
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.revocation import Update
from tests.support.randomness import SeededRandom


def check(pair: KeyPair, bits: int, bases: int) -> None:
    public, private = pair.public, pair.private
    private.check_primes()
    assert public.N == private.N == private.p * private.q
    assert public.N.bit_length() == bits
    assert public.N % 8 == 5
    assert {private.p % 8, private.q % 8} == {3, 7}
    assert 1 not in {(private.p >> 1) % 8, (private.q >> 1) % 8}
    assert len(public.R) == bases
    for element in (public.Z, public.S, public.G, public.H, *public.R):
        assert element is not None
        assert gmpy2.jacobi(element, private.p) == gmpy2.jacobi(element, private.q) == 1
    assert public.supports_revocation
    assert PublicKey.from_xml(public.to_xml()) == public
    assert PrivateKey.from_xml(private.to_xml()) == private


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_key_pair(seed: int) -> None:
    progress: list[float] = []
    pair = generate_key_pair(1024, counter=7, expires_at=5, bases=6, random=SeededRandom(seed), progress=progress.append)
    check(pair, 1024, 6)
    assert (pair.public.counter, pair.private.counter, pair.public.expires_at, pair.private.expires_at) == (7, 7, 5, 5)
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    again = generate_key_pair(1024, counter=7, expires_at=5, bases=6, random=SeededRandom(seed))
    assert again.public == pair.public


def test_in_processes() -> None:
    check(generate_key_pair(2048, counter=0, expires_at=0, bases=2, processes=2), 2048, 2)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("processes", [1, 2])
def test_can_be_cancelled(processes: int) -> None:
    with pytest.raises(CancelledError):
        generate_key_pair(4096, counter=0, expires_at=0, bases=2, processes=processes, is_cancelled=lambda: True)
    assert multiprocessing.active_children() == []


def test_other_lengths_are_refused() -> None:
    with pytest.raises(MalformedKeyError):
        generate_key_pair(512, counter=0, expires_at=0, bases=2)
    with pytest.raises(ValueError, match="base"):
        generate_key_pair(1024, counter=0, expires_at=0, bases=1)


def test_revocation_is_added_to_an_older_key() -> None:
    pair = generate_key_pair(1024, counter=0, expires_at=0, bases=3, random=SeededRandom(4))
    old = KeyPair(replace(pair.public, G=None, H=None, ecdsa=None), replace(pair.private, ecdsa=None))
    assert not old.public.supports_revocation
    new = add_revocation(old)
    check(new, 1024, 3)
    assert replace(new.public, G=None, H=None, ecdsa=None) == old.public
    update = Update.initial(new.private, now=0)
    assert update.verify(new.public).index == 0


def test_revocation_is_added_once_and_to_keys_that_belong_together() -> None:
    pair = generate_key_pair(1024, counter=0, expires_at=0, bases=3, random=SeededRandom(4))
    old = KeyPair(replace(pair.public, G=None, H=None, ecdsa=None), replace(pair.private, ecdsa=None))
    others = [pair, KeyPair(old.public, pair.private), KeyPair(old.public, replace(old.private, counter=1))]
    for other in (*others, KeyPair(replace(old.public, H=pair.public.H), old.private)):
        with pytest.raises(MalformedKeyError):
            add_revocation(other)

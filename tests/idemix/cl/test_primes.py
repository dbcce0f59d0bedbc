"""The primes of signatures and their pool."""

import os
import threading
import time
from collections.abc import Iterator

import gmpy2
import pytest
from gmpy2 import mpz

from idemix.cl import primes
from idemix.cl.primes import PrimePool, find_prime
from idemix.params import SystemParameters, params_for
from tests.support.randomness import SeededRandom

PARAMS = params_for(1024)
SIZE = 4


@pytest.fixture
def pool() -> Iterator[PrimePool]:
    pool = PrimePool(SIZE)
    yield pool
    pool.stop()


def wait_until_full(pool: PrimePool, params: SystemParameters = PARAMS) -> None:
    deadline = time.monotonic() + 60
    while pool.held(params) < SIZE:
        assert time.monotonic() < deadline, "the pool does not fill"
        time.sleep(0.01)


@pytest.mark.parametrize("bits", [1024, 2048, 4096])
def test_a_prime_is_in_its_range(bits: int) -> None:
    params = params_for(bits)
    prime = find_prime(params, SeededRandom(bits))
    start = mpz(1) << params.l_e - 1
    assert start <= prime <= start + (mpz(1) << params.l_e_prime - 1)
    assert gmpy2.is_prime(prime, 40)


def test_a_pool_that_was_not_started_finds_primes_with_the_randomness_given(pool: PrimePool) -> None:
    assert pool.take(PARAMS, SeededRandom(1)) == find_prime(PARAMS, SeededRandom(1))
    assert pool.held(PARAMS) == 0
    assert not any(thread.name == "prime-pool" for thread in threading.enumerate())


def test_a_pool_fills_up_to_its_size_and_hands_no_prime_out_twice(pool: PrimePool) -> None:
    pool.start()
    taken = [pool.take(PARAMS)]
    wait_until_full(pool)
    time.sleep(5 * primes._IDLE_SECONDS)
    assert pool.held(PARAMS) == SIZE
    taken += [pool.take(PARAMS) for _ in range(SIZE)]
    wait_until_full(pool)
    taken += [pool.take(PARAMS) for _ in range(SIZE)]
    assert len(set(taken)) == len(taken) == 2 * SIZE + 1
    assert all(gmpy2.is_prime(prime) for prime in taken)


def test_a_full_pool_rests(pool: PrimePool) -> None:
    pool.start()
    pool.take(PARAMS)
    wait_until_full(pool)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1


def test_a_pool_waits_while_primes_are_asked_for(pool: PrimePool, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    def find(_params: SystemParameters, _random: object = None) -> mpz:
        found.append(threading.current_thread().name)
        return mpz(len(found))

    monkeypatch.setattr(primes, "_IDLE_SECONDS", 2.0)
    monkeypatch.setattr(primes, "find_prime", find)
    pool.start()
    for _ in range(6):
        pool.take(PARAMS)
        time.sleep(0.05)
    assert found == ["MainThread"] * 6
    wait_until_full(pool)
    assert found[6:] == ["prime-pool"] * SIZE


def test_each_length_of_key_has_its_own(pool: PrimePool) -> None:
    other = params_for(2048)
    pool.start()
    pool.take(PARAMS)
    pool.take(other)
    wait_until_full(pool)
    wait_until_full(pool, other)
    assert pool.take(PARAMS).bit_length() == PARAMS.l_e
    assert pool.take(other).bit_length() == other.l_e


def test_many_threads_get_different_primes(pool: PrimePool) -> None:
    pool.start()
    taken: list[mpz] = []
    threads = [threading.Thread(target=lambda: taken.extend(pool.take(PARAMS) for _ in range(3))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 18


def test_a_stopped_pool_holds_nothing_and_can_start_again(pool: PrimePool) -> None:
    pool.start()
    pool.take(PARAMS)
    wait_until_full(pool)
    pool.stop()
    assert pool.held(PARAMS) == 0
    assert not any(thread.name == "prime-pool" for thread in threading.enumerate())
    pool.start()
    pool.take(PARAMS)
    wait_until_full(pool)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_a_pool_of_its_own(pool: PrimePool) -> None:
    pool.start()
    pool.take(PARAMS)
    wait_until_full(pool)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        inherited = pool.held(PARAMS)
        pool.take(PARAMS)
        wait_until_full(pool)
        os.write(writing, f"{inherited} {pool.held(PARAMS)}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == f"0 {SIZE}"
    assert os.waitpid(child, 0)[1] == 0
    assert pool.held(PARAMS) == SIZE


class ExtremeRandom:
    """Gives the largest number for the place of the window, and an order for what is in it."""

    def bits(self, length: int) -> mpz:
        return mpz(0)

    def below(self, bound: int | mpz) -> mpz:
        return mpz(bound) - 1


def test_primes_reach_up_to_the_end_of_their_range() -> None:
    end = (mpz(1) << PARAMS.l_e - 1) + (mpz(1) << PARAMS.l_e_prime - 1)
    assert end - 4096 < find_prime(PARAMS, ExtremeRandom()) <= end


def test_a_started_pool_has_a_thread_that_keeps_no_process_alive(pool: PrimePool) -> None:
    pool.start()
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "prime-pool")
    assert thread.daemon

"""Products of powers by tables."""

import os
import sys
import threading
from collections.abc import Callable
from ctypes import sizeof
from math import prod
from typing import Any

import pytest
from gmpy2 import mpz
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idemix.arith import kernel
from idemix.arith.combs import GmpModulus
from idemix.arith.fixed_base import TABLES, Arithmetic, CombShape, PowerProducts, TableCache, arithmetic_for
from idemix.keys.public import PublicKey
from tests.support.kernel import needs_kernel
from tests.support.randomness import SeededRandom

MODULUS = (mpz(1) << 1279) - 1
BASES = (mpz(3), mpz(5), mpz(7))
SHAPES = (CombShape(50, teeth=5), CombShape(200, teeth=9, blocks=3))
exponents = st.integers(-(1 << 260), 1 << 260)

Make = Callable[[mpz], Arithmetic]


def native(modulus: mpz) -> Arithmetic:
    found = kernel.for_modulus(modulus)
    assert found is not None
    return found


@pytest.fixture(params=[GmpModulus, pytest.param(native, marks=needs_kernel)])
def arithmetic(request: pytest.FixtureRequest) -> Make:
    """Each way of computing with tables."""
    made: Make = request.param
    return made


def make(cache: TableCache, arithmetic: Make = arithmetic_for) -> PowerProducts:
    return PowerProducts(MODULUS, dict.fromkeys(BASES, SHAPES), cache, arithmetic(MODULUS))


def plain(terms: list[tuple[mpz, mpz]]) -> int:
    return prod(pow(int(base), int(exponent), int(MODULUS)) for base, exponent in terms) % int(MODULUS)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.tuples(exponents, exponents, exponents))
def test_equals_the_plain_product_before_and_with_tables(arithmetic: Make, values: tuple[int, int, int]) -> None:
    terms = list(zip(BASES, map(mpz, values), strict=True))
    products = make(TableCache(), arithmetic)
    assert [products.product(terms) for _ in range(3)] == [plain(terms)] * 3


def test_tables_are_built_at_the_second_use_and_as_far_as_needed() -> None:
    cache = TableCache()
    products = make(cache)
    products.product([(BASES[0], mpz(1) << 60)])
    assert cache.size_bytes == 0
    products.product([(BASES[0], mpz(1) << 60)])
    first = cache.size_bytes
    products.product([(BASES[0], mpz(1) << 80)])
    assert 0 < first < cache.size_bytes


def test_a_table_of_one_column_and_a_short_last_block(arithmetic: Make) -> None:
    products = PowerProducts(
        MODULUS, {mpz(3): (CombShape(8, teeth=8), CombShape(21, teeth=4, blocks=3))}, TableCache(), arithmetic(MODULUS)
    )
    products.build()
    for exponent in (1, 255, 256, (1 << 21) - 1, 1 << 20):
        assert [products.product([(mpz(3), mpz(exponent))]) for _ in range(3)] == [pow(3, exponent, int(MODULUS))] * 3


def test_the_bound_holds_and_the_least_recently_used_go_first(arithmetic: Make) -> None:
    one_table = arithmetic(MODULUS).table_bytes(8)
    cache = TableCache(2 * one_table)
    moduli = [MODULUS - 2 * i for i in range(50)]
    products = [PowerProducts(modulus, {mpz(3): (CombShape(60, teeth=8),)}, cache, arithmetic(modulus)) for modulus in moduli]
    for product in products:
        product.build()
        assert cache.size_bytes <= 2 * one_table
    before = cache.size_bytes
    products[-1].product([(mpz(3), mpz(12345))])
    products[-2].product([(mpz(3), mpz(12345))])
    assert cache.size_bytes == before == 2 * one_table
    for modulus, product in zip(moduli, products, strict=True):
        assert product.product([(mpz(3), mpz(12345))]) == pow(3, 12345, int(modulus))
    cache.set_max_bytes(one_table)
    assert cache.size_bytes == one_table
    cache.clear()
    assert cache.size_bytes == 0


def size_of(table: Any) -> int:
    """The memory of a table's entries."""
    return sizeof(table._memory) if isinstance(table, kernel.Table) else sum(map(sys.getsizeof, table.entries))


def test_fifty_keys_share_the_bound() -> None:
    """Keys that are used in turn: their tables never take more than the bound, and the memory is what is counted."""
    random = SeededRandom("fifty keys")
    moduli = [random.bits(1024).bit_set(1023).bit_set(0) for _ in range(50)]
    keys = [PublicKey(counter=0, expires_at=0, N=N, Z=mpz(4), S=mpz(16), R=tuple(mpz(2) ** (2 * i + 6) for i in range(4))) for N in moduli]
    exponents = {index: random.bits(590) for index in range(4)}
    bound = 16 << 20
    previous = TABLES.max_bytes
    TABLES.clear()
    TABLES.set_max_bytes(bound)
    try:
        seen = set()
        for key in keys * 2:
            results = {key.power_product(Z=-5, S=exponents[0], R=exponents) for _ in range(3)}
            assert len(results) == 1
            assert TABLES.size_bytes <= bound
            held = {modulus for modulus in moduli if modulus in TABLES}
            assert key.N in held
            seen |= held
            combs = [comb for modulus in held for comb in TABLES._entries[modulus].combs.values()]
            assert sum(size_of(table) for comb in combs for table in comb.tables) <= TABLES.size_bytes
        assert seen == set(moduli)
        assert 1 < len(held) < 50
        assert keys[-1].N in held
        assert keys[0].N not in held
    finally:
        TABLES.set_max_bytes(previous)
        TABLES.clear()


def test_without_room_the_result_is_right() -> None:
    products = make(TableCache(0))
    terms = [(base, mpz(1 << 150)) for base in BASES]
    assert [products.product(terms) for _ in range(3)] == [plain(terms)] * 3


def test_many_threads_get_the_same(arithmetic: Make) -> None:
    products, random = make(TableCache(), arithmetic), SeededRandom()
    terms = [(base, random.bits(200)) for base in BASES]
    results: list[mpz] = []
    threads = [threading.Thread(target=lambda: results.extend(products.product(terms) for _ in range(5))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [plain(terms)] * 40


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_forked_while_tables_are_built_builds_its_own() -> None:
    products, terms = make(TABLES), [(base, mpz(1) << 150) for base in BASES]
    products.build()
    # As where another thread is at it.
    TABLES._lock.acquire()
    try:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            inherited = TABLES.size_bytes
            right = [products.product(terms) for _ in range(3)] == [plain(terms)] * 3
            os.write(writing, f"{inherited} {right} {TABLES.size_bytes > 0}".encode())
            os._exit(0)
    finally:
        TABLES._lock.release()
        TABLES.clear()
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == "0 True True"
    assert os.waitpid(child, 0)[1] == 0


def test_a_base_without_inverse_has_no_negative_power() -> None:
    products = PowerProducts(mpz(15), {mpz(3): (CombShape(64, teeth=8),)}, TableCache())
    with pytest.raises(ZeroDivisionError):
        products.product([(mpz(3), mpz(-1))])

"""Making a key pair.

The search for safe primes can use several processes: it is the one computation here that takes seconds.
"""

import math
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import gmpy2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from gmpy2 import mpz

from ..arith.modular import is_unit, powmod_secret
from ..arith.primes import WINDOW, find_safe_prime
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..errors import CancelledError, MalformedKeyError
from ..params import params_for
from .private import PrivateKey
from .public import PublicKey

#: (residue, step) of p' and of q': p ≡ 7 and q ≡ 3 (mod 8), with neither p' nor q' ≡ 1 (mod 8).
_HALF_PRIME_CLASSES: Final = ((3, 4), (5, 8))

#: Shorter primes are found faster than processes start.
_MIN_BITS_FOR_PROCESSES: Final = 1024

#: Order of the group of P-256 (SEC 2, section 2.4.2).
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

#: Seconds between two looks at whether the search was cancelled.
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public key and its private key."""

    public: PublicKey
    private: PrivateKey


def generate_key_pair(
    modulus_bits: int,
    *,
    counter: int,
    expires_at: int,
    bases: int,
    random: RandomSource = SYSTEM_RANDOM,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
    processes: int = 1,
) -> KeyPair:
    """Make a key pair that supports revocation.

    p and q are safe primes with N = p·q of full length and N ≡ 5 (mod 8); S is a random square, Z and the R_i are powers of
    S with fresh exponents; for the rest see `add_revocation`.

    Args:
        modulus_bits: length of N; one that `params_for` knows.
        counter: the key's number among the issuer's.
        expires_at: Unix seconds.
        bases: the number of R_i, at least the attributes of the largest credential type and 2.
        random: the source of everything random.
        progress: told, now and then, an estimate of the part done, from 0 to 1, never falling.
        is_cancelled: asked now and then.
        processes: how many processes search for primes; 1 for none but this. Others are spawned, so that, as everywhere with
            `multiprocessing`, the main module must do nothing when it is merely imported.

    Raises:
        MalformedKeyError: there are no parameters for that length.
        CancelledError: `is_cancelled` said so.

    Source: gabi `gabikeys/keys.go` (GenerateKeyPair, generateSafePrimePair).
    """
    params = params_for(modulus_bits)
    if bases < 2:
        raise ValueError("a key has a base for the secret key and one for the metadata, at least")
    search = _PrimeSearch(modulus_bits // 2, random, progress or (lambda _: None), is_cancelled or (lambda: False))
    p, q = search.run(_process_count(processes, modulus_bits))
    N = p * q
    S = random.bits(params.l_n)
    while not (1 < S < N and gmpy2.jacobi(S, p) == 1 and gmpy2.jacobi(S, q) == 1):
        S = random.bits(params.l_n)

    def random_power() -> mpz:
        exponent = random.bits(params.l_n // 2)
        while exponent <= 2:
            exponent = random.bits(params.l_n // 2)
        return powmod_secret(S, exponent, N)

    R = tuple(random_power() for _ in range(bases))
    public = PublicKey(counter=counter, expires_at=expires_at, N=N, S=S, Z=random_power(), R=R)
    return add_revocation(KeyPair(public, PrivateKey(counter=counter, expires_at=expires_at, p=p, q=q)), random)


def add_revocation(pair: KeyPair, random: RandomSource = SYSTEM_RANDOM) -> KeyPair:
    """Return a key pair with what revocation needs added: G and H, squares of random units, and an ECDSA key on P-256.

    Args:
        pair: a pair of an older kind, without any of these.
        random: the source of all three.

    Raises:
        MalformedKeyError: the keys do not belong together, or one has such a part already.

    Source: gabi `gabikeys/keys.go` (GenerateRevocationKeypair).
    """
    public, private = pair.public, pair.private
    if public.N != private.N or public.counter != private.counter:
        raise MalformedKeyError("Elements/n", "public and private key do not belong together")
    if public.G is not None or public.H is not None or public.ecdsa is not None or private.ecdsa is not None:
        raise MalformedKeyError("ECDSA", "the key has a part for revocation already")

    def random_square() -> mpz:
        root = random.below(public.N)
        while not is_unit(root, public.N):
            root = random.below(public.N)
        return root * root % public.N

    ecdsa = ec.derive_private_key(int(random.below(_P256_ORDER - 1)) + 1, ec.SECP256R1())
    public_der = ecdsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    private_der = ecdsa.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return KeyPair(replace(public, G=random_square(), H=random_square(), ecdsa=public_der), replace(private, ecdsa=private_der))


def _process_count(processes: int, modulus_bits: int) -> int:
    # A daemonic process may have no children.
    if modulus_bits // 2 < _MIN_BITS_FOR_PROCESSES or multiprocessing.current_process().daemon:
        return 1
    return processes


class _PrimeSearch:
    """Looks for one safe prime of each class, window after window with random starts."""

    def __init__(self, prime_bits: int, random: RandomSource, progress: Callable[[float], None], is_cancelled: Callable[[], bool]) -> None:
        self._half_bits = prime_bits - 1
        self._random = random
        self._progress = progress
        self._is_cancelled = is_cancelled
        self._found: list[mpz | None] = [None] * len(_HALF_PRIME_CLASSES)
        self._searched = [0] * len(_HALF_PRIME_CLASSES)

    def run(self, processes: int) -> tuple[mpz, mpz]:
        with _executor(processes) as submit:
            pending: dict[Future[mpz | None], int] = {}
            try:
                while (missing := self._missing()) or pending:
                    while missing and len(pending) < processes:
                        kind = min(missing, key=lambda kind: self._searched[kind] + list(pending.values()).count(kind))
                        pending[submit(self._random_start(kind), _HALF_PRIME_CLASSES[kind][1])] = kind
                    if not missing:
                        break
                    self._collect(pending)
            finally:
                for future in pending:
                    future.cancel()
        p, q = (prime for prime in self._found if prime is not None)
        self._progress(1.0)
        return p, q

    def _missing(self) -> list[int]:
        return [kind for kind, prime in enumerate(self._found) if prime is None]

    def _collect(self, pending: dict[Future[mpz | None], int]) -> None:
        """Wait a little for windows that are done."""
        if self._is_cancelled():
            raise CancelledError("the generation of a key was cancelled")
        done, _ = wait(pending, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            kind = pending.pop(future)
            self._searched[kind] += 1
            if self._found[kind] is None:
                self._found[kind] = future.result()
        if done:
            self._progress(sum(map(self._part_done, range(len(self._found)))) / len(self._found))

    def _part_done(self, kind: int) -> float:
        """The chance that as many windows as were searched hold a safe prime; 1 once one is found.

        A random odd p' of k bits is prime, and 2p'+1 with it, with probability near 2.64 / (k·ln 2)².
        """
        if self._found[kind] is not None:
            return 1.0
        expected_hits = self._searched[kind] * WINDOW * 2.64 / (self._half_bits * math.log(2)) ** 2
        return 1.0 - math.exp(-expected_hits)

    def _random_start(self, kind: int) -> mpz:
        """Return a random start of a window: the two top bits set, so that the product has full length, and in its class."""
        residue, step = _HALF_PRIME_CLASSES[kind]
        bits = self._half_bits
        # The bits below the top two, without the ones that fix the class and without a carry at the window's end.
        room = (mpz(1) << (bits - 2)) - 2 * step * WINDOW
        return (mpz(3) << (bits - 2)) + self._random.below(room) // step * step + residue


@contextmanager
def _executor(processes: int) -> Iterator[Callable[[mpz, int], "Future[mpz | None]"]]:
    """Yield a function that searches a window: in other processes, or right away where there is only this one."""
    if processes == 1:

        def search_now(start: mpz, step: int) -> "Future[mpz | None]":
            future: Future[mpz | None] = Future()
            future.set_result(find_safe_prime(start, step))
            return future

        yield search_now
        return
    # "spawn" copies no locks, threads or secrets of this process.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda start, step: pool.submit(find_safe_prime, start, step)

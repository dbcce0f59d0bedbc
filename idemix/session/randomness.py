"""The random values of a session as one parameter, so that a recorded session can be replayed."""

from typing import Final, Protocol

from gmpy2 import mpz

from ..arith.randomness import SYSTEM_RANDOM, RandomSource

#: Tokens are numbers of so many digits, written with all letters and digits (irmago `internal/common/common.go`).
_BASE: Final = 62
_LENGTH: Final = 20
_NONCE_BITS: Final = 128


class Randomness(RandomSource, Protocol):
    """A source of random integers that also makes the tokens of sessions."""

    def requestor_token(self) -> str: ...

    def client_token(self) -> str: ...

    def frontend_authorization(self) -> str: ...

    def pairing_code(self) -> str:
        """Return four decimal digits."""
        ...

    def nonce(self) -> mpz:
        """Return the session's nonce, 128 bits."""
        ...


class SystemRandomness:
    """A `Randomness` over a `RandomSource`, the operating system's generator by default."""

    def __init__(self, source: RandomSource = SYSTEM_RANDOM) -> None:
        self._source = source

    def bits(self, length: int) -> mpz:
        return self._source.bits(length)

    def below(self, bound: int | mpz) -> mpz:
        return self._source.below(bound)

    def _token(self) -> str:
        return self.below(_BASE**_LENGTH).digits(_BASE).rjust(_LENGTH, "0")

    def requestor_token(self) -> str:
        return self._token()

    def client_token(self) -> str:
        return self._token()

    def frontend_authorization(self) -> str:
        return self._token()

    def pairing_code(self) -> str:
        return f"{int(self.below(10_000)):04d}"

    def nonce(self) -> mpz:
        return self.bits(_NONCE_BITS)

"""Proof of work: three numbers whose hashes end alike, which a server may ask for before it stamps.

With `difficulty` d, three different eight-byte numbers are looked for with which SHA-256(number ‖ data ‖ nonce) agrees in the
last d of its first 64 bits. That takes some 2^(2d/3) hashes; checking takes three.

Source: go-pow `api.go`, `sha2bday.go`.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final, Self

from ..errors import IdemixError, MalformedRequestError

_ALGORITHM: Final = "sha2bday"

#: What a holder is willing to do: some 65,000 hashes. Servers ask for 16.
MAX_DIFFICULTY: Final = 24
_LARGEST: Final = 64


class TooMuchWorkError(IdemixError):
    """A server asks for more work than a holder is willing to do."""


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """What a server asks for.

    Attributes:
        difficulty: bits in which three hashes agree.
        nonce: makes the work that of one server and time.
    """

    difficulty: int
    nonce: bytes

    def __str__(self) -> str:
        return f"{_ALGORITHM}-{self.difficulty}-{write_unpadded(self.nonce)}"

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Read the text form.

        Raises:
            MalformedRequestError: it is not of that form.
        """
        parts = text.split("-", 2)
        if len(parts) != 3 or parts[0] != _ALGORITHM:
            raise MalformedRequestError(where, f"expected {_ALGORITHM}-DIFFICULTY-NONCE")
        if not (parts[1].isascii() and parts[1].isdigit() and len(parts[1]) <= 2 and int(parts[1]) <= _LARGEST):
            raise MalformedRequestError(where, f"the difficulty is a number up to {_LARGEST}")
        return cls(int(parts[1]), read_unpadded(parts[2], where))

    def fulfil(self, data: bytes) -> bytes:
        """Do the work.

        Args:
            data: what it is done for.

        Returns:
            The three numbers, 24 bytes.

        Raises:
            TooMuchWorkError: the difficulty is above `MAX_DIFFICULTY`.
        """
        if self.difficulty > MAX_DIFFICULTY:
            raise TooMuchWorkError(f"the time-stamp server asks for work of difficulty {self.difficulty}")
        found: dict[int, bytes] = {}
        number = 0
        while True:
            number += 1
            prefix = number.to_bytes(8, "big")
            ending = self._ending(prefix, data)
            numbers = found.get(ending, b"") + prefix
            if len(numbers) == 24:
                return numbers
            found[ending] = numbers

    def is_fulfilled(self, work: bytes, data: bytes) -> bool:
        """Whether this is the work, done for `data`."""
        numbers = {work[:8], work[8:16], work[16:]}
        return len(work) == 24 and len(numbers) == 3 and len({self._ending(number, data) for number in numbers}) == 1

    def _ending(self, number: bytes, data: bytes) -> int:
        start = hashlib.sha256(number + data + self.nonce).digest()[:8]
        return int.from_bytes(start, "big") % (1 << self.difficulty)


def write_unpadded(data: bytes) -> str:
    """Return base64 in the standard alphabet without padding."""
    return base64.b64encode(data).rstrip(b"=").decode()


def read_unpadded(text: str, where: str) -> bytes:
    """Read base64 in the standard alphabet without padding.

    Raises:
        MalformedRequestError: it is none.
    """
    try:
        if "=" in text:
            raise ValueError("padding")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequestError(where, "not base64 in the standard alphabet without padding") from error

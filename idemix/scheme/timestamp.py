"""The file `timestamp`: when a scheme was last signed, in Unix seconds."""

import re
from typing import Final

from ..errors import MalformedSchemeError

_SECONDS: Final = re.compile(rb"[+-]?[0-9]{1,4000}")


def parse_timestamp(content: bytes) -> int:
    """Read the file `timestamp`.

    Raises:
        MalformedSchemeError: not a decimal number with at most one line end after it, or before 1970.

    Source: irmago `irma/requests.go` parseTimestamp.
    """
    digits = content.removesuffix(b"\n")
    if not _SECONDS.fullmatch(digits) or not -(1 << 63) <= int(digits) < 1 << 63:
        raise MalformedSchemeError("timestamp", "must be decimal Unix seconds and a line feed")
    seconds = int(digits)
    if seconds < 0:
        raise MalformedSchemeError("timestamp", "must not be negative", departure="negative-timestamp")
    return seconds


def print_timestamp(seconds: int) -> bytes:
    """The file `timestamp` for a time in Unix seconds."""
    return b"%d\n" % seconds

"""The version of the protocol between app and server.

Source: irmago `irma/messages.go` (ProtocolVersion).
"""

import re
from dataclasses import dataclass
from typing import Final, Self

_VERSION: Final = re.compile(r"([+-]?[0-9]{1,64})\.([+-]?[0-9]{1,64})")
_INT64: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, order=True)
class ProtocolVersion:
    """A version `major.minor`."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a text such as `2.8`: exactly two integers with a dot between them.

        Raises:
            ValueError: the text has another form.
        """
        match = _VERSION.fullmatch(text)
        parts = () if match is None else (int(match[1]), int(match[2]))
        if not parts or any(part not in _INT64 for part in parts):
            raise ValueError(f"expected a version of the form x.y, found {text[:40]!r}")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

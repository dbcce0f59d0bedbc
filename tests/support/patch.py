"""Applies unified diffs as `idemix.scheme.diff` writes them."""

import re
from collections.abc import Sequence

from idemix.scheme.diff import NO_LINE_END

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")


def apply_patch(content: bytes, patch: Sequence[str]) -> bytes:
    """The content that a patch makes of another; every line that it names has to be there."""
    old = re.findall(r"[^\n]*\n|[^\n]+", content.decode())
    new: list[str] = []
    position = 0
    for number, line in enumerate(patch):
        if (hunk := _HUNK.fullmatch(line)) and line[0] == "@":
            start = int(hunk[1]) - (hunk[2] != "0")
            new += old[position:start]
            position = start
            continue
        if line == NO_LINE_END:
            continue
        text = line[1:] + ("" if patch[number + 1 : number + 2] == (NO_LINE_END,) else "\n")
        if line[0] in " -":
            assert old[position] == text
            position += 1
        if line[0] in " +":
            new.append(text)
    return "".join([*new, *old[position:]]).encode()

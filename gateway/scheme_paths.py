"""What a file of a scheme may be called, wherever the scheme comes from."""

import re
from typing import Final

from .inputs import Message

MAX_PATH_BYTES: Final = 500

_DRIVE: Final = re.compile(r"[A-Za-z]:")


def path_rule(path: str) -> Message | None:
    """The rule that a path inside a scheme breaks, or None.

    Whoever writes files by such paths stays inside the folder that they are written to, and git finds nothing of its own among them.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or _DRIVE.match(path):
        return Message("the path must be relative, without “.” and “..”")
    if any(part.lower() == ".git" for part in parts):
        return Message("files of git are no part of a scheme")
    if any(ord(letter) < 32 or letter in '\\\x7f"' for letter in path):
        return Message("the name of the file holds characters that a scheme may not use")
    if len(path.encode(errors="surrogateescape")) > MAX_PATH_BYTES:
        return Message("the name of the file is longer than %(limit)s bytes", limit=MAX_PATH_BYTES)
    return None

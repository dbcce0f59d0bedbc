"""Remembering what files were read as: of a scheme that is checked again and again, one file changes at a time."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Final, TypeVar

T = TypeVar("T")

#: Files that are remembered by each reader, and how large one may be: a scheme's largest description has 30 kB.
REMEMBERED: Final = 2048
MAX_REMEMBERED_BYTES: Final = 64_000


def remembered(read: Callable[[bytes, str], T]) -> Callable[[bytes, str], T]:
    """Let a reader of files remember what it read; what it reads must be immutable. A refusal is not remembered.

    Args:
        read: takes the content of a file and its path.
    """
    kept = lru_cache(maxsize=REMEMBERED)(read)

    @wraps(read)
    def remember(content: bytes, path: str) -> T:
        return kept(content, path) if len(content) <= MAX_REMEMBERED_BYTES else read(content, path)

    return remember

"""A scheme as it lies in a directory: relative paths and contents, without touching a disk.

`gateway.scheme_files` reads a directory into a `SchemeTree` and writes one back.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

#: Upper bounds that the reference does not have. They are far above the real schemes (largest file 1.73 MB, 515 entries).
MAX_FILE_BYTES: Final = 5_000_000
MAX_INDEX_BYTES: Final = 2_000_000
MAX_ENTRIES: Final = 20_000


def parent_directories(path: str) -> Iterator[str]:
    """The directories above a relative path, nearest first, the root left out."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


class SchemeTree(Mapping[str, bytes]):
    """The files of one scheme: paths relative to the scheme's root, with `/`, to their bytes. Immutable.

    `.git` is never part of a tree.

    Attributes:
        name: the name of the directory the tree was read from, or is to be written to.
        directories: every directory, also those without a file.
        symlinks: paths of symbolic links. They are not followed, so what they point to is not part of the tree.
        unread: paths of files whose content was left on disk, with the reason (too large, not a regular file).
    """

    __slots__ = ("_children", "_files", "directories", "name", "symlinks", "unread")

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        name: str,
        directories: Iterable[str] = (),
        symlinks: Iterable[str] = (),
        unread: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._files: Final = dict(files)
        self.name: Final = name
        self.symlinks: Final = frozenset(symlinks)
        self.unread: Final[Mapping[str, str]] = MappingProxyType(dict(unread))
        found = set(directories)
        for path in (*self._files, *self.unread, *self.symlinks, *tuple(found)):
            for directory in parent_directories(path):
                if directory in found:
                    break
                found.add(directory)
        self.directories: Final = frozenset(found)
        self._children: dict[str, list[str]] = {}
        for path in sorted(set(self.paths()), key=byte_order):
            directory, _, name = path.rpartition("/")
            self._children.setdefault(directory, []).append(name)

    def __getitem__(self, path: str) -> bytes:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def __repr__(self) -> str:
        return f"<SchemeTree {self.name!r}: {len(self)} files>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SchemeTree):
            return NotImplemented
        return (self._files, self.directories, self.symlinks, self.unread) == (
            other._files,
            other.directories,
            other.symlinks,
            other.unread,
        )

    __hash__ = None  # type: ignore[assignment]

    def exists(self, path: str) -> bool:
        """Whether anything of that path is there: file, directory or link."""
        return path in self._files or path in self.directories or path in self.unread or path in self.symlinks

    def entries(self, directory: str) -> list[str]:
        """The names directly in a directory (`""` is the root), in byte order."""
        return list(self._children.get(directory, ()))

    def subdirectories(self, directory: str) -> list[str]:
        """The names of the directories directly in a directory (`""` is the root), in byte order."""
        prefix = f"{directory}/" if directory else ""
        return [name for name in self.entries(directory) if prefix + name in self.directories]

    def paths(self) -> Iterator[str]:
        """Everything in the tree: files read and unread, directories, links."""
        yield from self._files
        yield from self.unread
        yield from self.directories
        yield from self.symlinks

    def with_files(self, files: Mapping[str, bytes], *, remove: Iterable[str] = (), name: str | None = None) -> "SchemeTree":
        """A tree with some files added, replaced or removed."""
        changed = {**self._files, **files}
        for path in remove:
            changed.pop(path, None)
        return SchemeTree(
            changed,
            name=self.name if name is None else name,
            directories=self.directories,
            symlinks=self.symlinks - changed.keys(),
            unread={path: reason for path, reason in self.unread.items() if path not in changed},
        )


def byte_order(path: str) -> bytes:
    """Sort key: the bytes of a path, as the reference sorts (upper case before lower case)."""
    return path.encode("utf-8", "surrogateescape")

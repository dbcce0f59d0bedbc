"""Schemes on disk: reads directories into trees, and writes trees as a whole or not at all."""

import ctypes
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from idemix.errors import MalformedSchemeError
from idemix.scheme.configuration import Configuration, Problem
from idemix.scheme.tree import MAX_ENTRIES, MAX_FILE_BYTES, SchemeTree

#: Directories inside one another; the real schemes have 4.
MAX_DIRECTORY_DEPTH: Final = 16

#: Beginnings of directories that updates and `write_tree` leave behind when they are interrupted.
_TEMPORARY: Final = (".tempscheme", ".oldscheme", "tempscheme", "oldscheme")

#: Of <fcntl.h> and <linux/fs.h>.
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2

#: Files that may lie in the root of a scheme under one of these names make it one.
_DESCRIPTIONS: Final = ("description.xml", "description.json")


def read_tree(path: str | os.PathLike[str]) -> SchemeTree:
    """Read a scheme's directory.

    `.git` is left out. Symbolic links are named and not followed; files that are too large, and what is no regular file, are
    named and not read. The directory itself may be a link.

    Raises:
        MalformedSchemeError: too many entries, or directories nested too deep.
        OSError: it is not a directory, or cannot be read.
    """
    root = Path(path).resolve(strict=True)
    files: dict[str, bytes] = {}
    directories: list[str] = []
    symlinks: list[str] = []
    unread: dict[str, str] = {}
    for count, (relative, entry) in enumerate(_walk(root)):
        if count >= MAX_ENTRIES:
            raise MalformedSchemeError("", f"a scheme has at most {MAX_ENTRIES} files and directories", departure="scheme-limits")
        if entry.is_symlink():
            symlinks.append(relative)
        elif entry.is_dir(follow_symlinks=False):
            directories.append(relative)
        elif not entry.is_file(follow_symlinks=False):
            unread[relative] = "is no regular file"
        elif entry.stat(follow_symlinks=False).st_size > MAX_FILE_BYTES:
            unread[relative] = f"a file of a scheme has at most {MAX_FILE_BYTES} bytes"
        else:
            files[relative] = _read(entry.path)
    return SchemeTree(files, name=root.name, directories=directories, symlinks=symlinks, unread=unread)


def is_scheme(path: str | os.PathLike[str]) -> bool:
    """Whether a directory looks like a signed scheme: a description, `timestamp`, `index` and `index.sig`.

    Source: irmago `internal/common/common.go` IsScheme.
    """
    here = Path(path)
    signed = all(os.path.lexists(here / name) for name in ("timestamp", "index", "index.sig"))
    return signed and any(os.path.lexists(here / name) for name in _DESCRIPTIONS)


def scheme_directories(path: str | os.PathLike[str]) -> list[Path]:
    """The directories in a configuration folder that are taken for schemes: all but hidden and left-over ones, in order."""
    return sorted(entry for entry in Path(path).iterdir() if entry.is_dir() and not entry.name.startswith((".", *_TEMPORARY)))


def remove_temporary(path: str | os.PathLike[str]) -> None:
    """Remove what updates and `write_tree` left behind in a configuration folder when they were interrupted.

    Meant for the start, while nobody writes there.
    """
    for entry in Path(path).iterdir():
        if entry.name.startswith(_TEMPORARY) and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)


def is_configuration(path: str | os.PathLike[str]) -> bool:
    """Whether a directory is a configuration folder: it has subdirectories, and each is a signed scheme."""
    subdirectories = [entry for entry in Path(path).iterdir() if entry.is_dir() and entry.name != ".git"]
    return bool(subdirectories) and all(is_scheme(entry) for entry in subdirectories)


def read_configuration(path: str | os.PathLike[str], now: int) -> tuple[Configuration, tuple[Problem, ...]]:
    """Read a folder of schemes.

    Args:
        path: its subdirectories are the schemes.
        now: Unix seconds.

    Returns:
        The schemes that are in order, and what is wrong with the others.

    Raises:
        OSError: a directory cannot be read.
        MalformedSchemeError: a directory is beyond our bounds.
    """
    return Configuration.load((read_tree(directory) for directory in scheme_directories(path)), now=now)


def write_tree(tree: SchemeTree, path: str | os.PathLike[str]) -> None:
    """Write a scheme, taking the place of what is there.

    The tree is written beside the place and then exchanged with it in one step, so that whoever looks, and whenever the writer is
    killed, the place holds the old scheme or the new one. An interruption leaves a directory `.tempscheme…` beside it, which
    readers pass over. A `.git` at the place is carried over. Private keys (`sk.pem`, `PrivateKeys`) are readable by the owner only.

    Raises:
        OSError: it cannot be written; the place is as before.
    """
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.parent / f".tempscheme{secrets.token_hex(8)}"
    try:
        new.mkdir()
        for directory in sorted(tree.directories):
            (new / directory).mkdir(parents=True, exist_ok=True)
        for relative, content in tree.items():
            _write(new / relative, content, private=relative == "sk.pem" or "PrivateKeys" in relative.split("/"))
        _sync_directory(new)
        if place.is_dir():
            _exchange(new, place)
            if (new / ".git").exists():
                (new / ".git").rename(place / ".git")
        else:
            new.rename(place)
        _sync_directory(place.parent)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write_signature(tree: SchemeTree, path: str | os.PathLike[str]) -> None:
    """Write only what signing made new, each file in one step, into a directory that keeps everything else.

    Meant for a working directory; a scheme that is being served is written with `write_tree`.

    Raises:
        OSError: a file cannot be written.
    """
    for name in ("timestamp", "index", "index.sig", "pk.pem"):
        new = Path(path) / f".{name}.{secrets.token_hex(8)}"
        try:
            _write(new, tree[name], private=False)
            new.replace(Path(path) / name)
        finally:
            new.unlink(missing_ok=True)


def _exchange(one: Path, other: Path) -> None:
    """Exchange two directories of one file system atomically (renameat2 of Linux 3.15)."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(other))


def _walk(root: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Everything below a directory but `.git`, with its path relative to it."""
    waiting = [("", os.fspath(root), 0)]
    while waiting:
        prefix, directory, depth = waiting.pop()
        if depth > MAX_DIRECTORY_DEPTH:
            raise MalformedSchemeError(
                prefix.rstrip("/"), f"directories are nested at most {MAX_DIRECTORY_DEPTH} deep", departure="scheme-limits"
            )
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name == ".git":
                    continue
                yield prefix + entry.name, entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{prefix}{entry.name}/", entry.path, depth + 1))


def _read(path: str) -> bytes:
    """Read a regular file, which was not exchanged for a link meanwhile, up to the bound."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise MalformedSchemeError(path, "is no regular file")
        return file.read(MAX_FILE_BYTES + 1)


def _write(path: Path, content: bytes, *, private: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

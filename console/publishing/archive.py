"""Schemes as zip files: reading one that anybody made, and writing one that is the same wherever it is made.

A zip that comes in is hostile until shown otherwise. Its names are judged before anything is unpacked; sizes are counted while the
contents are read, since those that it declares may lie; nothing is written to a disk here. A zip that goes out is not compressed: most
of a scheme are pictures, which do not shrink, and so the bytes depend on no version of a library.
"""

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from console.errors import SchemeImportError
from console.publishing import git
from gateway.inputs import Message
from gateway.scheme_paths import path_rule
from idemix.scheme.tree import byte_order

#: The largest real scheme takes 15 MB.
MAX_ARCHIVE_BYTES: Final = 24 * 1024 * 1024

#: More than that is not told of one zip.
_MOST_FINDINGS: Final = 20

_ENTRY: Final = b"PK\x01\x02"
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_UTF_8: Final = 0x800
_CHUNK: Final = 64 * 1024

#: What Apple's Finder adds to every zip.
_FINDER: Final = "__MACOSX/"

#: What `zipfile` raises on bytes that are no zip, or one that it cannot read.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def read_archive(content: bytes) -> dict[str, bytes]:
    """The files of a scheme from a zip of its folder, or of a folder that holds nothing else.

    Args:
        content: the zip.

    Returns:
        The contents by path inside the scheme.

    Raises:
        SchemeImportError: it is no zip or larger than the limit; it holds no scheme; a name is no path inside a scheme, is there twice or
            differs from another in case only; an entry is a link, encrypted, or compressed in an unusual way; a content is not
            what its checksum says; there are more or larger files than the limits.
    """
    if len(content) > MAX_ARCHIVE_BYTES:
        raise SchemeImportError(Message("the zip has more than %(limit)s bytes", limit=MAX_ARCHIVE_BYTES))
    # Each entry of the directory begins so; counted here, since `zipfile` makes an object of every one before it tells how many.
    if content.count(_ENTRY) > 2 * git.MAX_FILES:
        raise _refused([Message("there are more than %(limit)s files", limit=git.MAX_FILES)])
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.orig_filename.startswith(_FINDER)]
            problems = list(_problems(entries))
            if problems:
                raise _refused(problems)
            files = _contents(archive, [entry for entry in entries if not entry.is_dir()])
    except _UNREADABLE as error:
        raise _refused([Message("it is no zip that can be read: %(reason)s", reason=str(error) or type(error).__name__)]) from error
    return _inside(files)


def write_archive(name: str, files: Mapping[str, bytes]) -> bytes:
    """A zip of a folder; the same files give the same bytes.

    Args:
        name: of the folder.
        files: contents by path inside it.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files, key=byte_order):
            entry = zipfile.ZipInfo(f"{name}/{path}", (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whatever this machine is
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, files[path])
    return target.getvalue()


def _problems(entries: list[zipfile.ZipInfo]) -> Iterator[Message]:
    """What is wrong with the entries of a zip, before any is read."""
    if sum(not entry.is_dir() for entry in entries) > git.MAX_FILES:
        yield Message("there are more than %(limit)s files", limit=git.MAX_FILES)
        return
    seen: dict[str, str] = {}
    folders: set[str] = set()
    names: set[str] = set()
    for entry in entries:
        # `filename` ends at a NUL; what the zip says is judged.
        path = entry.orig_filename.removesuffix("/")
        rule = path_rule(path) or _entry_rule(entry)
        if rule is not None:
            yield Message("%(path)s: %(rule)s", path=ascii(path[:200])[1:-1], rule=rule)
            continue
        parts = path.split("/")
        above = ["/".join(parts[:length]) for length in range(1, len(parts))]
        if entry.is_dir():
            above.append(path)
        elif path in names:
            yield Message("%(path)s: is there twice", path=path)
        else:
            names.add(path)
        folders.update(above)
        for one in dict.fromkeys([*above, path]):
            other = seen.setdefault(unicodedata.normalize("NFC", one).casefold(), one)
            if other != one:
                yield Message("%(path)s: differs from %(other)s in case only", path=one, other=other)
    for path in sorted(names & folders):
        yield Message("%(path)s: is a file and a folder", path=path)


def _entry_rule(entry: zipfile.ZipInfo) -> Message | None:
    """The rule that an entry breaks, whatever it is called, or None."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        return Message("links and devices are no part of a scheme")
    if entry.flag_bits & _ENCRYPTED:
        return Message("is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Message("is compressed in a way that is not read here")
    if not entry.flag_bits & _UTF_8 and not entry.orig_filename.isascii():
        return Message("the name of the file is not UTF-8")
    return None


def _contents(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> dict[str, bytes]:
    """Unpack the entries, and stop where they grow beyond the limits."""
    files: dict[str, bytes] = {}
    total = 0
    for entry in entries:
        content = bytearray()
        with archive.open(entry) as file:
            while chunk := file.read(_CHUNK):
                content += chunk
                if len(content) > git.MAX_FILE_BYTES:
                    raise _refused([Message("%(path)s: larger than %(limit)s bytes", path=entry.filename, limit=git.MAX_FILE_BYTES)])
                if total + len(content) > git.MAX_TREE_BYTES:
                    raise _refused([Message("the files have more than %(limit)s bytes", limit=git.MAX_TREE_BYTES)])
        total += len(content)
        files[entry.filename] = bytes(content)
    return files


def _inside(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the folder that holds the scheme, by their paths inside it."""
    folders = {path.partition("/")[0] for path in files}
    for root in ("", *(f"{folder}/" for folder in folders if len(folders) == 1)):
        if any(f"{root}{name}" in files for name in ("description.xml", "description.json")):
            return {path.removeprefix(root): content for path, content in files.items()}
    raise _refused([Message("description.xml or description.json must stand in the zip itself, or in its only folder")])


def _refused(problems: list[Message]) -> SchemeImportError:
    return SchemeImportError(Message("the zip cannot be imported"), problems[:_MOST_FINDINGS])

"""Zips of schemes: what is written is read again, and what wants to do harm is refused before anything of it is used."""

import io
import stat
import struct
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import SchemeImportError
from console.publishing import archive, git
from console.publishing.archive import read_archive, write_archive
from console.publishing.git import Repository
from gateway.scheme_files import read_tree
from gateway.scheme_paths import path_rule
from tests.support.shared import shared

DESCRIPTION = ("description.xml", b"<x/>")


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of entries as they are given, behind the description of a scheme."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as made:
        for entry, content in (DESCRIPTION, *entries):
            made.writestr(entry, content, method)
    return target.getvalue()


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def with_name(name: bytes) -> bytes:
    """A zip with an entry whose name no ordinary program writes; the placeholder has its length."""
    placeholder = "z" * len(name)
    return zipped((placeholder, b"x")).replace(placeholder.encode(), name)


def patched(content: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """A zip with some bytes of the last header of a kind overwritten."""
    position = content.rindex(signature) + offset
    return content[:position] + value + content[position + len(value) :]


def flagged(flags: int) -> bytes:
    content = zipped(("a.xml", b"x"))
    return patched(patched(content, b"PK\x01\x02", 8, struct.pack("<H", flags)), b"PK\x03\x04", 6, struct.pack("<H", flags))


def bomb(size: int, declared: int | None = None) -> bytes:
    """Zeros that unfold from little, with another size declared where one is given."""
    content = zipped(("a.png", bytes(size)), method=zipfile.ZIP_DEFLATED)
    if declared is not None:
        content = patched(patched(content, b"PK\x01\x02", 24, struct.pack("<L", declared)), b"PK\x03\x04", 22, struct.pack("<L", declared))
    return content


def folders(*names: str) -> bytes:
    """A zip with a scheme in each folder."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name in names:
            made.writestr(f"{name}/description.xml", b"<x/>")
    return target.getvalue()


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "climbs out": (lambda: zipped(("../x.xml", b"")), "must be relative"),
    "climbs out in the middle": (lambda: zipped(("a/../../x.xml", b"")), "must be relative"),
    "folder climbs out": (lambda: zipped(("../x/", b"")), "must be relative"),
    "absolute": (lambda: zipped(("/etc/x.xml", b"")), "must be relative"),
    "absolute on Windows": (lambda: zipped(("C:/x.xml", b"")), "must be relative"),
    "backslashes": (lambda: with_name(b"..\\x.xml"), "characters"),
    "empty part": (lambda: zipped(("a//x.xml", b"")), "must be relative"),
    "dot": (lambda: zipped(("a/./x.xml", b"")), "must be relative"),
    "git's own": (lambda: zipped((".git/config", b"")), "files of git"),
    "git's own in capitals": (lambda: zipped(("a/.GIT/config", b"")), "files of git"),
    "line end in a name": (lambda: with_name(b"a\nb.xml"), "characters"),
    "NUL in a name": (lambda: with_name(b"a.xml\x00.png"), "characters"),
    "name not UTF-8": (lambda: with_name(b"caf\x82.xml"), "not UTF-8"),
    "long name": (lambda: zipped(("x" * 501, b"")), "longer than 500"),
    "symbolic link": (lambda: zipped((entry("a.xml", stat.S_IFLNK | 0o777), b"/etc/passwd")), "links and devices"),
    "device": (lambda: zipped((entry("a.xml", stat.S_IFCHR | 0o666), b"")), "links and devices"),
    "folder that is a link": (lambda: zipped((entry("a/", stat.S_IFLNK | 0o777), b"")), "links and devices"),
    "encrypted": (lambda: flagged(0x1), "encrypted"),
    "strongly encrypted": (lambda: flagged(0x41), "encrypted"),
    "two of a name": (lambda: with_name(b"description.xml"), "is there twice"),
    "names that differ in case": (lambda: zipped(("Description.xml", b"")), "differs from description.xml in case only"),
    "folders that differ in case": (lambda: zipped(("ru/a.xml", b""), ("RU/b.xml", b"")), "differs from ru in case only"),
    "names that look the same": (lambda: zipped(("\u00e9.xml", b""), ("e\u0301.xml", b"")), "in case only"),
    "file and folder": (lambda: zipped(("a", b""), ("a/b.xml", b"")), "is a file and a folder"),
    "unusual compression": (lambda: zipped(("a.xml", b"x"), method=zipfile.ZIP_LZMA), "compressed in a way"),
    "wrong checksum": (lambda: patched(zipped(("a.xml", b"x")), b"PK\x01\x02", 16, b"\x00" * 4), "no zip that can be read"),
    "one large file": (lambda: bomb(git.MAX_FILE_BYTES + 1), "larger than"),
    "larger than it says": (lambda: bomb(git.MAX_FILE_BYTES + 1, 10), "no zip that can be read"),
    "much larger than it says": (lambda: bomb(git.MAX_FILE_BYTES + 1, 2**32 - 2), "larger than"),
    "cut off": (lambda: zipped(("a.xml", b"x"))[:-30], "no zip that can be read"),
    "no zip": (lambda: b"PK\x03\x04 and nothing more", "no zip that can be read"),
    "empty": (lambda: b"", "no zip that can be read"),
    "no scheme": (lambda: write_archive("x", {"a.xml": b""}), "must stand in the zip itself"),
    "two folders": (lambda: folders("one", "two"), "must stand in the zip itself"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_zip_that_wants_to_do_harm_is_refused(name: str) -> None:
    make, reason = HOSTILE[name]
    with pytest.raises(SchemeImportError) as caught:
        read_archive(make())
    assert any(reason in finding for finding in caught.value.findings), caught.value.findings


def test_more_files_than_a_scheme_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "MAX_FILES", 3)
    read_archive(zipped(("a", b""), ("b", b"")))
    for number in (4, 10):
        with pytest.raises(SchemeImportError) as caught:
            read_archive(zipped(*((f"{place}.xml", b"") for place in range(number))))
        assert caught.value.findings == ("there are more than 3 files",)


def test_many_files_that_are_too_much_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "MAX_TREE_BYTES", 250_000)
    with pytest.raises(SchemeImportError) as caught:
        read_archive(zipped(*((f"{place}.png", bytes(100_000)) for place in range(3)), method=zipfile.ZIP_DEFLATED))
    assert caught.value.findings == ("the files have more than 250000 bytes",)


def test_a_zip_beyond_the_limit_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", 100)
    with pytest.raises(SchemeImportError, match="more than 100 bytes"):
        read_archive(b"x" * 101)


def test_what_programs_add_is_read() -> None:
    with_folders = zipped(("RU/", b""), (entry("RU/Issues/", stat.S_IFDIR | 0o755), b""), ("RU/description.xml", b"<y/>"))
    assert read_archive(with_folders) == {"description.xml": b"<x/>", "RU/description.xml": b"<y/>"}
    assert read_archive(zipped(("__MACOSX/._description.xml", b"?"))) == {"description.xml": b"<x/>"}
    assert read_archive(zipped(("a.xml", b"x" * 1000), method=zipfile.ZIP_DEFLATED))["a.xml"] == b"x" * 1000


@pytest.mark.parametrize("scheme", ["irma-demo", "pbdf"])
def test_the_real_schemes_survive(scheme: str) -> None:
    files = dict(read_tree(shared("schemes", scheme)))
    content = write_archive(scheme, files)
    assert read_archive(content) == files
    assert write_archive(scheme, dict(reversed(files.items()))) == content
    assert len(content) < archive.MAX_ARCHIVE_BYTES


NAMES = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",)), min_size=1, max_size=8)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join).filter(lambda path: path_rule(path) is None)


def fits_together(paths: list[str]) -> bool:
    """Whether no path is a folder of another, and none looks like another."""
    everything = {"/".join(path.split("/")[:length]) for path in paths for length in range(1, path.count("/") + 2)}
    above = {"/".join(path.split("/")[:length]) for path in paths for length in range(1, path.count("/") + 1)}
    return len({unicodedata.normalize("NFC", path).casefold() for path in everything}) == len(everything) and not above & set(paths)


@given(st.dictionaries(PATHS, st.binary(max_size=40), max_size=6), st.from_regex(r"[A-Za-z0-9_-]{1,10}", fullmatch=True))
def test_any_small_tree_survives(files: dict[str, bytes], name: str) -> None:
    files = {path: content for path, content in files.items() if path.partition("/")[0].casefold() != "description.xml"}
    files["description.xml"] = b"<x/>"
    if not fits_together(list(files)):
        with pytest.raises(SchemeImportError):
            read_archive(write_archive(name, files))
        return
    content = write_archive(name, files)
    assert read_archive(content) == files
    assert write_archive(name, read_archive(content)) == content


def test_the_tree_in_git_is_the_same(tmp_path: Path) -> None:
    files = dict(read_tree(shared("schemes", "mutant-base", "irma-demo"))) | {".gitattributes": b"* text eol=lf\n"}
    repository = Repository.create(tmp_path / "scheme.git")
    assert repository.write(read_archive(write_archive("irma-demo", files))) == repository.write(files)

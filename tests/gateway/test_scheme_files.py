import os
import stat
from pathlib import Path

import pytest

from gateway.scheme_files import (
    MAX_DIRECTORY_DEPTH,
    is_configuration,
    is_scheme,
    read_configuration,
    read_tree,
    scheme_directories,
    write_signature,
    write_tree,
)
from idemix.errors import MalformedSchemeError
from idemix.scheme.tree import MAX_FILE_BYTES, SchemeTree
from idemix.scheme.verify import verify_scheme
from tests.support.schemes import NOW, library_draft, requestors_draft, signed


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    tree = signed(library_draft())
    write_tree(tree, tmp_path / "deep" / "tiny")
    assert read_tree(tmp_path / "deep" / "tiny") == tree
    assert read_tree(tmp_path / "deep" / "tiny").name == "tiny"
    assert names(tmp_path / "deep") == ["tiny"]


def test_private_keys_are_for_the_owner(tmp_path: Path) -> None:
    write_tree(signed(library_draft()).with_files({"sk.pem": b"key"}), tmp_path / "tiny")

    def mode(path: str) -> int:
        return stat.S_IMODE((tmp_path / "tiny" / path).stat().st_mode)

    assert mode("sk.pem") == mode("Library/PrivateKeys/0.xml") == 0o600
    assert mode("index") == mode("Library/PublicKeys/0.xml") == 0o644


def test_a_tree_takes_the_place_of_another_whole(tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    write_tree(signed(library_draft()).with_files({"old.txt": b"x"}), place)
    (place / ".git").mkdir()
    (place / ".git" / "HEAD").write_text("ref")
    new = signed(library_draft(url="https://example.com/new"))
    write_tree(new, place)
    assert read_tree(place) == new
    assert (place / ".git" / "HEAD").read_text() == "ref"
    assert names(tmp_path) == ["tiny"]


def test_a_tree_that_cannot_be_written_leaves_the_place_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    tree = signed(library_draft())
    write_tree(tree, place)
    impossible = SchemeTree({**tree, "x" * 300: b"too long a name"}, name="tiny")
    with pytest.raises(OSError, match="name too long"):
        write_tree(impossible, place)
    assert read_tree(place) == tree
    assert names(tmp_path) == ["tiny"]


def test_links_are_named_and_not_followed(tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    write_tree(signed(library_draft()), place)
    (tmp_path / "secret").write_text("outside")
    (place / "link.xml").symlink_to(tmp_path / "secret")
    (place / "directory").symlink_to(tmp_path)
    (place / "dangling").symlink_to("nowhere")
    tree = read_tree(place)
    assert tree.symlinks == {"link.xml", "directory", "dangling"}
    assert "link.xml" not in tree
    assert {error.departure for error in verify_scheme(tree, now=NOW).errors} == {"symbolic-link"}
    (tmp_path / "current").symlink_to(place)
    assert read_tree(tmp_path / "current") == tree


def test_large_and_special_files_are_named_and_not_read(tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    write_tree(signed(library_draft()), place)
    with (place / "large.xml").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    os.mkfifo(place / "pipe.xml")
    tree = read_tree(place)
    assert set(tree.unread) == {"large.xml", "pipe.xml"}
    assert {warning.message for warning in verify_scheme(tree, now=NOW).warnings} == {
        "Ignored file: tiny/large.xml",
        "Ignored file: tiny/pipe.xml",
    }


def test_git_is_left_out_and_empty_directories_are_not(tmp_path: Path) -> None:
    for path in (".git/objects", "Library/.git", "Library/empty"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("x")
    tree = read_tree(tmp_path)
    assert tree.directories == {"Library", "Library/empty"}
    assert set(tree) == {".gitignore"}


def test_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"x")
    tree = read_tree(tmp_path)
    assert list(tree) == ["caf\udce9.txt"]
    write_tree(tree, tmp_path / "copy")
    assert [os.fsencode(name) for name in names(tmp_path / "copy")] == [b"caf\xe9.txt"]


def test_bounds(tmp_path: Path) -> None:
    (tmp_path / "/".join(["d"] * (MAX_DIRECTORY_DEPTH + 2))).mkdir(parents=True)
    with pytest.raises(MalformedSchemeError) as caught:
        read_tree(tmp_path)
    assert caught.value.departure == "scheme-limits"


def test_what_is_no_directory(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path / "file"):
        if path.name == "file":
            path.write_text("x")
        with pytest.raises(OSError, match=r"none|file"):
            read_tree(path)


def test_folders_of_schemes(tmp_path: Path) -> None:
    write_tree(signed(library_draft()), tmp_path / "tiny")
    write_tree(signed(requestors_draft()), tmp_path / "tiny-requestors")
    assert is_configuration(tmp_path)
    assert is_scheme(tmp_path / "tiny")
    assert is_scheme(tmp_path / "tiny-requestors")
    assert not is_scheme(tmp_path)
    assert not is_configuration(tmp_path / "tiny")
    for name in (".hidden", ".tempscheme1", "tempscheme1", ".oldscheme1"):
        (tmp_path / name).mkdir()
    assert not is_configuration(tmp_path)
    assert [path.name for path in scheme_directories(tmp_path)] == ["tiny", "tiny-requestors"]
    configuration, problems = read_configuration(tmp_path, NOW)
    assert problems == ()
    assert [str(scheme) for scheme in (*configuration.schemes, *configuration.requestor_schemes)] == ["tiny", "tiny-requestors"]


def test_only_the_signature_is_written(tmp_path: Path) -> None:
    draft = library_draft()
    write_tree(draft, tmp_path / "tiny")
    (tmp_path / "tiny" / "proof").symlink_to("nowhere")
    write_signature(signed(draft), tmp_path / "tiny")
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {
        "description.xml",
        "Library",
        "proof",
        "timestamp",
        "index",
        "index.sig",
        "pk.pem",
    }
    assert (tmp_path / "tiny" / "index").read_bytes() == signed(draft)["index"]

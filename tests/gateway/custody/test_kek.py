"""Key-encryption keys: where they come from, and what is said when they do not."""

import base64
import stat
import threading
from pathlib import Path

import pytest

from gateway.custody.errors import BrokenEnvelopeError, MalformedKekError, MissingKekError
from gateway.custody.kek import KeyRing, LocalKek, create_kek_file
from tests.support.factories.services import kek, ring


def test_first_key_wraps_and_all_unwrap() -> None:
    former, both = ring("old"), ring("new", "old")
    wrapped = former.current.wrap(b"data key", b"name")
    assert both.current.id != former.current.id
    assert both.get(former.current.id).unwrap(wrapped, b"name") == b"data key"


def test_id_tells_keys_apart_and_nothing_else() -> None:
    assert ring("a").current.id == ring("a").current.id != ring("b").current.id
    assert len(ring("a").current.id) == 16
    assert ring("a").current.id not in base64.b64decode(kek("a")).hex()


def test_remarks_and_empty_lines_are_passed_over() -> None:
    assert KeyRing.from_text(f"# a remark\n\n  {kek()}  \n", "file").current.id == ring().current.id


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must hold at least one key"),
        ("# only a remark\n", "must hold at least one key"),
        ("not base64!\n", "line 1 must be the base64 of 32 bytes"),
        (base64.b64encode(bytes(31)).decode(), "line 1 must be the base64 of 32 bytes"),
        (kek() + "\n" + base64.b64encode(bytes(33)).decode(), "line 2 must be the base64 of 32 bytes"),
    ],
)
def test_malformed_keys_are_refused_without_showing_them(text: str, rule: str) -> None:
    with pytest.raises(MalformedKekError) as caught:
        KeyRing.from_text(text, "the file")
    assert (caught.value.where, caught.value.rule.startswith(rule)) == ("the file", True)
    assert not text.strip() or text.splitlines()[-1] not in str(caught.value)


def test_environment_takes_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "kek").write_text(kek("file"))
    assert KeyRing.load(tmp_path / "kek", {}).current.id == ring("file").current.id
    assert KeyRing.load(tmp_path / "kek", {"IRMAHUB_KEK": kek("environment")}).current.id == ring("environment").current.id
    assert KeyRing.load(tmp_path / "absent", {"IRMAHUB_KEK": kek("environment")}).current.id == ring("environment").current.id


def test_absent_file_is_named_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(MalformedKekError, match=r"absent: there is no key file, nor IRMAHUB_KEK; make one with `irmahub custody init`"):
        KeyRing.load(tmp_path / "absent", {})


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "kek").write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedKekError, match="cannot be read"):
        KeyRing.load(tmp_path / "kek", {})


def test_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "data" / "kek"
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(create_kek_file(path))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 5
    assert set(ids) == {KeyRing.load_or_create(path, {}).current.id}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["kek"]


def test_nothing_is_made_where_the_environment_has_the_key(tmp_path: Path) -> None:
    KeyRing.load_or_create(tmp_path / "kek", {"IRMAHUB_KEK": kek()})
    assert not (tmp_path / "kek").exists()


def test_other_key_other_name_or_other_bytes_do_not_open() -> None:
    key = LocalKek(bytes(32))
    wrapped = key.wrap(b"data key", b"name")
    for broken, name, opener in (
        (wrapped, b"name", LocalKek(bytes(31) + b"\x01")),
        (wrapped, b"other", key),
        (wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"name", key),
        (bytes([wrapped[0] ^ 1]) + wrapped[1:], b"name", key),
        (wrapped[:-1], b"name", key),
        (b"", b"name", key),
    ):
        with pytest.raises(BrokenEnvelopeError):
            opener.unwrap(broken, name)


def test_unknown_key_is_named() -> None:
    with pytest.raises(MissingKekError, match="0123456789abcdef"):
        ring().get("0123456789abcdef")


def test_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        LocalKek(bytes(16))
    with pytest.raises(ValueError, match="at least one"):
        KeyRing([])

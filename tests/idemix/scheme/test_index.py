import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import MalformedSchemeError
from idemix.scheme.index import SchemeIndex, is_indexed
from idemix.scheme.tree import MAX_INDEX_BYTES, SchemeTree

DIGEST = "ab" * 32
ONE = f"{DIGEST} demo/description.xml\n"


def test_reads_what_the_reference_reads() -> None:
    index = SchemeIndex.parse(f"\n{DIGEST.upper()} demo/b.xml\n\n{DIGEST} demo/a.xml".encode())
    assert dict(index) == {"demo/b.xml": bytes.fromhex(DIGEST), "demo/a.xml": bytes.fromhex(DIGEST)}
    assert index.scheme == "demo"
    assert SchemeIndex.parse(b"").scheme == ""


@pytest.mark.parametrize(
    ("text", "line", "departure"),
    [
        pytest.param(f"{DIGEST}  demo/a", "line 1", None, id="two blanks"),
        pytest.param(f"{DIGEST}\tdemo/a", "line 1", None, id="tab"),
        pytest.param(f"{ONE}# a comment here", "line 2", None, id="comment"),
        pytest.param(f"{DIGEST} demo/a b", "line 1", None, id="blank in the path"),
        pytest.param(f"z{DIGEST[1:]} demo/a", "line 1", None, id="hash not hex"),
        pytest.param(f"{DIGEST[1:]} demo/a", "line 1", None, id="odd hash"),
        pytest.param(f"\ufeff{ONE}", "line 1", None, id="byte order mark"),
        pytest.param(f"{DIGEST} description.xml", "line 1", None, id="no slash"),
        pytest.param(ONE + ONE, "line 2", "duplicate-index-path", id="path twice"),
    ],
)
def test_refuses(text: str, line: str, departure: str | None) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        SchemeIndex.parse(text.encode())
    assert (caught.value.path, caught.value.field, caught.value.departure) == ("index", line, departure)


def test_refuses_a_large_index() -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        SchemeIndex.parse(b"\n" * (MAX_INDEX_BYTES + 1))
    assert caught.value.departure == "scheme-limits"


def test_refuses_too_many_entries() -> None:
    lines = "".join(f"ab d/{number}\n" for number in range(20_001))
    with pytest.raises(MalformedSchemeError) as caught:
        SchemeIndex.parse(lines.encode())
    assert caught.value.departure == "scheme-limits"


names = st.text(st.characters(codec="utf-8", exclude_characters=" \n\0/"), min_size=1, max_size=8)
paths = st.lists(names, min_size=2, max_size=4).map("/".join)


@given(st.dictionaries(paths, st.binary(min_size=32, max_size=32)))
def test_parse_after_print_gives_the_same(hashes: dict[str, bytes]) -> None:
    index = SchemeIndex(hashes)
    printed = index.print()
    assert SchemeIndex.parse(printed) == index
    assert SchemeIndex.parse(printed).print() == printed
    listed = [line.partition(b" ")[2] for line in printed.split(b"\n") if line]
    assert listed == sorted(listed)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        index = SchemeIndex.parse(content)
    except MalformedSchemeError:
        return
    assert SchemeIndex.parse(index.print()) == index


@pytest.mark.parametrize(
    ("path", "in_issuer_scheme", "in_requestor_scheme"),
    [
        ("description.xml", True, False),
        ("timestamp", True, True),
        ("sub/timestamp", True, True),
        ("RU/logo.png", True, False),
        ("kss-0.pem", True, False),
        ("old-kss-12.pem", True, False),
        ("kss-x.pem", False, False),
        ("pk.pem", False, False),
        ("index", False, False),
        ("RU/x.xmlindex", False, False),
        ("RU/PrivateKeys/0.xml", False, False),
        ("RU/Proofs/0.xml", False, False),
        ("PrivateKeys/0.xml", False, False),
        ("RU/PrivateKeys", False, False),
        ("RU/PrivateKeysOld/0.xml", True, False),
        (".hidden.xml", True, False),
        ("README.md", False, False),
        ("requestors.json", False, True),
        ("assets/logo.png", True, False),
    ],
)
def test_what_is_indexed(path: str, in_issuer_scheme: bool, in_requestor_scheme: bool) -> None:
    assert is_indexed(path, "issuer") == in_issuer_scheme
    assert is_indexed(path, "requestor") == in_requestor_scheme


def test_paths_count_from_the_scheme_and_not_from_the_disk() -> None:
    """A scheme that lies below a directory called PrivateKeys is indexed like any other."""
    tree = SchemeTree({"description.xml": b"x"}, name="PrivateKeys")
    assert list(SchemeIndex.of(tree, "demo", "issuer")) == ["demo/description.xml"]


@pytest.mark.parametrize(
    ("path", "content"),
    [("RU/description.xml", b"<a>\r\n</a>"), ("RU/a b.xml", b"<a/>"), ("RU/a\nb.xml", b"<a/>")],
    ids=["Windows line ends", "blank in the name", "line end in the name"],
)
def test_refuses_to_index(path: str, content: bytes) -> None:
    with pytest.raises(MalformedSchemeError) as caught:
        SchemeIndex.of(SchemeTree({path: content}, name="demo"), "demo", "issuer")
    assert caught.value.path == path


def test_line_ends_in_images_are_content() -> None:
    tree = SchemeTree({"logo.png": b"\x89PNG\r\n"}, name="demo")
    assert list(SchemeIndex.of(tree, "demo", "issuer")) == ["demo/logo.png"]


def test_refuses_to_index_links_and_files_left_unread() -> None:
    for tree in (
        SchemeTree({}, name="demo", symlinks=["a.xml"]),
        SchemeTree({}, name="demo", unread={"a.xml": "a file of a scheme has at most 5000000 bytes"}),
    ):
        with pytest.raises(MalformedSchemeError):
            SchemeIndex.of(tree, "demo", "issuer")

from idemix.scheme.tree import SchemeTree


def test_directories_follow_from_the_files() -> None:
    tree = SchemeTree({"a/b/c.xml": b"1", "d": b"2"}, name="x", directories=["e/f"], symlinks=["g/h"], unread={"i/j": "too large"})
    assert tree.directories == {"a", "a/b", "e", "e/f", "g", "i"}
    assert tree.entries("") == ["a", "d", "e", "g", "i"]
    assert tree.entries("a") == ["b"]
    assert tree.entries("none") == []
    assert tree.subdirectories("") == ["a", "e", "g", "i"]
    assert tree.subdirectories("a/b") == []
    assert all(tree.exists(path) for path in ("a/b/c.xml", "a/b", "e/f", "g/h", "i/j"))
    assert not tree.exists("a/b/d")
    assert dict(tree) == {"a/b/c.xml": b"1", "d": b"2"}


def test_names_are_ordered_by_their_bytes() -> None:
    assert SchemeTree({"a": b"", "B": b"", "_": b"", "é": b"", "10": b"", "2": b""}, name="x").entries("") == [
        "10",
        "2",
        "B",
        "_",
        "a",
        "é",
    ]


def test_changed_trees_leave_the_first_as_it_was() -> None:
    tree = SchemeTree({"a": b"1", "b": b"2"}, name="x", symlinks=["c"], unread={"d": "too large"})
    other = tree.with_files({"a": b"3", "c": b"4", "d": b"5"}, remove=["b", "none"], name="y")
    assert dict(tree) == {"a": b"1", "b": b"2"}
    assert dict(other) == {"a": b"3", "c": b"4", "d": b"5"}
    assert (other.name, other.symlinks, dict(other.unread)) == ("y", frozenset(), {})
    assert tree == tree.with_files({})
    assert tree != other

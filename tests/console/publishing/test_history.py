"""What was ever published, read from the published branch."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.publishing.git import Repository, Signature
from console.publishing.history import EverPublished

AUTHOR = Signature("somebody", "a@b.example", datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "scheme.git")


def commits(repository: Repository, *versions: dict[str, bytes]) -> list[str]:
    """A commit for each set of files, the oldest first."""
    made: list[str] = []
    for number, files in enumerate(versions):
        made.append(repository.commit(repository.write(files), made[-1:], f"Commit {number}", AUTHOR))
    return made


def test_only_signed_commits_are_versions(repository: Repository) -> None:
    made = commits(
        repository,
        {"a": b"0"},
        {"a": b"1", "b": b"1", "index.sig": b"1", "timestamp": b"100\n"},
        {"a": b"2", "index.sig": b"1", "timestamp": b"100\n"},
        {"a": b"3", "index.sig": b"3", "timestamp": b"100\n"},
        {"a": b"1", "index.sig": b"4", "timestamp": b"odd"},
        {"a": b"5"},
    )
    ever = EverPublished(repository, made[-1])
    assert [version.commit.hash for version in ever.versions] == [made[4], made[3], made[1]]
    assert [version.timestamp for version in ever.versions] == [None, 100, 100]
    assert ever.latest_timestamp == 100
    assert set(ever.paths) == {"a", "b", "index.sig", "timestamp"}
    found = {
        path: [(content.content, content.since.commit.hash) for content in contents]
        for path, contents in ever.contents(["a", "b", "absent"]).items()
    }
    # The content that a file had last comes first; what stood only in a commit that nobody signed is none.
    assert found == {"a": [(b"1", made[1]), (b"3", made[3])], "b": [(b"1", made[1])]}


def test_what_was_made_on_the_way_to_a_version_counts_once_it_is_signed(repository: Repository) -> None:
    made = commits(repository, {"a": b"0"}, {"a": b"0", "b": b"1"}, {"a": b"0", "b": b"1", "index.sig": b"1"})
    ever = EverPublished(repository, made[-1])
    assert [content.content for content in ever.contents(["b"])["b"]] == [b"1"]
    assert ever.latest_timestamp is None


def test_a_branch_that_was_never_signed_has_no_versions(repository: Repository) -> None:
    (made,) = commits(repository, {"a": b"0"})
    ever = EverPublished(repository, made)
    assert (ever.versions, set(ever.paths), ever.contents(["a"])) == ((), set(), {})

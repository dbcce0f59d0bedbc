"""Schemes with a past: repositories whose commits are versions signed by the scheme's own key."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from console.publishing.git import Repository, Signature
from idemix.scheme.keys import read_private_key, sign
from idemix.scheme.signing import sign_tree
from idemix.scheme.tree import SchemeTree


def signed(files: Mapping[str, bytes], timestamp: int, scheme_id: str = "irma-demo") -> SchemeTree:
    """A version of a scheme that holds its own `sk.pem`.

    Args:
        files: what it holds.
        timestamp: when it was signed, in Unix seconds.
        scheme_id: its id.
    """
    key = read_private_key(files["sk.pem"])
    return sign_tree(SchemeTree(files, name=scheme_id), lambda index: sign(key, index), files["pk.pem"], now=timestamp)


def add_version(repository: Repository, files: Mapping[str, bytes], timestamp: int, message: str, *, scheme_id: str = "irma-demo") -> str:
    """Commit a signed version onto the branch main, made at the time that its timestamp says."""
    head = repository.head("refs/heads/main")
    author = Signature("somebody", "a@b.example", datetime.fromtimestamp(timestamp, UTC))
    tree = repository.write(signed(files, timestamp, scheme_id))
    commit = repository.commit(tree, [] if head is None else [head], message, author)
    repository.update("refs/heads/main", commit, old=head)
    return commit


def make_history(path: Path, versions: Sequence[Mapping[str, bytes]], timestamps: Sequence[int]) -> Repository:
    """A bare repository with a scheme's versions, the oldest first."""
    repository = Repository.create(path)
    for number, (files, timestamp) in enumerate(zip(versions, timestamps, strict=True), 1):
        add_version(repository, files, timestamp, f"Version {number}")
    return repository

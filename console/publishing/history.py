"""Every version of a scheme that was ever published: the signed commits of its published branch, read from git in one go.

A version is a commit along the first parents that changed `index.sig`: what came in between was never signed, and no client took it.
Whether an old signature still holds is not asked, so that a version counts as published also where its signer erred.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from console.publishing.git import CommitInfo, Repository
from idemix.errors import MalformedSchemeError
from idemix.scheme.timestamp import parse_timestamp

_SIGNATURE: Final = "index.sig"
_TIMESTAMP: Final = "timestamp"
#: More than any number of seconds takes; a repository may hold anything under that name.
_TIMESTAMP_BYTES: Final = 100


@dataclass(frozen=True, slots=True)
class SignedVersion:
    """A version: its commit, and the Unix seconds of the `timestamp` in it (None where that cannot be read)."""

    commit: CommitInfo
    timestamp: int | None


@dataclass(frozen=True, slots=True)
class EarlierContent:
    """What a file was in a version, and the first version where it was so."""

    content: bytes
    since: SignedVersion


class EverPublished:
    """All versions of a scheme, up to the one that is published.

    Args:
        repository: the scheme's clone.
        commit: the published commit.

    Attributes:
        versions: the newest first.

    Raises:
        RepositoryError: the history is larger than the limits.
    """

    def __init__(self, repository: Repository, commit: str) -> None:
        self._repository = repository
        commits: list[CommitInfo] = []
        stamps: list[str | None] = []
        #: Path -> the hashes of its contents, the one that it had last at the end, with the number of the first version that had each.
        self._contents: dict[str, dict[str, int]] = {}
        #: What changed since the version before, and the newest timestamp.
        changed: dict[str, str | None] = {}
        stamp: str | None = None
        for entry in reversed(repository.history(commit)):
            changed.update(entry.changes)
            if entry.changes.get(_SIGNATURE) is None:
                continue
            for path, blob in changed.items():
                if blob is not None:
                    known = self._contents.setdefault(path, {})
                    known[blob] = known.pop(blob, len(commits))
            stamp = changed.get(_TIMESTAMP, stamp)
            stamps.append(stamp)
            commits.append(entry.commit)
            changed = {}
        read = repository.contents((stamp for stamp in stamps if stamp is not None), largest=_TIMESTAMP_BYTES)
        found = [SignedVersion(info, _seconds(read.get(stamp or ""))) for info, stamp in zip(commits, stamps, strict=True)]
        self._oldest_first: Sequence[SignedVersion] = tuple(found)
        self.versions: Final = tuple(reversed(found))

    @property
    def latest_timestamp(self) -> int | None:
        """The highest timestamp of all, in Unix seconds; the next one must be above it. None where none can be read."""
        return max((version.timestamp for version in self.versions if version.timestamp is not None), default=None)

    @property
    def paths(self) -> Collection[str]:
        """Every file that a version ever had."""
        return self._contents.keys()

    def contents(self, paths: Iterable[str]) -> Mapping[str, tuple[EarlierContent, ...]]:
        """All distinct contents that files ever had in a version, the one had last first; a file that never was in one is left out."""
        wanted = {path: self._contents[path] for path in paths if path in self._contents}
        read = self._repository.contents(blob for blobs in wanted.values() for blob in blobs)
        return {
            path: tuple(EarlierContent(read[blob], self._oldest_first[number]) for blob, number in reversed(blobs.items()) if blob in read)
            for path, blobs in wanted.items()
        }


def _seconds(content: bytes | None) -> int | None:
    try:
        return None if content is None else parse_timestamp(content)
    except MalformedSchemeError:
        return None

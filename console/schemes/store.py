"""The git side of schemes: one bare clone per scheme, its branches, and trees read once.

`refs/heads/<branch>` is the published version, `refs/heads/drafts/<name>` a draft, `refs/publications/<id>/…` what a publication made
on its way. `index`, `index.sig` and `timestamp` are derived: they are made at signing and never compared or merged.
"""

import hashlib
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from console.errors import DraftConflictError
from console.publishing.git import CommitInfo, Repository, Signature
from console.publishing.history import EverPublished
from gateway.actor import Actor
from gateway.inputs import NotFoundError
from idemix.clock import Clock
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verdict import SchemeVerdict
from idemix.scheme.verify import verify_scheme

T = TypeVar("T")

#: Files that signing makes.
DERIVED: Final = frozenset({"index", "index.sig", "timestamp"})
DRAFTS: Final = "refs/heads/drafts/"

#: Trees and verdicts kept in memory, the least recently used dropped first. The largest real scheme takes about 12 MB.
_KEPT: Final = 12


class SchemeStore:
    """The clones of all schemes.

    Args:
        directory: one bare repository per scheme, `<id>.git`.
        clock: tells the time of commits and verdicts.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._trees: Kept[SchemeTree] = Kept()
        self._verdicts: Kept[SchemeVerdict] = Kept()
        self._histories: Kept[EverPublished] = Kept()

    # --- repositories ---

    def create(self, scheme_id: str) -> Repository:
        """Make the clone of a new scheme; what a killed import left in its place goes."""
        path = self._path(scheme_id)
        shutil.rmtree(path, ignore_errors=True)
        return Repository.create(path)

    def adopt(self, scheme_id: str, repository: Repository) -> Repository:
        """Put a clone that was made elsewhere in the place of a new scheme's."""
        path = self._path(scheme_id)
        shutil.rmtree(path, ignore_errors=True)
        repository.path.rename(path)
        return Repository(path)

    def remove(self, scheme_id: str) -> None:
        """Remove a clone."""
        shutil.rmtree(self._path(scheme_id))

    def temporary(self) -> Path:
        """A place in the same file system for a clone that is not judged yet."""
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def repository(self, scheme_id: str) -> Repository:
        """The clone of a scheme.

        Raises:
            NotFoundError: there is none.
        """
        path = self._path(scheme_id)
        if not path.is_dir():
            raise NotFoundError("scheme", scheme_id)
        return Repository(path)

    def _path(self, scheme_id: str) -> Path:
        if re.fullmatch(r"[A-Za-z0-9_-]+", scheme_id) is None:
            raise NotFoundError("scheme", scheme_id)
        return self._directory / f"{scheme_id}.git"

    # --- trees ---

    def tree(self, scheme_id: str, treeish: str) -> SchemeTree:
        """The files of a commit or tree; read once and kept."""
        repository = self.repository(scheme_id)
        name = repository.tree(treeish)
        return self._trees.get((scheme_id, name), lambda: SchemeTree(repository.read(name), name=scheme_id))

    def verdict(self, scheme_id: str, treeish: str) -> SchemeVerdict:
        """What the verification says of a commit as it stands; kept for an hour, since keys expire."""
        repository = self.repository(scheme_id)
        name = repository.tree(treeish)
        now = int(self._clock().timestamp())
        return self._verdicts.get((scheme_id, name, now // 3600), lambda: verify_scheme(self.tree(scheme_id, name), now=now))

    def ever_published(self, scheme_id: str, published: str) -> EverPublished:
        """Every version up to the published commit; read once and kept."""
        return self._histories.get((scheme_id, published), lambda: EverPublished(self.repository(scheme_id), published))

    # --- branches ---

    def published(self, scheme_id: str, branch: str) -> str | None:
        """The published commit, or None."""
        return self.repository(scheme_id).head(f"refs/heads/{branch}")

    def drafts(self, scheme_id: str) -> dict[str, str]:
        """The drafts by name, with their newest commits."""
        return self.repository(scheme_id).heads(DRAFTS)

    def draft(self, scheme_id: str, name: str) -> str:
        """The newest commit of a draft.

        Raises:
            NotFoundError: there is no such draft.
        """
        if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) is not None:
            head = self.repository(scheme_id).heads(DRAFTS + name).get("")
            if head is not None:
                return head
        raise NotFoundError("draft", name)

    def base(self, scheme_id: str, branch: str, head: str) -> str | None:
        """The published commit that a draft starts from; None for a scheme that was never published."""
        published = self.published(scheme_id, branch)
        return None if published is None else self.repository(scheme_id).merge_base(published, head)

    def start(self, scheme_id: str, branch: str, name: str, title: str, actor: Actor, files: Mapping[str, bytes] | None = None) -> str:
        """Begin a draft on the published version, or on nothing.

        Args:
            scheme_id, branch: the scheme, and its published branch.
            name: of the draft.
            title: the message of its first commit.
            actor: its author.
            files: what to start with where nothing was published.

        Returns:
            The draft's first commit.

        Raises:
            DraftConflictError: there is a draft of that name.
        """
        repository = self.repository(scheme_id)
        base = self.published(scheme_id, branch)
        tree = repository.tree(base) if base is not None else repository.write(files or {})
        commit = repository.commit(tree, [] if base is None else [base], title, self.signature(actor))
        if not repository.update(DRAFTS + name, commit, old=None):
            raise DraftConflictError(name)
        return commit

    def save(
        self,
        scheme_id: str,
        name: str,
        changes: Mapping[str, bytes | None],
        message: str,
        actor: Actor,
        *,
        expected: str | None = None,
    ) -> str:
        """Add a commit to a draft.

        Args:
            scheme_id, name: the draft.
            changes: new content by path; None removes a file.
            message: of the commit.
            actor: its author.
            expected: the commit that the author saw; None takes the newest.

        Returns:
            The new commit.

        Raises:
            DraftConflictError: somebody else saved meanwhile.
        """
        repository = self.repository(scheme_id)
        head = self.draft(scheme_id, name)
        if expected not in (None, head):
            raise DraftConflictError(name)
        files = dict(self.tree(scheme_id, head))
        for path, content in changes.items():
            if content is None:
                files.pop(path, None)
            else:
                files[path] = content
        commit = repository.commit(self._write(scheme_id, repository, files, head), [head], message, self.signature(actor))
        if not repository.update(DRAFTS + name, commit, old=head):
            raise DraftConflictError(name)
        return commit

    def replace(
        self, scheme_id: str, name: str, files: Mapping[str, bytes], base: str, message: str, actor: Actor, *, expected: str
    ) -> str:
        """Make a draft one commit on another base.

        Args:
            scheme_id, name: the draft.
            files: its whole content.
            base: the commit it starts from now.
            message: of the commit.
            actor: its author.
            expected: the draft's newest commit so far.

        Returns:
            The draft's new commit.

        Raises:
            DraftConflictError: somebody else saved meanwhile.
        """
        repository = self.repository(scheme_id)
        tree = self._write(scheme_id, repository, files, base)
        commit = repository.commit(tree, [base], message, self.signature(actor))
        if not repository.update(DRAFTS + name, commit, old=expected):
            raise DraftConflictError(name)
        return commit

    def _write(self, scheme_id: str, repository: Repository, files: Mapping[str, bytes], base: str) -> str:
        """Store files as a tree, and keep it: whoever saved looks at it next."""
        name = repository.write(files, base=base)
        self._trees.get((scheme_id, name), lambda: SchemeTree(files, name=scheme_id))
        return name

    def discard(self, scheme_id: str, name: str) -> None:
        """Remove a draft.

        Raises:
            NotFoundError: there is none.
        """
        self.draft(scheme_id, name)
        self.repository(scheme_id).delete(DRAFTS + name)

    def info(self, scheme_id: str, commit: str) -> CommitInfo:
        """What a commit says of itself."""
        return self.repository(scheme_id).info(commit)

    def signature(self, actor: Actor, at: datetime | None = None) -> Signature:
        """An actor as the author of a commit."""
        name = re.sub(r"[^A-Za-z0-9._-]", "-", actor.name)
        return Signature(actor.name, f"{name}@irmahub.invalid", at or self._clock())


def content_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a scheme that people make, without those that signing makes."""
    return {path: content for path, content in files.items() if path not in DERIVED}


def content_hash(files: Mapping[str, bytes]) -> str:
    """A hash over paths and contents of what people make, for telling whether anything changed."""
    digest = hashlib.sha256()
    for path, content in sorted(content_of(files).items()):
        digest.update(f"{len(path)}:{path}:{len(content)}:".encode() + content)
    return digest.hexdigest()


class Kept(OrderedDict[tuple[object, ...], T]):
    """Values by key, the least recently used dropped; made outside the lock, so that a slow one stops nobody."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...], make: Callable[[], T]) -> T:  # type: ignore[override]
        with self._lock:
            if key in self:
                self.move_to_end(key)
                return self[key]
        value = make()
        with self._lock:
            self[key] = value
            while len(self) > _KEPT:
                self.popitem(last=False)
        return value

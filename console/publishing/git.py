"""The only adapter over git: bare clones that are read and written as objects, never checked out.

A repository that comes from outside is hostile until shown otherwise. Nothing of it is executed: no hook of either side runs, submodules
are not followed, only `file` and `https` are spoken, redirects are not, the user's and the system's configuration are not read. What is
fetched passes `git fsck`; the size of a pack, the number of files and the size of each are limited; links and submodules in a tree are
refused. An https address is resolved once, checked against private ranges (row G9) and pinned, so that a name cannot change in between.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from git.cmd import Git
from git.exc import GitCommandError
from gitdb import IStream  # type: ignore[import-untyped]
from gitdb.db import LooseObjectDB  # type: ignore[import-untyped]

from console.errors import RefusedAddressError, RepositoryError
from gateway.addresses import PUBLIC_ONLY, AddressPolicy, AddressRefusedError, Resolver, resolve
from gateway.scheme_paths import path_rule

#: Limits for what is fetched or read (spec of schemes, section 11, suggests the first two).
MAX_FILES = 20_000
MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_TREE_BYTES = 256 * 1024 * 1024
MAX_PACK_BYTES = 512 * 1024 * 1024
#: What git may say of a history: the 650 commits of irma-demo take half a megabyte.
MAX_LOG_BYTES = 64 * 1024 * 1024
TIMEOUT_SECONDS = 300
_CHUNK_BYTES = 1024 * 1024

#: Configuration that outranks whatever a repository says of itself.
_SAFE = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.alternateRefsCommand=true",
    "core.symlinks=false",
    "credential.helper=",
    "fetch.fsckObjects=true",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "maintenance.auto=false",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "protocol.https.allow=always",
    "receive.autogc=false",
    "receive.fsckObjects=true",
    "submodule.recurse=false",
    "transfer.fsckObjects=true",
)
#: The other side of a local remote runs under the same configuration: git hands `-c` to it no more than the environment.
_OTHER_SIDE = "git " + " ".join(f"-c {option}" for option in _SAFE if " " not in option)
_ZERO = "0" * 40
#: Hash, tree, parents, author, time and message of a commit; none of them holds the NUL that ends it.
_LOG_FORMAT = "--format=%H%x00%T%x00%P%x00%an%x00%at%x00%B%x00"
_HASH = re.compile(r"[0-9a-f]{40}\Z")
#: What a web address may hold: visible ASCII without backslash, so that no two programs read another host from it.
_ADDRESS = re.compile(r"[!-\[\]-~]{1,2000}\Z")
_HOST = re.compile(r"([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f:.]+)\Z")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*\Z")


def is_local(address: str) -> bool:
    """Whether an address names a path on this machine."""
    return address.startswith(("/", "file://"))


def is_directory(path: str) -> bool:
    """Whether there is such a directory, and one that may be read."""
    try:
        return Path(path).is_dir() and os.access(path, os.R_OK | os.X_OK)
    except OSError:  # a name longer than the file system takes, or a directory above it that may not be entered
        return False


def split_address(address: str) -> SplitResult:
    """The parts of a web address, such that every program reads the same host from it.

    Raises:
        RefusedAddressError: it holds blanks, control characters, backslashes or others than those of ASCII, or its host or port is none.
    """
    try:
        parts = urlsplit(address)
        known = _ADDRESS.match(address) and _HOST.match(parts.hostname or "") and (parts.port is None or parts.port > 0)
    except ValueError:
        known = None
    if not known:
        raise RefusedAddressError(ascii(address[:200])[1:-1], "is no web address")
    return parts


@dataclass(frozen=True, slots=True)
class Remote:
    """Where to fetch from and push to, after its address was judged.

    Attributes:
        url: `file:///…` or `https://…`, without credentials.
        options: configuration that pins the resolved address of an https host.
    """

    url: str
    options: tuple[str, ...] = ()

    @classmethod
    def parse(cls, address: str, policy: AddressPolicy = PUBLIC_ONLY, *, resolver: Resolver = resolve) -> "Remote":
        """Judge an address.

        Args:
            address: an absolute path, `file:///…` or `https://…`.
            policy: which hosts may be called.
            resolver: gives the addresses of a host.

        Raises:
            RefusedAddressError: another protocol, credentials in the address, an unknown host or one in a private range.
        """
        if is_local(address):
            path = address.removeprefix("file://")
            if not path.startswith("/") or not path.isprintable() or not is_directory(path):
                raise RefusedAddressError(repr(path), "there is no such directory")
            return cls(f"file://{path}")
        parts = split_address(address)
        shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
        if parts.scheme != "https" or not parts.hostname:
            raise RefusedAddressError(shown, "must be the path of a repository or an https address")
        if parts.username is not None or parts.password is not None:
            raise RefusedAddressError(shown, "must hold no user name or password")
        try:
            port = parts.port or 443
            addresses = policy.addresses(parts.hostname, port, resolver)
        except AddressRefusedError as error:
            raise RefusedAddressError(shown, error.rule) from error
        except (OSError, ValueError) as error:
            raise RefusedAddressError(shown, "the host is not known") from error
        pinned = ",".join(f"[{found}]" if ":" in found else found for found in addresses)
        return cls(parts.geturl(), (f"http.curloptResolve={parts.hostname}:{port}:{pinned}",))

    @property
    def path(self) -> Path | None:
        """The directory of a local remote."""
        return Path(self.url.removeprefix("file://")) if self.url.startswith("file://") else None


@dataclass(frozen=True, slots=True)
class Signature:
    """Who made a commit, and when."""

    name: str
    email: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit: hash, tree, parents, author and message."""

    hash: str
    tree: str
    parents: tuple[str, ...]
    author: str
    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A commit, and what it changed against its first parent: the hash of a file's new content by path, None where it went."""

    commit: CommitInfo
    changes: Mapping[str, str | None]


class Repository:
    """A bare clone in the console's data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> "Repository":
        """Make an empty bare repository, or open the one that is there; a half-made one never stands at `path`.

        Args:
            path: where; its parent is made.
        """
        if not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as making:
                cls(Path(making))._run("init", "--bare", "--quiet", "--template=", "--initial-branch=main", f"{making}/repository")
                (Path(making) / "repository").rename(path)
        return cls(path)

    # --- remotes ---

    def remote_heads(self, remote: Remote) -> tuple[dict[str, str], str | None]:
        """The branches of a remote with their commits, and the name of its own (HEAD) branch.

        Raises:
            RepositoryError: the remote cannot be read.
        """
        output = self._run(
            "ls-remote", "--symref", f"--upload-pack={_OTHER_SIDE} upload-pack", remote.url, "HEAD", "refs/heads/*", options=remote.options
        ).decode(errors="replace")
        heads: dict[str, str] = {}
        default = None
        for line in output.splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: refs/heads/") and name == "HEAD":
                default = value.removeprefix("ref: refs/heads/")
            elif name.startswith("refs/heads/") and _HASH.match(value):
                heads[name.removeprefix("refs/heads/")] = value
        return heads, default

    def fetch(self, remote: Remote, branch: str) -> str:
        """Fetch a branch of a remote into `refs/remotes/origin/<branch>`.

        Returns:
            The hash of its commit.

        Raises:
            RepositoryError: it cannot be read, an object fails `git fsck`, or it is larger than the limit.
        """
        _check_ref(branch)
        self._run(
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            f"--upload-pack={_OTHER_SIDE} upload-pack",
            remote.url,
            f"+refs/heads/{branch}:refs/remotes/origin/{branch}",
            options=remote.options,
            limit_files=True,
        )
        return self.resolve(f"refs/remotes/origin/{branch}")

    def push(self, remote: Remote, commit: str, branch: str, *, expected: str | None) -> None:
        """Push a commit, provided that the remote branch still is `expected` (None: absent).

        Raises:
            RepositoryError: it was refused, since somebody else pushed or the remote said no.
        """
        _check_ref(branch)
        self._run(
            "push",
            "--quiet",
            f"--receive-pack={_OTHER_SIDE} receive-pack",
            f"--force-with-lease=refs/heads/{branch}:{expected or ''}",
            remote.url,
            f"{commit}:refs/heads/{branch}",
            options=remote.options,
        )

    # --- references ---

    def head(self, ref: str) -> str | None:
        """The commit a reference points to, or None."""
        _check_ref(ref)
        output = self._run("for-each-ref", "--format=%(objectname)", ref).decode().split()
        return output[0] if output else None

    def resolve(self, ref: str) -> str:
        """The commit a reference points to.

        Raises:
            RepositoryError: there is no such reference.
        """
        found = self.head(ref)
        if found is None:
            raise RepositoryError(f"the repository has no {ref}")
        return found

    def heads(self, prefix: str) -> dict[str, str]:
        """All references below a prefix such as `refs/heads/drafts/`, without it, with their commits."""
        output = self._run("for-each-ref", "--format=%(objectname) %(refname)", prefix).decode()
        rows = (line.partition(" ") for line in output.splitlines())
        return {name.removeprefix(prefix): commit for commit, _, name in rows}

    def update(self, ref: str, new: str, *, old: str | None) -> bool:
        """Move a reference by compare-and-set.

        Args:
            ref: the whole name.
            new: the commit.
            old: where it must point now; None demands that it does not exist.

        Returns:
            Whether it was moved; False when it points elsewhere than to `old`.
        """
        _check_ref(ref)
        try:
            self._run("update-ref", ref, new, old or _ZERO)
        except RepositoryError:
            if self.head(ref) != old:
                return False
            raise
        return True

    def delete(self, ref: str) -> None:
        """Remove a reference; one that is absent is no error."""
        _check_ref(ref)
        if self.head(ref) is not None:
            self._run("update-ref", "-d", ref)

    # --- objects ---

    def info(self, commit: str) -> CommitInfo:
        """What a commit says of itself."""
        return self.log(commit, limit=1)[0]

    def log(self, commit: str, *, limit: int = 100) -> tuple[CommitInfo, ...]:
        """The commits from `commit` back along the first parents, newest first."""
        output = self._told([commit], "log", "--first-parent", f"--max-count={limit}", "-z", _LOG_FORMAT, commit, "--")
        return tuple(entry.commit for entry in _parse_log(output))

    def history(self, commit: str) -> tuple[HistoryEntry, ...]:
        """The commits from `commit` back along the first parents with what each changed, newest first; one process reads them all.

        A merge counts as one change against its first parent. Nothing is said of the contents: a path of an older commit may be
        one that no scheme may have.

        Raises:
            RepositoryError: there is no such commit, or more was changed than the limit.
        """
        output = self._run(
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            "--root",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "-z",
            _LOG_FORMAT,
            commit,
            "--",
            limit_output=MAX_LOG_BYTES,
        )
        return _parse_log(output)

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor of two commits, or None."""
        try:
            return self._told([one, other], "merge-base", one, other).decode().strip() or None
        except RepositoryError:
            return None

    def blobs(self, treeish: str) -> dict[str, str]:
        """The files of a tree with the hash of each.

        Raises:
            RepositoryError: it holds a link or a submodule, a path no scheme may have, or more or larger files than the limits.
        """
        output = self._run("ls-tree", "-r", "-l", "-z", "--full-tree", treeish)
        files: dict[str, str] = {}
        total = 0
        for line in output.split(b"\x00")[:-1]:
            meta, _, raw = line.partition(b"\t")
            mode, kind, name, size = meta.decode().split()
            try:
                path = raw.decode()
            except UnicodeDecodeError as error:
                raise RepositoryError(f"{raw!r}: the name of the file is not UTF-8") from error
            if kind != "blob" or mode not in ("100644", "100755"):
                raise RepositoryError(f"{path}: links and submodules are not part of a scheme")
            rule = path_rule(path)
            if rule is not None:
                raise RepositoryError(f"{path!r}: {rule}")
            if int(size) > MAX_FILE_BYTES:
                raise RepositoryError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
            total += int(size)
            files[path] = name
        if len(files) > MAX_FILES or total > MAX_TREE_BYTES:
            raise RepositoryError(f"more than {MAX_FILES} files or {MAX_TREE_BYTES} bytes")
        return files

    def read(self, treeish: str) -> dict[str, bytes]:
        """All files of a tree, by path.

        Raises:
            RepositoryError: as `blobs`.
        """
        files = self.blobs(treeish)
        contents = self._contents(files.values())
        return {path: contents[name] for path, name in files.items()}

    def read_file(self, treeish: str, path: str) -> bytes | None:
        """One file of a tree, or None where there is none.

        Raises:
            RepositoryError: as `blobs`.
        """
        name = self.blobs(treeish).get(path)
        return None if name is None else self._contents([name])[name]

    def contents(self, names: Iterable[str], *, largest: int | None = None) -> dict[str, bytes]:
        """The contents of blobs by their hashes. What is no blob, is missing, or is larger than it may be is left out.

        Args:
            names: the hashes.
            largest: how many bytes each may have; None takes the limit for a file.

        Raises:
            RepositoryError: all of them together are larger than the limit.
        """
        wanted = sorted(set(names))
        if not wanted:
            return {}
        most = MAX_FILE_BYTES if largest is None else largest
        lines = self._run("cat-file", "--batch-check", stdin="".join(f"{name}\n" for name in wanted).encode()).decode().splitlines()
        described = (line.split() for line in lines)
        sizes = {parts[0]: int(parts[2]) for parts in described if len(parts) == 3 and parts[1] == "blob" and int(parts[2]) <= most}
        if sum(sizes.values()) > MAX_TREE_BYTES:
            raise RepositoryError(f"more than {MAX_TREE_BYTES} bytes")
        return self._contents(sizes) if sizes else {}

    def tree(self, treeish: str) -> str:
        """The hash of the tree of a commit."""
        return self._told([treeish], "rev-parse", "--verify", "--quiet", "--end-of-options", f"{treeish}^{{tree}}").decode().strip()

    def write(self, files: Mapping[str, bytes], *, base: str | None = None) -> str:
        """Store files as a tree.

        Args:
            files: content by path.
            base: a commit or tree that holds most of them already, so that they are not written again.

        Returns:
            The hash of the tree.
        """
        known = set() if base is None else set(self.blobs(base).values())
        objects = LooseObjectDB(str(self.path / "objects"))
        root: dict[str, object] = {}
        for path, content in files.items():
            name = hashlib.sha1(b"blob %d\x00" % len(content) + content, usedforsecurity=False).hexdigest()
            if name not in known:
                objects.store(IStream(b"blob", len(content), BytesIO(content)))
            *folders, leaf = path.split("/")
            place = root
            for folder in folders:
                below = place.setdefault(folder, {})
                if not isinstance(below, dict):
                    raise RepositoryError(f"{path}: {folder} is a file")
                place = below
            place[leaf] = name
        return _store_tree(objects, root)

    def commit(self, tree: str, parents: Sequence[str], message: str, author: Signature) -> str:
        """Store a commit; the same arguments give the same hash.

        Returns:
            The hash of the commit.
        """
        date = f"@{int(author.at.timestamp())} +0000"
        who: dict[str, str] = {}
        for role in ("AUTHOR", "COMMITTER"):
            who |= {f"GIT_{role}_NAME": _plain(author.name), f"GIT_{role}_EMAIL": _plain(author.email), f"GIT_{role}_DATE": date}
        arguments = [part for parent in parents for part in ("-p", parent)]
        return self._run("commit-tree", tree, *arguments, stdin=message.encode(), environment=who).decode().strip()

    # --- inside ---

    def _contents(self, names: Iterable[str]) -> dict[str, bytes]:
        """The contents of blobs by their hashes."""
        wanted = sorted(set(names))
        output = self._run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in wanted).encode())
        contents: dict[str, bytes] = {}
        position = 0
        for name in wanted:
            end = output.index(b"\n", position)
            found, kind, size = output[position:end].decode().split()
            if found != name or kind != "blob":
                raise RepositoryError(f"object {name} is missing")
            contents[name] = output[end + 1 : end + 1 + int(size)]
            position = end + 1 + int(size) + 1
        return contents

    def _told(self, names: Sequence[str], *arguments: str) -> bytes:
        """Run git for what follows from objects alone; where all are named by whole hashes, the answer never changes and is kept."""
        return _kept_answer(self.path, *arguments) if all(_HASH.match(name) for name in names) else self._run(*arguments)

    def _run(
        self,
        *arguments: str,
        options: Sequence[str] = (),
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        limit_files: bool = False,
        limit_output: int | None = None,
    ) -> bytes:
        """Run git on this repository, under the safe configuration."""
        output_stream = None if limit_output is None else _Limited(limit_output)
        command = [Git.GIT_PYTHON_GIT_EXECUTABLE or "git"]
        for option in (*_SAFE, *options):
            command += ["-c", option]
        command += arguments
        if limit_files:  # a pack that grows beyond the limit ends the process (ulimit counts blocks of 512 bytes)
            command = ["/bin/sh", "-c", 'ulimit -f "$0"; exec "$@"', str(MAX_PACK_BYTES // 512), *command]
        with tempfile.TemporaryFile() as source:
            if stdin is not None:
                source.write(stdin)
                source.seek(0)
            try:
                output = Git(str(self.path)).execute(
                    command,
                    istream=source,
                    with_extended_output=False,
                    output_stream=output_stream,
                    max_chunk_size=_CHUNK_BYTES,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                    kill_after_timeout=TIMEOUT_SECONDS if limit_files or limit_output else None,
                    env={
                        "GIT_CONFIG_GLOBAL": os.devnull,
                        "GIT_CONFIG_NOSYSTEM": "1",
                        "GIT_CONFIG_SYSTEM": os.devnull,
                        "GIT_TERMINAL_PROMPT": "0",
                        "GIT_ASKPASS": "false",
                        "GIT_OPTIONAL_LOCKS": "0",
                        **(environment or {}),
                    },
                )
            except GitCommandError as error:
                raise RepositoryError(f"git {arguments[0]}: {_reason(error)}") from error
        if output_stream is not None:
            if output_stream.is_over:
                raise RepositoryError(f"git {arguments[0]}: has more than {limit_output} bytes to say")
            return output_stream.getvalue()
        if not isinstance(output, bytes):
            raise TypeError("git was asked for bytes")
        return output


@lru_cache(maxsize=1024)
def _kept_answer(path: Path, *arguments: str) -> bytes:
    """What git says of objects that are named by their hashes."""
    return Repository(path)._run(*arguments)


class _Limited(BytesIO):
    """Keeps what git says up to a limit, and hears the rest without keeping it."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self.is_over = False

    def write(self, content: bytes) -> int:  # type: ignore[override]
        """Take more."""
        self.is_over = self.is_over or self.tell() + len(content) > self._most
        return len(content) if self.is_over else super().write(content)


def _store_tree(objects: LooseObjectDB, entries: Mapping[str, object]) -> str:
    """Store a tree of trees and blobs in git's order (directories sort as if they ended in a slash)."""
    rows = []
    for name, value in entries.items():
        if isinstance(value, dict):
            rows.append((f"{name}/".encode(), b"40000", name.encode(), _store_tree(objects, value)))
        else:
            rows.append((name.encode(), b"100644", name.encode(), str(value)))
    content = b"".join(mode + b" " + name + b"\x00" + bytes.fromhex(value) for _, mode, name, value in sorted(rows))
    stored = objects.store(IStream(b"tree", len(content), BytesIO(content)))
    return bytes.hex(stored.binsha)


def _parse_log(output: bytes) -> tuple[HistoryEntry, ...]:
    """Read what `git log -z` prints in `_LOG_FORMAT`, with or without `--raw`."""
    parts = iter(output.decode(errors="surrogateescape").split("\x00"))
    found: list[HistoryEntry] = []
    changes: dict[str, str | None] = {}
    for part in parts:
        if part.startswith((":", "\n:")):  # modes, hashes before and after, and what happened; the path follows
            after = part.split()[3]
            changes[next(parts)] = None if after == _ZERO else after
        elif part.strip():
            name, tree, parents, author, at, message = part, *(next(parts) for _ in range(5))
            changes = {}
            info = CommitInfo(name, tree, tuple(parents.split()), _shown(author), _moment(int(at)), _shown(message).strip())
            found.append(HistoryEntry(info, changes))
    return tuple(found)


def _shown(text: str) -> str:
    """A text of somebody else's commit, where bytes that are no UTF-8 are replaced."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _moment(unix_seconds: int) -> datetime:
    """When a commit says it was made; beyond the calendar its last second."""
    try:
        return datetime.fromtimestamp(unix_seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=UTC, microsecond=0)


def _check_ref(name: str) -> None:
    """Refuse what is not a plain name of a branch or reference."""
    if not _REF.match(name) or ".." in name or "//" in name or name.endswith(("/", ".lock", ".")) or "/." in name:
        raise RepositoryError(f"“{name}”: not the name of a branch")


def _plain(text: str) -> str:
    """A name for a commit: without the characters that end it."""
    return "".join(letter for letter in text if letter.isprintable() and letter not in "<>") or "irmahub"


def _reason(error: GitCommandError) -> str:
    """The last sentence git said, without addresses' credentials (there are none: `Remote.parse` refuses them)."""
    text = str(error.stderr or "").strip().removeprefix("stderr:").strip().strip("'").strip()
    lines = [line.removeprefix("remote: ").strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "! [", "!"))] or lines
    return "; ".join(telling[:3]) if telling else f"ended with status {error.status}"

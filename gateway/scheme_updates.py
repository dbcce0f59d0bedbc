"""Keeping the scheme directories up to date with what is published, and telling how old they are.

A scheme is fetched beside the one in use, verified as a whole, and then takes its place in one step; whatever fails leaves the
directory as it was. A directory that is a symbolic link belongs to the console, which publishes into it, and is never fetched.
Of several processes that share a folder one looks, under a lock of the file system; what it found stands in a file beside the
schemes, so that it outlives a restart. All of them see within a second that a directory is another.

Source: irmago `irma/schemes.go` (UpdateScheme, installScheme), `irma/server/conf.go` (verifyIrmaConf).
"""

import fcntl
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from idemix.clock import Clock
from idemix.errors import IdemixError, MalformedSchemeError, TimestampRollbackError
from idemix.scheme.descriptions import parse_requestor_scheme, parse_scheme_manager, scheme_type
from idemix.scheme.findings import SchemeStatus
from idemix.scheme.timestamp import parse_timestamp
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verify import verify_scheme

from .background import fault
from .default_schemes import DEFAULT_SCHEMES, DefaultScheme
from .outbound import OutboundClient
from .scheme_download import SchemeServer, fetch_index, fetch_scheme, install_scheme, private_keys
from .scheme_files import read_tree, remove_temporary, scheme_directories, write_tree
from .schemes import SchemeDirectories

log = structlog.get_logger(__name__)

#: How often a process looks whether another one changed the directories.
FOLLOW_SECONDS: Final = 1.0
#: The reference looks first 0.2 seconds after its start; a moment more lets several workers start together.
FIRST_SECONDS: Final = 0.2
#: One scheme is not fetched more often than that, whoever asks for what it does not know.
ASK_INTERVAL: Final = timedelta(minutes=1)

_LOCK: Final = ".updates.lock"
_STATE: Final = ".updates.json"
_DESCRIPTIONS: Final = ("description.xml", "description.json")


@dataclass(frozen=True, slots=True)
class SchemeFreshness:
    """How old a scheme is.

    Attributes:
        scheme: the directory's name, which is the scheme's id.
        signed_at: the timestamp of the version on disk; None where it cannot be read.
        is_own: the console publishes it here, so that it is never behind.
        checked_at: when its address was last asked.
        succeeded_at: when its address last answered with this version or an older one of ours.
        error: why the last look failed; "" where it did not.
        stale_since: since when nobody knows whether there is a newer version; None where that is known, and where updates are off.
    """

    scheme: str
    signed_at: datetime | None
    is_own: bool = False
    checked_at: datetime | None = None
    succeeded_at: datetime | None = None
    error: str = ""
    stale_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Look:
    """What the last look at a scheme's address gave."""

    checked_at: datetime | None = None
    succeeded_at: datetime | None = None
    error: str = ""


class SchemeUpdates:
    """Updates the scheme directories of one folder.

    Args:
        schemes_path: the folder.
        schemes: reads it; is told to read again.
        client: calls the addresses; closed with this.
        clock: tells the time.
        interval: between two looks at an address; 0 for none: then nothing is fetched.
        https_only: whether addresses must be https.
        assets_path: a folder of schemes that the installation brings, for a start without network.
        defaults: what a folder without schemes begins with.
    """

    def __init__(
        self,
        schemes_path: Path,
        schemes: SchemeDirectories,
        client: OutboundClient,
        clock: Clock,
        *,
        interval: timedelta,
        https_only: bool,
        assets_path: Path | None = None,
        defaults: Mapping[str, DefaultScheme] = DEFAULT_SCHEMES,
    ) -> None:
        self._path = schemes_path
        self._schemes = schemes
        self._client = client
        self._clock = clock
        self._interval = interval
        self._https_only = https_only
        self._assets_path = assets_path
        self._defaults = defaults
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        #: A lock of a file does not keep the threads of one process apart.
        self._lock = threading.Lock()

    # Starting and stopping

    def prepare(self) -> None:
        """Bring the folder to where sessions can start: left-overs away, what the installation brings in, else the default schemes.

        Nothing here keeps the gateway from starting: what cannot be had now is tried again later.
        """
        if self._interval or self._assets_path is not None:
            with self._alone(wait=True) as is_alone:
                if is_alone:
                    remove_temporary(self._path)
                    self._take_assets()
                    if self._interval and not self._directories():
                        self._install_defaults()
            self._schemes.reload()
        for freshness in self.freshness():
            log.info(
                "scheme.loaded", scheme=freshness.scheme, signed_at=_text(freshness.signed_at), stale_since=_text(freshness.stale_since)
            )

    def start(self) -> None:
        """Start looking, in a thread. Call it after a fork."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="scheme-updates", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop looking. A download that runs is not waited for: what it wrote so far is a left-over."""
        self._stopping.set()
        self._client.close()
        if self._thread is not None:
            self._thread.join(timeout=2 * FOLLOW_SECONDS)
            self._thread = None

    def _run(self) -> None:
        wait = FIRST_SECONDS
        while not self._stopping.wait(wait):
            wait = FOLLOW_SECONDS
            for step in (self._schemes.reload_if_changed, self.update_due):
                try:
                    step()
                except Exception as error:
                    if self._stopping.is_set():
                        return
                    log.error("schemes.update_failed", **fault(error))

    # Looking

    def update_due(self) -> bool:
        """Look at the address of every scheme whose last look is an interval ago; tell whether one changed."""
        if not self._interval or not (self._due() or not self._directories()):
            return False
        changed = False
        with self._alone() as is_alone:
            if not is_alone:
                return False
            if not self._directories():
                changed = self._install_defaults()
            for name in self._due():  # again: another process may have looked since
                if self._stopping.is_set():
                    break
                changed = self._update(name) or changed
        if changed:
            self._schemes.reload()
        return changed

    def look_for(self, identifier: str) -> bool:
        """Look whether the scheme of something unknown was published anew, at most once a minute; tell whether it changed.

        Args:
            identifier: of an issuer, a credential type or the like.
        """
        name = identifier.partition(".")[0]
        if not self._interval or not self._may_be_fetched(name):
            return False
        with self._alone() as is_alone:
            last = self._looks().get(name, _Look()).checked_at
            if not is_alone or (last is not None and abs(self._clock() - last) < ASK_INTERVAL):
                return False
            changed = self._update(name)
        if changed:
            self._schemes.reload()
        return changed

    def freshness(self) -> tuple[SchemeFreshness, ...]:
        """Tell of every scheme how old it is, by the last looks of any process."""
        looks = self._looks()
        return tuple(self._freshness(directory, looks.get(directory.name, _Look())) for directory in self._directories())

    def _freshness(self, directory: Path, look: _Look) -> SchemeFreshness:
        try:
            signed_at = datetime.fromtimestamp(parse_timestamp((directory / "timestamp").read_bytes()), self._clock().tzinfo)
        except (OSError, IdemixError, ValueError, OverflowError):
            signed_at = None
        if directory.is_symlink():
            return SchemeFreshness(directory.name, signed_at, is_own=True)
        # Two intervals: a look takes a while, and one that fails once is no matter.
        is_fresh = not self._interval or (look.succeeded_at is not None and self._clock() - look.succeeded_at <= 2 * self._interval)
        stale_since = None if is_fresh else look.succeeded_at or signed_at
        return SchemeFreshness(directory.name, signed_at, False, look.checked_at, look.succeeded_at, look.error, stale_since)

    def _directories(self) -> list[Path]:
        return scheme_directories(self._path) if self._path.is_dir() else []

    def _due(self) -> list[str]:
        now, looks = self._clock(), self._looks()

        def is_due(name: str) -> bool:
            last = looks.get(name, _Look()).checked_at
            # A moment in the future is of a clock that was set back.
            return last is None or not now - self._interval < last <= now

        return [directory.name for directory in self._directories() if not directory.is_symlink() and is_due(directory.name)]

    def _may_be_fetched(self, name: str) -> bool:
        directory = self._path / name
        return directory in self._directories() and not directory.is_symlink()

    # Fetching; all of it under the lock

    def _update(self, name: str) -> bool:
        """Fetch a scheme where it changed, and note how that went; tell whether it is another now."""
        directory = self._path / name
        look = replace(self._looks().get(name, _Look()), checked_at=self._clock())
        changed = False
        try:
            changed = self._fetch(directory)
        except (IdemixError, OSError) as error:
            look = replace(look, error=str(error)[:500])
            log.warning("scheme.not_updated", scheme=name, reason=look.error, kept=True)
        else:
            look = replace(look, succeeded_at=self._clock(), error="")
        if self._stopping.is_set():
            # What was interrupted says nothing about the address.
            return changed
        self._note(name, look)
        if changed:
            log.info("scheme.updated", scheme=name)
        return changed

    def _fetch(self, directory: Path) -> bool:
        """Bring a directory to the published version; tell whether it was another.

        Raises:
            IdemixError: the published version cannot be had, or must not follow ours; the directory is as before.
            OSError: it cannot be read or written; likewise.
        """
        local = read_tree(directory)
        path = next((path for path in _DESCRIPTIONS if path in local), _DESCRIPTIONS[0])
        for needed in (path, "pk.pem", "timestamp"):
            if needed not in local:
                raise MalformedSchemeError(needed, "is missing, so that no newer version can follow")
        scheme_id, _ = scheme_type(local[path], path)
        scheme = parse_scheme_manager(local[path]) if path == _DESCRIPTIONS[0] else parse_requestor_scheme(local[path])
        server = SchemeServer(scheme.url, self._client, https_only=self._https_only)
        index = fetch_index(server, scheme_id, local["pk.pem"])
        ours, published = parse_timestamp(local["timestamp"]), parse_timestamp(index.timestamp)
        if published == ours and (index.content != local.get("index") or _is_whole(local, index.hashes)):
            return False
        if published < ours:
            raise TimestampRollbackError(f"the published version is older ({published}) than the one in use ({ours})")
        fetched = fetch_scheme(server, scheme_id, local["pk.pem"], known=local, index=index)
        # Files that are listed no more stay, as with every client; a description among them makes the version one that cannot follow.
        merged = local.with_files({**fetched, "pk.pem": local["pk.pem"]})
        if path == _DESCRIPTIONS[0] and parse_scheme_manager(merged[path]).demo:
            missing = {key: content for key, content in private_keys(server, merged) if key not in local}
            merged = merged.with_files(missing)
        self._write(merged, directory)
        return True

    def _write(self, tree: SchemeTree, directory: Path) -> None:
        verdict = verify_scheme(tree, now=int(self._clock().timestamp()), check_keys=False, lint=False)
        if verdict.status is not SchemeStatus.VALID:
            finding = verdict.errors[0]
            raise MalformedSchemeError(finding.path, f"the published version is not valid: {finding.message}")
        if self._stopping.is_set():
            raise OSError("the gateway stops")
        write_tree(tree, directory)

    def _take_assets(self) -> None:
        """Take over the schemes that the installation brings, where ours is older or missing."""
        if self._assets_path is None or not self._assets_path.is_dir():
            return
        for source in scheme_directories(self._assets_path):
            target = self._path / source.name
            try:
                brought = read_tree(source)
                if target.is_symlink() or (target.is_dir() and _timestamp(target) >= parse_timestamp(brought["timestamp"])):
                    continue
                self._write(brought, target)
            except (IdemixError, OSError, KeyError) as error:
                log.warning("scheme.asset_not_taken", scheme=source.name, reason=str(error))

    def _install_defaults(self) -> bool:
        """Install the default schemes, at most once a minute; tell whether there is one now."""
        installed = False
        for name, default in self._defaults.items():
            look = self._looks().get(name, _Look())
            if look.checked_at is not None and abs(self._clock() - look.checked_at) < ASK_INTERVAL:
                continue
            look = replace(look, checked_at=self._clock())
            try:
                tree = install_scheme(SchemeServer(default.url, self._client, https_only=self._https_only), default.public_key)
                if tree.name != name:
                    raise MalformedSchemeError(_DESCRIPTIONS[0], f"is of the scheme {tree.name}", field="Id")
                self._write(tree, self._path / name)
            except (IdemixError, OSError) as error:
                look = replace(look, error=str(error)[:500])
                log.warning("scheme.not_installed", scheme=name, reason=look.error)
            else:
                look = replace(look, succeeded_at=self._clock(), error="")
                installed = True
                log.info("scheme.installed", scheme=name)
            self._note(name, look)
        return installed

    # What processes share

    @contextmanager
    def _alone(self, *, wait: bool = False) -> Iterator[bool]:
        """Keep other processes and threads from updating; gives False where another one updates, or the folder cannot be written."""
        if not self._lock.acquire(blocking=wait):
            yield False
            return
        try:
            try:
                self._path.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self._path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                log.warning("schemes.not_writable", reason=error.strerror)
                yield False
                return
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True
            finally:
                os.close(descriptor)
        finally:
            self._lock.release()

    def _looks(self) -> dict[str, _Look]:
        """The last looks of all processes; none where the file is missing or was written by something else."""
        try:
            content = json.loads((self._path / _STATE).read_bytes())
            return {
                name: _Look(_moment(look["checked_at"]), _moment(look["succeeded_at"]), look["error"]) for name, look in content.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _note(self, name: str, look: _Look) -> None:
        looks = {**self._looks(), name: look}
        content = {
            name: {"checked_at": _text(look.checked_at), "succeeded_at": _text(look.succeeded_at), "error": look.error}
            for name, look in looks.items()
        }
        new = self._path / f"{_STATE}.{secrets.token_hex(4)}"
        try:
            new.write_text(json.dumps(content, indent=2) + "\n")
            new.replace(self._path / _STATE)
        except OSError as error:
            log.warning("schemes.not_writable", reason=error.strerror)
            new.unlink(missing_ok=True)


def _is_whole(tree: SchemeTree, hashes: Mapping[str, bytes]) -> bool:
    """Whether no file of a scheme is damaged or missing."""
    return all(path in tree and hashlib.sha256(tree[path]).digest() == digest for path, digest in hashes.items())


def _timestamp(directory: Path) -> int:
    """The timestamp of a directory; 0 where there is none, so that any version follows."""
    try:
        return parse_timestamp((directory / "timestamp").read_bytes())
    except (OSError, IdemixError):
        return 0


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

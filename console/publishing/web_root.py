"""The web root: the published versions of all schemes as clients fetch them.

A version is written whole to a folder of its own; `schemes/<id>` is a symbolic link to the one in force, and a switch is one rename of
that link. Whoever resolves the link once reads one version, never a mix; the version before stays for those who did so just now.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console.errors import RepositoryError

#: What clients decide by; caches between must ask again, since clients never do (spec of scheme updates, section 1).
_DECIDING: Final = frozenset({"index", "index.sig", "timestamp"})

# No longer than a file system takes.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._ -]{0,200}\Z")


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file to be served: where it lies, and the `Cache-Control` that goes with it."""

    path: Path
    cache_control: str


def cache_control(path: str) -> str:
    """The `Cache-Control` of a file of a scheme, by its path inside the scheme."""
    return "no-cache" if path in _DECIDING else "max-age=60"


class WebRoot:
    """The folder of links and the folder of versions; both lie in one file system.

    Args:
        directory: one link per scheme; the gateway loads its schemes from here.
        versions: `<scheme>/<version>/<scheme>/…`: a folder is called as its scheme, wherever a link leads from.
    """

    def __init__(self, directory: Path, versions: Path) -> None:
        self.directory = directory
        self.versions = versions

    def current(self, scheme_id: str) -> str | None:
        """The name of the version in force, or None."""
        link = self.directory / scheme_id
        return link.readlink().parent.name if link.is_symlink() else None

    def versions_in_force(self) -> dict[str, str]:
        """The versions in force by scheme; folders that are no links are named by their time of change."""
        if not self.directory.is_dir():
            return {}
        entries = sorted(entry for entry in self.directory.iterdir() if _NAME.match(entry.name) and entry.is_dir())
        return {entry.name: self.current(entry.name) or str(entry.stat().st_mtime_ns) for entry in entries}

    def write(self, scheme_id: str, version: str, files: Mapping[str, bytes]) -> None:
        """Write a version; one that is there is left as it is. It appears whole or not at all.

        Args:
            scheme_id: whose.
            version: a name made from its content, such as the hash of its tree.
            files: content by path inside the scheme.
        """
        target = self.versions / scheme_id / version
        if target.is_dir():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=target.parent, prefix=".making-"))
        try:
            for path, content in files.items():
                place = making / scheme_id / path
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            making.chmod(0o755)
            try:
                making.rename(target)
            except OSError:
                if not target.is_dir():  # otherwise another process wrote the same version meanwhile
                    raise
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def switch(self, scheme_id: str, version: str) -> None:
        """Put a written version in force, by one rename.

        Raises:
            RepositoryError: a folder that is not a link stands in the way.
        """
        link = self.directory / scheme_id
        if link.exists() and not link.is_symlink():
            raise RepositoryError(f"{link}: is a folder of its own and no link to a published version; move it away")
        self.directory.mkdir(parents=True, exist_ok=True)
        target = os.path.relpath(self._place(scheme_id, version), self.directory)
        with tempfile.TemporaryDirectory(dir=self.versions / scheme_id, prefix=".link-") as making:
            fresh = Path(making) / scheme_id
            fresh.symlink_to(target)
            fresh.replace(link)

    def prune(self, scheme_id: str, keep: Collection[str]) -> None:
        """Remove what is neither in force nor in `keep`, and what a killed process left half-made."""
        kept = {*keep, self.current(scheme_id)}
        for folder in (self.versions / scheme_id).iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def find(self, scheme_id: str, path: str) -> ServedFile | None:
        """The file that a client asks for, or None: there is none, or it is none that clients fetch.

        Args:
            scheme_id: the first part of the address.
            path: the rest, decoded.
        """
        version = self.current(scheme_id) if _NAME.match(scheme_id) else None
        if version is None or len(path) > 500 or not all(_PART.match(part) for part in path.split("/")):
            return None
        place = self._place(scheme_id, version) / path
        return ServedFile(place, cache_control(path)) if place.is_file() and not place.is_symlink() else None

    def _place(self, scheme_id: str, version: str) -> Path:
        return self.versions / scheme_id / version / scheme_id

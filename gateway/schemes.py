"""The schemes and issuer keys that sessions use now.

Schemes are read from directories and used only where their signature holds. A scheme that stops verifying stays in use as it
last was. A reload makes a new value; sessions that run keep the one they began with for the length of a request.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import structlog

from idemix.clock import Clock
from idemix.errors import IdemixError, UnknownIdentifierError, UnknownPublicKeyError
from idemix.keys.private import PrivateKey
from idemix.keys.public import PublicKey
from idemix.scheme.configuration import Configuration
from idemix.scheme.identifiers import IssuerId
from idemix.scheme.tree import SchemeTree

from .config import ConfigurationError, Problem
from .custody.errors import CustodyError
from .permissions import NO_PRIVATE_KEY, NO_REVOCATION
from .scheme_files import read_tree, scheme_directories

log = structlog.get_logger(__name__)

KEY_FILE: Final = re.compile(r"([^.]+\.[^.]+?)(?:\.(\d+))?\.xml")


class CustodyKeys(Protocol):
    """What custody offers of issuer keys."""

    def active(self) -> Mapping[str, Mapping[int, str]]:
        """The activated keys: by issuer and counter the fingerprint of the public key."""
        ...

    def private_key(self, issuer_id: str, counter: int, *, retired: bool = False) -> PrivateKey:
        """Open a private key that is active, or was."""
        ...

    def revoking(self, issuer_id: str) -> Mapping[int, str]:
        """The keys, active or retired, that support revocation: by counter the fingerprint of the public key."""
        ...


KeyFiles = Mapping[IssuerId, Mapping[int, PrivateKey]]


@dataclass(frozen=True, slots=True)
class IssuingKey:
    """What an issuer's credentials would be signed with now.

    Attributes:
        issuer: whose.
        counter, expires_at: of the key; None where an issuer that should have one has none that can be used.
    """

    issuer: IssuerId
    counter: int | None
    expires_at: datetime | None


class IssuerKeyRing:
    """The private keys to issue with: of the key folder, of demo schemes, and of custody.

    Keys are opened when first used and kept as long as this ring.

    Args:
        configuration: the schemes, whose public keys decide which private keys may be used.
        files: the keys of the key folder.
        custody: opens keys in custody, or None where there is none.
    """

    def __init__(self, configuration: Configuration, files: KeyFiles, custody: CustodyKeys | None = None) -> None:
        self._configuration = configuration
        self._files = files
        self._custody = custody
        self._active: Mapping[str, Mapping[int, str]] = {} if custody is None else custody.active()
        self._lock = threading.Lock()
        self._opened: dict[tuple[IssuerId, int], PrivateKey] = {}
        self._revoking: dict[tuple[IssuerId, int], PrivateKey] = {}

    def signing_key(self, issuer: IssuerId, counter: int | None = None) -> tuple[PublicKey, PrivateKey]:
        """The key pair of an issuer: of one counter, or of the highest that is activated and published.

        Raises:
            UnknownIdentifierError: there is none.
        """
        for candidate in sorted(self.active_counters(issuer) if counter is None else {counter}, reverse=True):
            try:
                public_key = self._configuration.public_key(issuer, candidate)
            except UnknownPublicKeyError:
                continue
            private_key = self._open(issuer, candidate)
            if private_key is not None and private_key.N == public_key.N:
                return public_key, private_key
        raise UnknownIdentifierError(str(issuer), NO_PRIVATE_KEY)

    def revocation_keys(self, issuer: IssuerId) -> dict[int, tuple[PublicKey, PrivateKey]]:
        """The key pairs of an issuer that support revocation, retired ones too, since what they signed can still be revoked."""
        retired = {} if self._custody is None else self._custody.revoking(str(issuer))
        found: dict[int, tuple[PublicKey, PrivateKey]] = {}
        for counter in sorted(self.active_counters(issuer) | set(retired)):
            try:
                pair = self.signing_key(issuer, counter)
            except UnknownIdentifierError:
                retired_pair = self._retired(issuer, counter, retired.get(counter))
                if retired_pair is None:
                    continue
                pair = retired_pair
            if pair[0].supports_revocation and pair[1].ecdsa is not None:
                found[counter] = pair
        return found

    def _retired(self, issuer: IssuerId, counter: int, fingerprint: str | None) -> tuple[PublicKey, PrivateKey] | None:
        """A key pair in custody that signs no credentials any more; None where its public key is not published."""
        try:
            public_key = self._configuration.public_key(issuer, counter)
        except UnknownPublicKeyError:
            return None
        if self._custody is None or fingerprint is None or fingerprint != public_key.fingerprint():
            return None
        with self._lock:
            key = self._revoking.get((issuer, counter))
            if key is None:
                key = self._revoking[issuer, counter] = self._custody.private_key(str(issuer), counter, retired=True)
            return public_key, key

    def problem(self, issuer: IssuerId, *, revocation: bool) -> str | None:
        """Why the issuer's newest key cannot be used for issuing, or for revoking; None where it can."""
        try:
            _, private_key = self.signing_key(issuer)
        except UnknownIdentifierError:
            return NO_PRIVATE_KEY
        return NO_REVOCATION if revocation and private_key.ecdsa is None else None

    def newest(self) -> Iterator[IssuingKey]:
        """The key of every issuer whose keys we keep, in the key folder or in custody; those that demo schemes publish are not ours."""
        kept = {issuer for issuer in self._files if issuer in self._configuration.issuers} | {IssuerId(issuer) for issuer in self._active}
        for issuer in sorted(kept, key=str):
            try:
                public_key, _ = self.signing_key(issuer)
            except (IdemixError, CustodyError):
                yield IssuingKey(issuer, None, None)
            else:
                yield IssuingKey(issuer, public_key.counter, datetime.fromtimestamp(public_key.expires_at, UTC))

    def active_counters(self, issuer: IssuerId) -> set[int]:
        """The counters of the keys that are activated for issuing; not all of them need be published."""
        counters = set(self._files.get(issuer, ())) | set(self._active.get(str(issuer), ()))
        if self._is_demo(issuer):
            counters |= set(self._configuration.private_key_files(issuer))
        return counters

    def _is_demo(self, issuer: IssuerId) -> bool:
        scheme = self._configuration.schemes.get(issuer.scheme)
        return scheme is not None and scheme.demo

    def _open(self, issuer: IssuerId, counter: int) -> PrivateKey | None:
        with self._lock:
            key = self._opened.get((issuer, counter))
            if key is None:
                key = self._read(issuer, counter)
                if key is not None:
                    self._opened[issuer, counter] = key
            return key

    def _read(self, issuer: IssuerId, counter: int) -> PrivateKey | None:
        file = self._files.get(issuer, {}).get(counter)
        if file is not None:
            return file
        fingerprint = self._active.get(str(issuer), {}).get(counter)
        # Where another key is published under this number, nobody could verify what ours signs.
        if self._custody is not None and fingerprint == self._configuration.public_key(issuer, counter).fingerprint():
            return self._custody.private_key(str(issuer), counter)
        if self._is_demo(issuer) and counter in self._configuration.private_key_files(issuer):
            return self._configuration.private_key(issuer, counter)
        return None


@dataclass(frozen=True, slots=True)
class LoadedSchemes:
    """What one reading gave.

    Attributes:
        configuration: the schemes.
        issuer_keys: the keys to issue with.
    """

    configuration: Configuration
    issuer_keys: IssuerKeyRing


class SchemeSource(Protocol):
    """Where the gateway gets its schemes."""

    @property
    def current(self) -> LoadedSchemes:
        """The schemes in use."""
        ...

    def reload(self) -> None:
        """Read them again."""
        ...

    def look_for(self, identifier: str) -> bool:
        """Look whether the scheme of an unknown identifier was published anew; tell whether the schemes are others now."""
        ...


class FixedSchemes:
    """Schemes that never change: those of a test, of a replay, or of a look at what would run."""

    def __init__(self, configuration: Configuration, files: KeyFiles | None = None, custody: CustodyKeys | None = None) -> None:
        self._current = LoadedSchemes(configuration, IssuerKeyRing(configuration, files or {}, custody))

    @property
    def current(self) -> LoadedSchemes:
        return self._current

    def reload(self) -> None:
        """There is nothing to read again."""

    def look_for(self, identifier: str) -> bool:  # noqa: ARG002 - of the protocol
        """Nothing new is published."""
        return False


class SchemeDirectories:
    """Schemes from a folder of scheme directories, with keys from a key folder and from custody.

    Args:
        schemes_path: the folder; each directory in it is a scheme.
        privkeys: the folder of private keys, or None.
        custody: opens issuer keys in custody, or None.
        clock: tells what has expired.

    Raises:
        ConfigurationError: a private key cannot be read.
    """

    def __init__(self, schemes_path: Path, privkeys: Path | None, custody: CustodyKeys | None, clock: Clock) -> None:
        self._schemes_path = schemes_path
        self._files = {} if privkeys is None else read_key_folder(privkeys)
        self._custody = custody
        self._clock = clock
        self._lock = threading.Lock()
        self._good: dict[str, SchemeTree] = {}
        self._seen: object = None
        #: Asks the scheme's address; set where schemes are updated.
        self.updater: Callable[[str], bool] | None = None
        self.reload()

    @property
    def current(self) -> LoadedSchemes:
        return self._current

    def reload(self) -> None:
        """Read the directories and the activated keys again; a scheme that does not verify any more stays as it was."""
        with self._lock:
            # Before reading: what changes while it is read is read again.
            self._seen = self._look()
            now = int(self._clock().timestamp())
            trees = {tree.name: tree for tree in self._trees()}
            configuration, problems = Configuration.load(trees.values(), now=now)
            failed = {problem.directory for problem in problems if problem.known or problem.directory in self._good}
            for problem in problems:
                log.warning("scheme.refused", directory=problem.directory, reason=str(problem), kept=problem.directory in self._good)
            kept = {name: self._good[name] for name in failed if name in self._good}
            if kept:
                trees |= kept
                configuration, _ = Configuration.load(trees.values(), now=now)
            self._good = {name: tree for name, tree in trees.items() if name in kept or name not in failed}
            self._current = LoadedSchemes(configuration, IssuerKeyRing(configuration, self._files, self._custody))

    def reload_if_changed(self) -> None:
        """Read again where another process wrote a directory since the last reading."""
        if self._look() != self._seen:
            self.reload()

    def look_for(self, identifier: str) -> bool:
        """Look whether the scheme of an unknown identifier was published anew; tell whether the schemes are others now."""
        return self.updater is not None and self.updater(identifier)

    def _look(self) -> object:
        """What tells that a directory was written: name, inode and time of each scheme's index."""
        if not self._schemes_path.is_dir():
            return None
        found = []
        for directory in scheme_directories(self._schemes_path):
            try:
                status = (directory / "index").stat()
            except OSError:
                continue
            found.append((directory.name, status.st_ino, status.st_mtime_ns))
        return found

    def _trees(self) -> Iterator[SchemeTree]:
        return read_trees(self._schemes_path, self._good)


def read_trees(schemes_path: Path, good: Mapping[str, SchemeTree] = MappingProxyType({})) -> Iterator[SchemeTree]:
    """Read the directories of a scheme folder; one that cannot be read is told, and replaced by the tree that was good before."""
    if not schemes_path.is_dir():
        return
    for directory in scheme_directories(schemes_path):
        try:
            yield read_tree(directory)
        except (OSError, IdemixError) as error:
            log.warning("scheme.unreadable", directory=directory.name, reason=str(error), kept=directory.name in good)
            if directory.name in good:
                yield good[directory.name]


def read_key_folder(folder: Path) -> dict[IssuerId, dict[int, PrivateKey]]:
    """Read the private keys `scheme.issuer.xml` and `scheme.issuer.N.xml` of a folder.

    Raises:
        ConfigurationError: with every file that is no private key, or names another counter than it holds.
    """
    keys: dict[IssuerId, dict[int, PrivateKey]] = {}
    problems: list[Problem] = []
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigurationError([Problem("privkeys", f"the folder cannot be read: {error}")]) from error
    for path in paths:
        match = KEY_FILE.fullmatch(path.name)
        if match is None:
            continue
        try:
            key = PrivateKey.from_xml(path.read_bytes())
        except (OSError, IdemixError) as error:
            problems.append(Problem("privkeys", f"{path.name}: {error}"))
            continue
        if match[2] is not None and int(match[2]) != key.counter:
            problems.append(Problem("privkeys", f"{path.name}: the counter inside is {key.counter}"))
        keys.setdefault(IssuerId(match[1]), {})[key.counter] = key
    if problems:
        raise ConfigurationError(problems)
    return keys

"""The configuration that the web root holds: what the gateway knows of schemes, for checks of permissions."""

import threading

from console.publishing.web_root import WebRoot
from gateway.scheme_files import read_tree
from idemix.clock import Clock
from idemix.scheme.configuration import Configuration


class ServedConfiguration:
    """Reads the schemes in force, anew when a publication switched one.

    Args:
        web_root: the schemes in force.
        clock: judges what has expired.
    """

    def __init__(self, web_root: WebRoot, clock: Clock) -> None:
        self._web_root = web_root
        self._clock = clock
        self._lock = threading.Lock()
        self._versions: dict[str, str] | None = None
        self._configuration = Configuration()

    def __call__(self) -> Configuration:
        """The configuration as it is now. A scheme that is not valid is left out, as the gateway leaves it out."""
        with self._lock:
            versions = self._web_root.versions_in_force()
            if versions != self._versions:
                trees = [read_tree(self._web_root.directory / scheme_id) for scheme_id in versions]
                self._configuration, _ = Configuration.load(trees, now=int(self._clock().timestamp()))
                self._versions = versions
            return self._configuration

"""When each key of a requestor was last used: noted per request, written in batches beside them."""

from collections.abc import Callable, Mapping
from datetime import datetime

from idemix.clock import Clock

from .batches import Batches


class KeyUse(Batches[int, datetime]):
    """Collects the uses of keys.

    Args:
        clock: tells when.
        write: writes the times by key id.
    """

    def __init__(self, clock: Clock, write: Callable[[Mapping[int, datetime]], None]) -> None:
        super().__init__(clock, write, join=lambda _before, after: after)

    def note(self, key_id: int) -> None:
        """Note that a key is used now; those of the configuration, which have the id 0, are not counted."""
        if key_id:
            self.add(key_id, self._clock())

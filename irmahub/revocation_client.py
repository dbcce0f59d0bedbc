"""Fetches revocation updates from the servers of a credential type.

Source: irmago `irma/revocation.go` (RevocationClient).
"""

from collections.abc import Callable
from typing import Final, TypeVar

import httpx

from idemix.errors import IdemixError
from idemix.keys.public import PublicKey
from idemix.revocation import EventList, Update, event_blocks
from idemix.revocation.update import DEFAULT_UPDATE_COUNT
from idemix.scheme.descriptions import CredentialType

#: The longest answer that is read. A block of 512 events has some 14 kB.
MAX_ANSWER_BYTES: Final = 1 << 20

T = TypeVar("T")


class UpdatesUnavailableError(IdemixError):
    """No revocation server of a credential type gave a usable answer."""


class RevocationClient:
    """Asks revocation servers.

    Args:
        http: the connection.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def update_from(self, credential_type: CredentialType, public_key: PublicKey, first_index: int) -> Update:
        """Fetch the newest accumulator and all events from an index on, or more.

        Args:
            credential_type: a type that can be revoked.
            public_key: the issuer's key.
            first_index: the index of the first event that is needed.

        Raises:
            UpdatesUnavailableError: no server gives them.
            VerificationError, MalformedError: what the servers give does not fit together.
        """
        count = credential_type.revocation_update_count or DEFAULT_UPDATE_COUNT
        path = f"update/{count}/{public_key.counter}"
        update = self._get(credential_type, path, lambda data: Update.from_cbor(data, "update"))
        known_from = update.first_index(update.verify(public_key))
        earlier: EventList | None = None
        for start, stop in event_blocks(first_index, known_from - 1):
            path = f"events/{public_key.counter}/{start}/{stop}"
            block = self._get(credential_type, path, lambda data: EventList.from_cbor(data, "events"))
            earlier = block if earlier is None else block.after(earlier)
        return update if earlier is None else update.after(earlier, public_key)

    def _get(self, credential_type: CredentialType, path: str, read: Callable[[bytes], T]) -> T:
        """Ask one server after another, until one gives an answer that can be read."""
        reasons = []
        for server in credential_type.revocation_servers:
            url = f"{server.rstrip('/')}/revocation/{credential_type.id}/{path}"
            try:
                answer = self._http.get(url)
                if answer.is_success and len(answer.content) <= MAX_ANSWER_BYTES:
                    return read(answer.content)
                reasons.append(f"{url}: {answer.status_code}")
            except (httpx.HTTPError, httpx.InvalidURL, IdemixError) as error:
                reasons.append(f"{url}: {error}")
        raise UpdatesUnavailableError(f"no revocation server of {credential_type.id} gives {path}: {'; '.join(reasons)}")

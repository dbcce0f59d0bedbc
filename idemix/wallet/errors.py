"""Why a wallet does not take part in a session."""

from ..errors import IdemixError
from ..scheme.identifiers import CredentialTypeId


class WalletError(IdemixError):
    """Base of the wallet's refusals."""


class UnsatisfiableRequestError(WalletError):
    """The wallet holds nothing that satisfies some disjunctions.

    Attributes:
        missing: their indices.
    """

    def __init__(self, missing: tuple[int, ...]) -> None:
        super().__init__(f"nothing held satisfies disclose[{missing[0]}]" + (f" and {len(missing) - 1} more" if missing[1:] else ""))
        self.missing = missing


class EventsNeededError(WalletError):
    """The revocation updates of a request do not reach back to a witness. Fetch what is missing, and give it to `Wallet.apply_update`.

    Attributes:
        credential_type, key_counter: whose events.
        first_index: the index of the first event that is missing.
    """

    def __init__(self, credential_type: CredentialTypeId, key_counter: int, first_index: int) -> None:
        super().__init__(f"the revocation events of {credential_type}, key {key_counter}, are missing from {first_index} on")
        self.credential_type = credential_type
        self.key_counter = key_counter
        self.first_index = first_index


class RefusedSessionError(WalletError):
    """The server asks for a session that a careful holder does not do."""


class RejectedAnswerError(WalletError):
    """The server did not accept the answer, or did not do its part."""

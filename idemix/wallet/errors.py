"""Why a wallet does not take part in a session."""

from ..errors import IdemixError


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


class RefusedSessionError(WalletError):
    """The server asks for a session that a careful holder does not do."""


class RejectedAnswerError(WalletError):
    """The server did not accept the answer, or did not do its part."""

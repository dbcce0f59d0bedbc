"""The holder's side: a wallet that answers disclosure, signature and issuance sessions, and chains of them."""

from .choice import Candidates, Choice, ChosenAttribute, default_choice
from .credentials import HeldCredential
from .errors import EventsNeededError, RefusedSessionError, RejectedAnswerError, UnsatisfiableRequestError, WalletError
from .wallet import MAX_VERSION, MIN_VERSION, Outcome, PreparedAnswer, Wallet

__all__ = [
    "MAX_VERSION",
    "MIN_VERSION",
    "Candidates",
    "Choice",
    "ChosenAttribute",
    "EventsNeededError",
    "HeldCredential",
    "Outcome",
    "PreparedAnswer",
    "RefusedSessionError",
    "RejectedAnswerError",
    "UnsatisfiableRequestError",
    "Wallet",
    "WalletError",
    "default_choice",
]

"""Where we refuse what the reference implementation accepts: the rules, each with its error and its reason.

docs/compatibility.md shows the same table to people; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .errors import IdemixError, InvalidProofError, MalformedProofError


@dataclass(frozen=True, slots=True)
class Departure:
    """One rule of ours that is stricter than the reference.

    Attributes:
        rule: its name, as errors carry it in `departure`.
        error: the class of the error that refuses.
        reason: why we refuse, in a sentence for people.
    """

    rule: str
    error: type[IdemixError]
    reason: str


_RULES: Final = (
    Departure("overlapping-indices", MalformedProofError, "An attribute is either disclosed or hidden: an index in both maps is refused."),
    Departure("response-size", InvalidProofError, "Every response has an upper bound that honest provers keep."),
)

DEPARTURES: Final[Mapping[str, Departure]] = {rule.rule: rule for rule in _RULES}

"""What a holder can disclose for a request, and what is disclosed unless the holder says otherwise.

Source: irmago `irma/irmaclient/irmaclient.go` (Candidates, groupCredentials).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

from ..messages import DisclosedIndex, Indices
from ..request.condiscon import Con, ConDisCon
from ..scheme.identifiers import AttributeTypeId, CredentialTypeId
from .credentials import METADATA, HeldCredential
from .errors import UnsatisfiableRequestError


@dataclass(frozen=True, slots=True)
class ChosenAttribute:
    """An attribute, or a credential as such, of one credential that is held."""

    identifier: AttributeTypeId | CredentialTypeId
    credential: HeldCredential


#: One way to satisfy a disjunction.
Candidate: TypeAlias = tuple[ChosenAttribute, ...]
#: All ways to satisfy each disjunction.
Candidates: TypeAlias = tuple[tuple[Candidate, ...], ...]
#: The way taken for each disjunction.
Choice: TypeAlias = tuple[Candidate, ...]
Chooser: TypeAlias = Callable[[Candidates], Choice]


def find_candidates(
    condiscon: ConDisCon,
    credentials: Sequence[HeldCredential],
    *,
    at: float,
    skip_expiry_check: Collection[CredentialTypeId] = (),
    non_revocation: Collection[CredentialTypeId] = (),
) -> Candidates:
    """Find all ways to satisfy each disjunction, in the order of its conjunctions and of the credentials.

    Attributes of one credential type within a conjunction come from one credential. Revoked credentials satisfy nothing.

    Args:
        condiscon: what is asked for.
        credentials: what is held.
        at: Unix seconds at which a credential must not have expired.
        skip_expiry_check: credential types that may have expired.
        non_revocation: credential types for which non-revocation must be proved, which takes a witness.
    """
    usable = [
        held
        for held in credentials
        if (held.type.id in skip_expiry_check or not held.has_expired(at))
        and not held.is_revoked
        and not (held.type.id in non_revocation and held.witness is None)
    ]
    return tuple(tuple(candidate for con in discon for candidate in _con_candidates(con, usable)) for discon in condiscon)


def _con_candidates(con: Con, credentials: Sequence[HeldCredential]) -> Iterable[Candidate]:
    types = tuple(dict.fromkeys(attribute.credential_type for attribute in con))
    for combination in product(*([held for held in credentials if held.type.id == type_id] for type_id in types)):
        by_type = dict(zip(types, combination, strict=True))
        chosen = tuple(ChosenAttribute(attribute.type, by_type[attribute.credential_type]) for attribute in con)
        if all(
            pick.credential.base_of(wanted.type) is not None and wanted.is_satisfied_by(wanted.type, pick.credential.value_of(wanted.type))
            for wanted, pick in zip(con, chosen, strict=True)
        ):
            yield chosen


def default_choice(candidates: Candidates) -> Choice:
    """Take the first way for each disjunction, in the order of the request.

    Raises:
        UnsatisfiableRequestError: there is none for some.
    """
    missing = tuple(index for index, ways in enumerate(candidates) if not ways)
    if missing:
        raise UnsatisfiableRequestError(missing)
    return tuple(ways[0] for ways in candidates)


def group_credentials(choice: Choice) -> tuple[tuple[tuple[HeldCredential, frozenset[int]], ...], Indices]:
    """Find what each credential must disclose, one proof a credential, and where a verifier finds each attribute.

    Returns:
        The credentials with the bases to disclose, metadata always among them; and one list of indices per disjunction.
    """
    positions: dict[str, int] = {}
    credentials: list[HeldCredential] = []
    disclosed: list[set[int]] = []
    indices: list[tuple[DisclosedIndex, ...]] = []
    for candidate in choice:
        entry = []
        for pick in candidate:
            position = positions.setdefault(pick.credential.hash, len(credentials))
            if position == len(credentials):
                credentials.append(pick.credential)
                disclosed.append({METADATA})
            base = pick.credential.base_of(pick.identifier)
            if base is None:
                raise ValueError(f"{pick.credential.type.id} has no {pick.identifier}")
            disclosed[position].add(base)
            entry.append(DisclosedIndex(position, base))
        indices.append(tuple(entry))
    return tuple((held, frozenset(bases)) for held, bases in zip(credentials, disclosed, strict=True)), tuple(indices)

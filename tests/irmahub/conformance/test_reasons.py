"""The recorded reasons, each of one kind and with one class of our error."""

import json
from collections.abc import Iterator
from itertools import chain

import pytest

from idemix.errors import ChallengeMismatchError, IdemixError, InvalidProofError, MalformedProofError, ResponseSizeError
from irmahub.conformance.core import Mismatch
from irmahub.conformance.reasons import REASONS, expect_class, kinds_of
from tests.support.shared import SHARED

#: The vectors, and their lists that hold reasons.
LISTS = {
    "challenge": ["bigint_json"],
    "proofs": ["cases"],
    "rangeproof": ["cases"],
    "revocation": ["updates", "witness_checks", "witness_updates", "nonrevocation_proofs"],
    "verify": ["cases"],
}


def recorded_reasons() -> Iterator[str]:
    """Every text with which the recorded reference refuses proofs, revocation messages and integers."""
    for name, lists in LISTS.items():
        document = json.loads((SHARED / "vectors" / f"{name}.json").read_bytes())
        for part in document.get("chains", [document]):
            for case in chain.from_iterable(part.get(key, ()) for key in lists):
                for record in (case, case.get("expected", {}), *case.get("checks", ()), *case.get("steps", ())):
                    yield from filter(None, (record.get("reason"), record.get("error")))


def test_every_recorded_reason_is_of_a_kind_and_every_kind_is_recorded() -> None:
    kinds = {kind for reason in recorded_reasons() for kind in kinds_of(reason)}
    assert kinds == set(REASONS)


def test_a_reason_with_several_parts_has_the_class_of_each() -> None:
    reason = "proof 0: response size out of bounds; proof 1: challenge mismatch"
    assert [kind.error for kind in kinds_of(reason)] == [ResponseSizeError, ChallengeMismatchError]
    expect_class(reason, ChallengeMismatchError("x"))
    expect_class(reason, ResponseSizeError("x"))


def test_a_reason_of_no_kind_fails() -> None:
    with pytest.raises(Mismatch, match="no known kind: 'the moon is full'"):
        expect_class("proof 0: challenge mismatch; the moon is full", ChallengeMismatchError("x"))


@pytest.mark.parametrize("error", [InvalidProofError("x"), ResponseSizeError("x"), MalformedProofError("proofs", "x")])
def test_another_class_fails(error: IdemixError) -> None:
    with pytest.raises(Mismatch, match="recorded is 'proof 0: challenge mismatch'"):
        expect_class("proof 0: challenge mismatch", error)


def test_a_rule_of_ours_may_have_refused_before_with_its_own_class() -> None:
    expect_class("proof 0: challenge mismatch", ResponseSizeError("x", departure="response-size"))
    with pytest.raises(Mismatch, match="refused as ChallengeMismatchError"):
        expect_class("proof 0: response size out of bounds", ChallengeMismatchError("x", departure="response-size"))

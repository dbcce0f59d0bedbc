"""The recorded reasons, each of one kind and with one class of our error."""

import json

import pytest

from idemix.errors import ChallengeMismatchError, InvalidProofError, MalformedProofError, ResponseSizeError
from irmahub.conformance.core import Mismatch
from irmahub.conformance.reasons import REASONS, classes_of, expect_class
from tests.support.shared import SHARED


def test_every_recorded_reason_is_of_a_kind_and_every_kind_is_recorded() -> None:
    cases = json.loads((SHARED / "vectors" / "proofs.json").read_bytes())["cases"]
    reasons = {case.get("expected", {}).get("reason", "") for case in cases} - {""}
    classes = {error for reason in reasons for error in classes_of(reason)}
    assert classes == {reason.error for reason in REASONS}


def test_a_reason_with_several_parts_has_the_class_of_each() -> None:
    reason = "proof 0: response size out of bounds; proof 1: challenge mismatch"
    assert classes_of(reason) == (ResponseSizeError, ChallengeMismatchError)
    expect_class(reason, ChallengeMismatchError("x"))
    expect_class(reason, ResponseSizeError("x"))


def test_a_reason_of_no_kind_fails() -> None:
    with pytest.raises(Mismatch, match="no known kind: 'the moon is full'"):
        expect_class("proof 0: challenge mismatch; the moon is full", ChallengeMismatchError("x"))


@pytest.mark.parametrize("error", [InvalidProofError("x"), ResponseSizeError("x"), MalformedProofError("proofs", "x")])
def test_another_class_fails_unless_a_rule_refused_first(error: InvalidProofError) -> None:
    with pytest.raises(Mismatch, match="recorded is 'proof 0: challenge mismatch'"):
        expect_class("proof 0: challenge mismatch", error)
    error.departure = "response-size"
    expect_class("proof 0: challenge mismatch", error)

"""The recorded verifications of disclosures and signed messages."""

import json
from pathlib import Path

import pytest

from irmahub.conformance import verification as shape
from irmahub.conformance.core import Case, Context, Departed
from tests.support.shared import shared


def recorded() -> list[Case]:
    context = Context(folder=shared("vectors"), schemes=shared("schemes"))
    return list(shape.cases(json.loads(Path(context.folder, "verify.json").read_bytes()), context))


@pytest.mark.parametrize("case", recorded(), ids=lambda case: case.name)
def test_verification(case: Case) -> None:
    outcome = case.run()
    if case.name == "crafted-overlap-false-value":
        assert outcome == Departed("overlapping-indices")
    elif outcome is not None:
        assert case.name.startswith("lenient-")

"""The recorded session requests."""

import json
from pathlib import Path

import pytest

from idemix.departures import DEPARTURES
from irmahub.conformance import requests as shape
from irmahub.conformance.core import Case, Context, Departed
from tests.support.shared import shared


def recorded() -> list[Case]:
    context = Context(folder=shared("vectors"), schemes=shared("schemes"))
    return list(shape.cases(json.loads(Path(context.folder, "requests.json").read_bytes()), context))


@pytest.mark.parametrize("case", recorded(), ids=lambda case: case.name)
def test_request(case: Case) -> None:
    assert case.row is None
    outcome = case.run()
    assert outcome is None or (isinstance(outcome, Departed) and outcome.rule in DEPARTURES)

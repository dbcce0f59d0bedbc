"""The recorded hashes, keys, signatures, proofs and attributes, each case a test."""

import json
from collections.abc import Iterator

import pytest

from irmahub.conformance import attributes, challenge, cl, keys, proofs
from irmahub.conformance.core import Case, Context
from tests.support.shared import shared

_SHAPES = {"challenge": challenge, "keys": keys, "cl": cl, "proofs": proofs, "attributes": attributes}


def _cases() -> Iterator[object]:
    context = Context(shared("vectors"), shared("schemes"))
    for name, shape in _SHAPES.items():
        document = json.loads(shared("vectors", f"{name}.json").read_bytes())
        assert shape.matches(document)
        for case in shape.cases(document, context):
            if case.row is None:
                yield pytest.param(case, id=f"{name}-{case.group}-{case.name}")


@pytest.mark.parametrize("case", list(_cases()))
def test_agrees_with_the_record(case: Case) -> None:
    case.run()

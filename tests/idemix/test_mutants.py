"""What the tests of proofs and checks would miss: a sample of small changes to the code, each of which one of them must notice."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.mutation import mutants
from tests.support.measurements import record
from tests.support.shared import ROOT

#: The mutants that no test can notice, with the reason.
EQUIVALENT: Final[dict[str, str]] = json.loads((Path(__file__).parent / "equivalent_mutants.json").read_text())


@pytest.mark.long
def test_no_mutant_of_the_sample_goes_unnoticed() -> None:
    """`make mutants` runs it; what comes of it stands in docs/measurements/mutants.json."""
    command = [sys.executable, "-m", "tests.mutation"]
    outcome = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    survivors = outcome.pop("survivors")
    outcome["survivors"] = {name: EQUIVALENT.get(name) for name in survivors}
    record("mutants", outcome)
    assert [name for name in survivors if name not in EQUIVALENT] == []


def test_every_mutant_that_is_excused_exists() -> None:
    paths = {name.partition(":")[0] for name in EQUIVALENT}
    names = {mutant.name for path in paths for mutant in mutants(path)}
    assert set(EQUIVALENT) <= names
    assert all(reason.endswith(".") for reason in EQUIVALENT.values())

"""Whole sessions with 16 clients through Redis: the medians of five runs of a minute, and where the processor time goes."""

import pytest

from irmahub.bench import sessions
from tests.support.measurements import record
from tests.support.shared import ROOT

PROFILE = """# What a session costs beside its proof

Written by `pytest -m long tests/measurements/test_sessions.py`, which runs `irmahub bench sessions --profile --store redis --auth open`.
Milliseconds of processor time of one session, by part, each without what it calls of the others.

{}
"""


@pytest.mark.long
def test_sessions() -> None:
    rows = sessions.run(stores=["redis"], runs=5, seconds=60)
    record("sessions", {"rows": [row.to_json() for row in rows]})


@pytest.mark.long
def test_profile() -> None:
    found = sessions.profile(kinds=sessions.KINDS, stores=["redis"], authentications=["open"])
    (ROOT / "docs" / "measurements" / "sessions-profile.md").write_text(PROFILE.format("\n\n".join(map(sessions.profile_markdown, found))))

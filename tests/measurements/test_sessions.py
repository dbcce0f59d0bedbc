"""Whole sessions with 16 clients through Redis: the medians of five runs, and where the processor time goes."""

import pytest

from irmahub.bench import sessions
from tests.support.measurements import record
from tests.support.shared import ROOT

PROFILE = """# What a session costs beside its proof

Written by `pytest -m long tests/measurements/test_sessions.py`, which runs `irmahub bench sessions --profile --store redis --auth open`.
Milliseconds of processor time of one session, by part, each without what it calls of the others.

{}
"""


def _rows(auth: str, seconds: float) -> list[sessions.SessionsRow]:
    return sessions.run(stores=["redis"], authentications=[auth], runs=5, seconds=seconds)


@pytest.mark.long
def test_sessions() -> None:
    # Open, as the reference was measured; signed requests beside it, in shorter runs.
    rows = [row for auth, seconds in (("open", 60), ("rs256", 20)) for row in _rows(auth, seconds)]
    record("sessions", {"rows": [row.to_json() for row in rows]})


@pytest.mark.long
def test_profile() -> None:
    found = sessions.profile(kinds=sessions.KINDS, stores=["redis"], authentications=["open"])
    (ROOT / "docs" / "measurements" / "sessions-profile.md").write_text(PROFILE.format("\n\n".join(map(sessions.profile_markdown, found))))

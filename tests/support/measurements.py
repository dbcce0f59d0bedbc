"""Measured figures, kept in docs/measurements with the date and the commit that they belong to."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.shared import ROOT


def record(name: str, figures: Mapping[str, Any], *, features: Iterable[str] = ()) -> None:
    """Write `docs/measurements/NAME.json`.

    Args:
        name: what was measured.
        figures: what came of it.
        features: the clauses of docs/features.md that it shows.
    """
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    document = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "cores": os.cpu_count(),
        "features": sorted(features),
        **figures,
    }
    (ROOT / "docs" / "measurements" / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")

"""Where the recorded vectors and schemes lie that many tests compare with."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("IRMAHUB_SHARED", ROOT.parent / "shared"))


def shared(*parts: str) -> Path:
    """The path of a shared file or folder, e.g. `shared("vectors", "cl.json")`; skips the test where it is absent."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{'/'.join(parts)} is absent: set IRMAHUB_SHARED to the folder of vectors and schemes", allow_module_level=True)
    return path

"""Logs are JSON, whoever writes them, and hold no raw control character."""

import json
import subprocess
import sys

import pytest

PROGRAM = r"""
import logging, structlog
from irmahub.logs import configure_logs
log = structlog.get_logger("gateway.app")
configure_logs("info")
log.debug("unseen")
log.info("request.answered", path="a\n\x1b[31mb", status=200)
logging.getLogger("uvicorn.error").warning("took %d ms", 5)
try:
    raise ValueError("broken")
except ValueError as error:
    log.error("request.failed", exc_info=error)
"""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stderr.splitlines()


def test_every_line_is_a_json_object_with_time_level_and_logger(lines: list[str]) -> None:
    entries = [json.loads(line) for line in lines]
    assert [(entry["level"], entry["logger"], entry["event"]) for entry in entries] == [
        ("info", "gateway.app", "request.answered"),
        ("warning", "uvicorn.error", "took 5 ms"),
        ("error", "gateway.app", "request.failed"),
    ]
    assert all(entry["timestamp"].endswith("Z") for entry in entries)
    assert "ValueError: broken" in entries[2]["exception"]


def test_control_characters_are_escaped(lines: list[str]) -> None:
    assert json.loads(lines[0])["path"] == "a\n\x1b[31mb"
    assert "\x1b" not in lines[0]

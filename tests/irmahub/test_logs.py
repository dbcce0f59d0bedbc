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


def test_lines_may_be_text_of_one_line_each() -> None:
    program = PROGRAM.replace('configure_logs("info")', 'configure_logs("info", as_json=False)')
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    answered, took, failed = run.stderr.splitlines()
    assert answered.endswith(r'info     request.answered path="a\n\u001b[31mb" status=200 logger=gateway.app')
    assert took.endswith("warning  took 5 ms logger=uvicorn.error")
    assert "ValueError: broken" in failed


def test_nothing_may_be_written() -> None:
    program = PROGRAM.replace('configure_logs("info")', 'configure_logs("critical")')
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr == ""

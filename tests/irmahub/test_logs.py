"""Logs are JSON, whoever writes them, and hold no raw control character."""

import json
import subprocess
import sys

import pytest

PROGRAM = r"""
import logging, sys, structlog
from irmahub.logs import configure_logs
log = structlog.get_logger("gateway.app")
configure_logs("info", sys.argv[1])
log.debug("unseen")
log.info("request.answered", path="a\n\x1b[31mb", status=200)
logging.getLogger("uvicorn.error").warning("took %d ms", 5)
try:
    raise ValueError("broken")
except ValueError as error:
    log.error("request.failed", exc_info=error)
"""

#: At the lowest level: a library that writes down what it sends, and errors whose words hold a value.
TALKATIVE = r"""
import logging, sys, structlog
from irmahub.logs import configure_logs
configure_logs("debug", sys.argv[1])
logging.getLogger("httpcore.http11").debug("send_request_headers canary")
logging.getLogger("httpx").info("POST https://shop.example/canary")
logging.getLogger("gateway.app").debug("told")
try:
    try:
        raise ValueError("canary")
    except ValueError as error:
        raise RuntimeError("canary") from error
except RuntimeError:
    logging.getLogger("console").exception("page failed")
try:
    open("/nowhere/at/all")
except OSError:
    structlog.get_logger("gateway.x").exception("disk failed")
"""

#: A command that configures as its settings say, after it has begun to write.
TWICE = r"""
import structlog
from irmahub.logs import configure_logs
log = structlog.get_logger("gateway.app")
configure_logs("error")
log.error("first")
log.info("unseen")
configure_logs("info", "console")
log.info("second")
configure_logs("info")
log.info("third")
"""


def run(program: str, form: str) -> str:
    return subprocess.run([sys.executable, "-c", program, form], capture_output=True, text=True, check=True).stderr


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return run(PROGRAM, "json").splitlines()


def test_every_line_is_a_json_object_with_time_level_and_logger(lines: list[str]) -> None:
    entries = [json.loads(line) for line in lines]
    assert [(entry["level"], entry["logger"], entry["event"]) for entry in entries] == [
        ("info", "gateway.app", "request.answered"),
        ("warning", "uvicorn.error", "took 5 ms"),
        ("error", "gateway.app", "request.failed"),
    ]
    assert all(entry["timestamp"].endswith("Z") for entry in entries)
    assert entries[2]["exception"].endswith("\nValueError\n")


def test_loggers_that_have_written_follow_another_configuration() -> None:
    first, second, third = run(TWICE, "").splitlines()
    assert json.loads(first)["event"] == "first"
    assert "second" in second
    assert not second.startswith("{")
    assert json.loads(third)["event"] == "third"


@pytest.mark.feature("F3.1")
def test_control_characters_are_escaped(lines: list[str]) -> None:
    assert json.loads(lines[0])["path"] == "a\n\x1b[31mb"
    assert "\x1b" not in lines[0]


@pytest.mark.feature("F3.1")
def test_control_characters_are_escaped_on_a_console_too() -> None:
    first = run(PROGRAM, "console").splitlines()[0]
    assert r"path=a\n\x1b[31mb" in first
    assert "\x1b" not in first


@pytest.mark.parametrize("form", ["json", "console"])
def test_neither_libraries_nor_the_words_of_errors_are_written_at_any_level(form: str) -> None:
    text = run(TALKATIVE, form)
    assert "told" in text
    assert "canary" not in text
    assert "page failed" in text
    assert "ValueError" in text
    assert "RuntimeError" in text
    assert "FileNotFoundError: No such file or directory" in text

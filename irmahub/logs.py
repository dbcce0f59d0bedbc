"""Logs: one line an event on standard error, from every part of the product, as JSON or for people at a console.

What an error says in its own words may quote what somebody sent, so that of an error only its kind and where it was raised are
written. Libraries are heard from warnings on, at every level: some write down headers and addresses when they are debugged.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from structlog.contextvars import STRUCTLOG_KEY_PREFIX
from structlog.typing import EventDict, Processor

#: Our own packages, which the level is for.
PACKAGES: Final = ("console", "gateway", "idemix", "irmahub")

#: How lines are written.
FORMATS: Final = ("json", "console")


def error_text(error: BaseException) -> str:
    """An error as it is logged: kinds and tracebacks of it and of its causes, without their words.

    Of an error of the operating system the fixed text of its number stands beside, which quotes nothing.
    """
    return "".join(_parts(error, set()))


def _parts(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        yield from _parts(cause, seen)
        yield "\nThen:\n\n"
    yield "".join(traceback.format_tb(error.__traceback__))
    strerror = error.strerror if isinstance(error, OSError) and error.errno is not None else None
    yield type(error).__name__ + (f": {strerror}" if strerror else "") + "\n"


def _write_error(_logger: object, _name: str, event: EventDict) -> EventDict:
    """Put the text of an error in the place of the error."""
    found: Any = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    if isinstance(found, tuple):
        found = found[1]
    if isinstance(found, BaseException):
        event["exception"] = error_text(found)
    return event


def _escape(_logger: object, _name: str, event: EventDict) -> EventDict:
    """Escape control characters, and all that is no ASCII, for a line that no JSON printer writes."""
    return {key: _escaped(value) if isinstance(value, str) and key != "exception" else value for key, value in event.items()}


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


#: Makes JSON in ASCII only: a control character of a client's input stays escaped.
_ENCODER: Final = json.JSONEncoder(default=repr)


def _as_json(_logger: object, _name: str, event: EventDict) -> str:
    return _ENCODER.encode(event)


_WRITING: Final = threading.Lock()


class _Output:
    """Writes the lines of one of our loggers to standard error, each in one piece.

    A line that cannot be written, as on a full disk, is lost: nothing fails for want of its log.

    Args:
        name: of the logger.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def write(self, line: str) -> None:
        # Of a traceback, the lines of the source may be in any language.
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with _WRITING, suppress(OSError, ValueError):  # ValueError: it was closed.
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()

    debug = info = warning = error = critical = write


def _from(level: str) -> Processor:
    """Drop what is below a level."""
    levels = logging.getLevelNamesMapping()
    dropped = {name.lower() for name, number in levels.items() if number < levels[level.upper()]}

    def drop(_logger: object, name: str, event: EventDict) -> EventDict:
        if name in dropped:
            raise structlog.DropEvent
        return event

    return drop


def _describe(logger: Any, name: str, event: EventDict) -> EventDict:
    """Add to a line, also to one of the standard library's logging, its request, level, logger and time.

    It does what four processors of structlog do, in one: a session writes seven lines.
    """
    for variable, value in copy_context().items():
        if variable.name.startswith(STRUCTLOG_KEY_PREFIX) and value is not ...:
            event.setdefault(variable.name.removeprefix(STRUCTLOG_KEY_PREFIX), value)
    record = event.get("_record")
    event["level"] = name
    event["logger"] = logger.name if record is None else record.name
    event["timestamp"] = datetime.now(UTC).replace(tzinfo=None).isoformat() + "Z"
    return event


#: What our own lines pass through. A logger keeps this list from its first line on, and a command may configure twice, so that
#: it is filled anew and never replaced.
_PROCESSORS: Final[list[Processor]] = []


def configure_logs(level: str, form: str = "json") -> None:
    """Write everything of this level and above.

    Our own lines are written where they are made. Those of the standard library's logging come out in the same form, and pass
    through its handlers before.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        form: one of `FORMATS`.
    """
    renderer: list[Processor] = [_write_error, _as_json]
    if form == "console":
        console = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        renderer = [_write_error, _escape, console]
    _PROCESSORS[:] = [_from(level), _describe, *renderer]
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=_Output,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=(_describe,), processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    for name in PACKAGES:
        logging.getLogger(name).setLevel(level.upper())

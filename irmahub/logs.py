"""Logs: one JSON object a line on standard error, or one line of text, from every part of the product."""

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_SHARED: Final = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logs(level: str, *, as_json: bool = True) -> None:
    """Write everything of this level and above.

    Args:
        level: `debug`, `info`, `warning`, `error` or `critical`.
        as_json: as JSON objects, and not as text.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                # ASCII only: a control character of a client's input stays escaped.
                structlog.processors.JSONRenderer(ensure_ascii=True) if as_json else _as_text,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # That the server starts and stops, what migrations look at, each request of our HTTP client: of use in debugging only.
    for name in ("uvicorn.error", "httpx", "alembic"):
        logging.getLogger(name).setLevel("WARNING" if level == "info" else level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _as_text(_logger: object, _name: str, event: MutableMapping[str, Any]) -> str:
    """Time, level and event, and then each value as `name=value`, all on one line of ASCII."""
    head = (str(event.pop("timestamp", "")), f"{event.pop('level', ''):<8}", str(event.pop("event", "")))
    return " ".join((*head, *(f"{name}={_escaped(value)}" for name, value in event.items())))


def _escaped(value: object) -> str:
    text = str(value)
    return text if text.isascii() and text.isprintable() and " " not in text else json.dumps(text)

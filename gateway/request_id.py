"""The id of a request: taken from the caller where it has a form that we trust, else made; it stands in every log line of the request.

A session keeps the id of the request that started it, so that a backend's request can be followed to its callback.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars, get_contextvars

#: Carries the id, in requests and in answers.
HEADER: Final = "X-Request-Id"

#: A UUID, with or without its dashes, as proxies and backends make them. Neither a token nor what people write has this form, so
#: that nobody can have a value written to the log by giving it as an id.
_TRUSTED: Final = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def begin_request(given: str | None) -> str:
    """Give a request its id, for all that its thread logs from now on.

    Args:
        given: the id that the caller gave, or None.

    Returns:
        `given` where its form is trusted, else a new one: 32 hexadecimal digits.
    """
    request_id = given if given is not None and _TRUSTED.fullmatch(given) else secrets.token_hex(16)
    clear_contextvars()  # What the thread's last request left behind.
    bind_contextvars(request_id=request_id)
    return request_id


def current_request_id() -> str:
    """The id of the request that this thread answers, "" where it answers none."""
    return str(get_contextvars().get("request_id", ""))


@contextmanager
def following(request_id: str) -> Iterator[None]:
    """Log under the id of an earlier request what is done because of it."""
    with bound_contextvars(request_id=request_id):
        yield

"""What is told of every request of an application: a line of the log, its time, why it was refused, and its id in the answer."""

import time
from typing import Final

import structlog
from flask import Flask, Response, g

from .errors import remote_error
from .metrics import REFUSALS, REQUEST_SECONDS, reason_of
from .request_id import HEADER, begin_request
from .runtime import current_request, itself

log = structlog.get_logger(__name__)

#: The endpoint of a path that is none.
NOWHERE: Final = "(none)"

#: Where the environment has the id that the caller gave.
_GIVEN: Final = f"HTTP_{HEADER.upper().replace('-', '_')}"


def observe(app: Flask, application: str) -> None:
    """Observe the requests of an application; called before anything else looks at its requests.

    Args:
        app: where a view or an error handler finds a refusal, it leaves it in `g.refusal`.
        application: its name in the metrics.
    """

    @app.before_request
    def begin() -> None:
        kept = itself(g)
        kept.refusal = None
        kept.began = time.perf_counter()
        kept.request_id = begin_request(current_request().environ.get(_GIVEN))

    @app.after_request
    def end(response: Response) -> Response:
        asked, kept = current_request(), itself(g)
        seconds = time.perf_counter() - kept.began
        endpoint = asked.endpoint or NOWHERE
        REQUEST_SECONDS.labels(application, endpoint, str(response.status_code)).observe(seconds)
        refusal = kept.refusal
        if refusal is not None:
            REFUSALS.labels(remote_error(refusal)[0].error, reason_of(refusal)).inc()
        # No path, no token, no value.
        log.info(
            "request.answered",
            application=application,
            method=asked.method,
            endpoint=endpoint,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
            refusal=None if refusal is None else type(refusal).__name__,
            departure=getattr(refusal, "departure", None),
        )
        response.headers.add(HEADER, kept.request_id)
        return response

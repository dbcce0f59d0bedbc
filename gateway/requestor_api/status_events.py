"""GET /session/{token}/statusevents: the status as it changes."""

from flask import Response

from ..errors import UnsupportedError
from ..events import status_data
from ..runtime import requestor_session, stream_events
from ..stores.base import UnknownSessionError


def session_status_events(token: str) -> Response:
    """A stream of events. An unknown session is answered as the reference does, which looks for a stream and finds none."""
    try:
        return stream_events(lambda: requestor_session(token), status_data)
    except UnknownSessionError as error:
        raise UnsupportedError from error

"""GET /irma/session/{token}/statusevents: the status as it changes."""

import flask

from ..events import status_data
from ..runtime import client_session_loader, stream_events


def session_status_events(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """A stream of events."""
    return stream_events(client_session_loader(), status_data)

"""GET /irma/session/{token}/frontend/statusevents: the status object as it changes."""

import flask

from ..events import frontend_data
from ..runtime import client_session_loader, stream_events


def frontend_status_events(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """A stream of events."""
    return stream_events(client_session_loader(), frontend_data)

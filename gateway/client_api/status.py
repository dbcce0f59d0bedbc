"""GET /irma/session/{token}/status: how a session stands."""

import flask

from ..runtime import client_session_loader, json_response


def session_status(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """The status as a JSON text."""
    return json_response(client_session_loader()().status.value)

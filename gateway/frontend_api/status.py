"""GET /irma/session/{token}/frontend/status: how a session stands, and which one follows it."""

import flask

from idemix.session.replies import frontend_status as view_of

from ..runtime import client_session_loader, json_response


def frontend_status(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """The status object."""
    return json_response(view_of(client_session_loader()()))

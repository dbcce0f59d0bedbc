"""DELETE /irma/session/{token}: the app or the frontend ends a session."""

import flask

from ..runtime import client_session_loader, current_gateway, empty_response


def delete(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """Cancel the session; one that has ended stays as it is."""
    current_gateway().sessions.change(client_session_loader(), lambda engine, session: (engine.cancel(session), None))
    return empty_response()

"""POST /irma/session/{token}/frontend/pairingcompleted: the user typed the right code."""

import flask

from ..runtime import authorization, client_session_loader, current_gateway, empty_response


def complete_pairing(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """Let the app go on."""
    secret = authorization()
    current_gateway().sessions.change(
        client_session_loader(), lambda engine, session: (engine.complete_pairing(session, authorization=secret), None)
    )
    return empty_response(204)

"""POST /irma/session/{token}/frontend/options: the frontend chooses the pairing method."""

import flask

from ..runtime import authorization, client_session_loader, current_gateway, json_response


def set_options(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """Set the method; the answer has the pairing code, if there is one."""
    secret, body = authorization(), flask.request.get_data()
    options = current_gateway().sessions.change(
        client_session_loader(), lambda engine, session: engine.set_options(session, body, authorization=secret)
    )
    return json_response(options.to_json())

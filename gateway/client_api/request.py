"""GET /irma/session/{token}/request: the app fetches the request once pairing is done."""

import flask

from ..runtime import answer_response, authorization, client_session_loader, current_gateway


def get_request(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """The session request."""
    secret = authorization()
    return answer_response(
        current_gateway().sessions.exchange(
            client_session_loader(),
            flask.request.path,
            b"",
            secret,
            lambda engine, session: engine.get_request(session, authorization=secret),
        )
    )

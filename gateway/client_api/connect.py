"""GET /irma/session/{token}: the app fetches a session for the first time."""

import flask

from ..runtime import answer_response, authorization, client_session_loader, current_gateway, current_request


def connect(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """Negotiate the version, bind the session to the app, give it the request."""
    asked, secret = current_request(), authorization()
    return answer_response(
        current_gateway().sessions.exchange(
            client_session_loader(),
            asked.path,
            b"",
            secret,
            lambda engine, session: engine.connect(
                session,
                min_version=asked.headers.get("X-IRMA-MinProtocolVersion"),
                max_version=asked.headers.get("X-IRMA-MaxProtocolVersion"),
                authorization=secret,
            ),
        )
    )

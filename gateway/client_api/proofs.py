"""POST /irma/session/{token}/proofs: the app answers a disclosure or signature session."""

import flask

from ..runtime import answer_response, authorization, client_session_loader, current_gateway, current_request, timed


def receive_proofs(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """Verify the proofs; the answer tells their status."""
    asked, secret = current_request(), authorization()
    body = asked.get_data()
    return answer_response(
        current_gateway().sessions.exchange(
            client_session_loader(),
            asked.path,
            body,
            secret,
            timed(lambda engine, session: engine.receive_proofs(session, body, authorization=secret)),
        )
    )

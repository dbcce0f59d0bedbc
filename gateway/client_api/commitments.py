"""POST /irma/session/{token}/commitments: the app answers an issuance session."""

import flask

from ..runtime import answer_response, authorization, client_session_loader, current_gateway, current_request, timed


def receive_commitments(token: str) -> flask.Response:  # noqa: ARG001 - the session is loaded already
    """Verify the proofs and sign the credentials."""
    asked, secret = current_request(), authorization()
    body = asked.get_data()
    return answer_response(
        current_gateway().sessions.exchange(
            client_session_loader(),
            asked.path,
            body,
            secret,
            timed(lambda engine, session: engine.receive_commitments(session, body, authorization=secret)),
        )
    )

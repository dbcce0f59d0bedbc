"""POST /irma/session/{token}/commitments: the app answers an issuance session."""

from flask import Response

from ..runtime import authorization, current_request, exchange, timed


def receive_commitments(token: str) -> Response:  # noqa: ARG001 - the session is loaded already
    """Verify the proofs and sign the credentials."""
    body, secret = current_request().get_data(), authorization()
    return exchange(timed(lambda engine, session: engine.receive_commitments(session, body, authorization=secret)), body)

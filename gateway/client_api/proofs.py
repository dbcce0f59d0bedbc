"""POST /irma/session/{token}/proofs: the app answers a disclosure or signature session."""

from flask import Response

from ..runtime import authorization, current_request, exchange, timed


def receive_proofs(token: str) -> Response:  # noqa: ARG001 - the session is loaded already
    """Verify the proofs; the answer tells their status."""
    body, secret = current_request().get_data(), authorization()
    return exchange(timed(lambda engine, session: engine.receive_proofs(session, body, authorization=secret)), body)

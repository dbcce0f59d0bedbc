"""GET /irma/session/{token}/request: the app fetches the request once pairing is done."""

from flask import Response

from ..runtime import authorization, exchange


def get_request(token: str) -> Response:  # noqa: ARG001 - the session is loaded already
    """The session request."""
    secret = authorization()
    return exchange(lambda engine, session: engine.get_request(session, authorization=secret))

"""GET /irma/session/{token}: the app fetches a session for the first time."""

from flask import Response

from ..runtime import authorization, current_request, exchange


def connect(token: str) -> Response:  # noqa: ARG001 - the session is loaded already
    """Negotiate the version, bind the session to the app, give it the request."""
    headers, secret = current_request().headers, authorization()
    return exchange(
        lambda engine, session: engine.connect(
            session,
            min_version=headers.get("X-IRMA-MinProtocolVersion"),
            max_version=headers.get("X-IRMA-MaxProtocolVersion"),
            authorization=secret,
        )
    )

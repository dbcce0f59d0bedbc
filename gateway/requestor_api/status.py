"""GET /session/{token}/status: how a session stands."""

from flask import Response

from ..runtime import json_response, requestor_session


def session_status(token: str) -> Response:
    """The status as a JSON text."""
    return json_response(requestor_session(token).status.value)

"""DELETE /session/{token}: the requestor ends a session."""

from flask import Response

from ..runtime import current_gateway, empty_response, requestor_session


def cancel_session(token: str) -> Response:
    """Cancel a session; one that has ended stays as it is."""
    current_gateway().sessions.change(lambda: requestor_session(token), lambda engine, session: (engine.cancel(session), None))
    return empty_response()

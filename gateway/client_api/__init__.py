"""The API for the app, protocol version 2.8: one module per endpoint.

Before any of these views the session is loaded, timed out where it must be, and its host compared (`gateway.app`). DELETE,
status and events need nothing but the client token.
"""

from flask import Blueprint

from . import commitments, connect, delete, proofs, request, static_sessions, status, status_events


def blueprint(prefix: str) -> Blueprint:
    """The endpoints under a prefix, without its trailing slash."""
    api = Blueprint("client_api", __name__, url_prefix=f"{prefix}/irma")
    for path in ("/session/<token>", "/session/<token>/"):
        suffix = "_slash" if path.endswith("/") else ""
        api.add_url_rule(path, endpoint=f"connect{suffix}", view_func=connect.connect)
        api.add_url_rule(path, endpoint=f"delete{suffix}", view_func=delete.delete, methods=["DELETE"])
    api.add_url_rule("/session/<name>", view_func=static_sessions.start_static_session, methods=["POST"])
    api.add_url_rule("/session/<token>/request", view_func=request.get_request)
    api.add_url_rule("/session/<token>/proofs", view_func=proofs.receive_proofs, methods=["POST"])
    api.add_url_rule("/session/<token>/commitments", view_func=commitments.receive_commitments, methods=["POST"])
    api.add_url_rule("/session/<token>/status", view_func=status.session_status)
    api.add_url_rule("/session/<token>/statusevents", view_func=status_events.session_status_events)
    return api

"""The API for backends: one module per endpoint. Whoever names a session by its requestor token needs no other secret."""

from flask import Blueprint

from . import cancel, create_session, health, public_key, result, revocation, status, status_events


def blueprint(prefix: str) -> Blueprint:
    """The endpoints under a prefix, without its trailing slash."""
    api = Blueprint("requestor_api", __name__, url_prefix=prefix)
    for path in ("/session", "/session/"):
        api.add_url_rule(path, endpoint=f"create_session{path.count('/')}", view_func=create_session.create_session, methods=["POST"])
    for path in ("/session/<token>", "/session/<token>/"):
        api.add_url_rule(path, endpoint=f"cancel_session{path.count('/')}", view_func=cancel.cancel_session, methods=["DELETE"])
    api.add_url_rule("/session/<token>/status", view_func=status.session_status)
    api.add_url_rule("/session/<token>/statusevents", view_func=status_events.session_status_events)
    api.add_url_rule("/session/<token>/result", view_func=result.session_result)
    api.add_url_rule("/session/<token>/result-jwt", view_func=result.session_result_jwt)
    api.add_url_rule("/session/<token>/getproof", view_func=result.session_proof)
    api.add_url_rule("/publickey", view_func=public_key.public_key)
    api.add_url_rule("/revocation", view_func=revocation.revoke, methods=["POST"])
    api.add_url_rule("/health", view_func=health.health)
    api.add_url_rule("/health/live", view_func=health.live)
    api.add_url_rule("/health/ready", view_func=health.ready)
    return api

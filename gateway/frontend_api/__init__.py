"""The API for the requestor's web page: one module per endpoint. Each needs the frontend's secret in Authorization."""

from flask import Blueprint

from . import options, pairing_completed, status, status_events


def blueprint(prefix: str) -> Blueprint:
    """The endpoints under a prefix, without its trailing slash."""
    api = Blueprint("frontend_api", __name__, url_prefix=f"{prefix}/irma/session/<token>/frontend")
    api.add_url_rule("/status", view_func=status.frontend_status)
    api.add_url_rule("/statusevents", view_func=status_events.frontend_status_events)
    api.add_url_rule("/options", view_func=options.set_options, methods=["POST"])
    api.add_url_rule("/pairingcompleted", view_func=pairing_completed.complete_pairing, methods=["POST"])
    return api

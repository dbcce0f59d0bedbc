"""GET /health/live and /health/ready: that the console runs, and that it can work. For load balancers; needs no log-in."""

from flask import Blueprint, Response, current_app

from gateway.requestor_api.health import health_response, live

health_api = Blueprint("health", __name__, url_prefix="/health")
health_api.add_url_rule("/live", view_func=live)


@health_api.get("/ready")
def ready() -> Response:
    """How every component is; 503 where one is bad."""
    return health_response(current_app.extensions["health"])

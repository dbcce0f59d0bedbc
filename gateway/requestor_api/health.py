"""GET /health, as the reference has it; GET /health/live and /health/ready: that the process runs, and that it can work."""

from flask import Response

from ..health import Health, State
from ..runtime import current_gateway, json_response, text_response


def health() -> Response:
    """OK, as long as requests are answered at all."""
    return text_response("OK")


def live() -> Response:
    """The same as JSON; a process that does not answer it should be started again."""
    return json_response({"status": "ok"})


def ready() -> Response:
    """How every component is; 503 where one is bad, and requests should go elsewhere."""
    return health_response(current_gateway().health)


def health_response(health: Health) -> Response:
    """The answer of `/health/ready`."""
    report = health.report()
    response = json_response(report.to_json(), 503 if report.state is State.BAD else 200)
    response.headers["Cache-Control"] = "no-store"
    return response

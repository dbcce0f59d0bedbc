"""GET /health: that the server runs."""

from flask import Response

from ..runtime import text_response


def health() -> Response:
    """OK, as long as requests are answered at all."""
    return text_response("OK")

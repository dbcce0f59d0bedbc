"""Cross-origin requests: web pages of requestors ask for the status of their sessions from other origins.

Source: requestor-api facts of irmago v1.3.0: origin `*`, methods GET, POST and DELETE, five request headers, no credentials.
"""

from typing import Final

from flask import Request, Response

from .runtime import current_request

#: The methods of the API, and that of preflights, which may ask for itself.
_METHODS: Final = ("GET", "POST", "DELETE", "OPTIONS")
_HEADERS: Final = {name.lower(): name for name in ("Accept", "Authorization", "Content-Type", "Cache-Control", "Origin")}


def is_preflight(request: Request) -> bool:
    """Whether a browser asks in advance if it may send a request."""
    return request.method == "OPTIONS" and "Origin" in request.headers and bool(request.headers.get("Access-Control-Request-Method"))


def preflight_response(request: Request) -> Response:
    """The answer to a preflight: with the method and headers asked for, or without any where they are not allowed."""
    response = Response(status=200)
    del response.headers["Content-Type"]
    response.headers["Vary"] = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    method = request.headers["Access-Control-Request-Method"].upper()
    asked = [name.strip() for name in request.headers.get("Access-Control-Request-Headers", "").split(",") if name.strip()]
    if method not in _METHODS or any(name.lower() not in _HEADERS for name in asked):
        return response
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Methods"] = method
    if asked:
        response.headers["Access-Control-Allow-Headers"] = ", ".join(_HEADERS[name.lower()] for name in asked)
    return response


def add_headers(response: Response) -> Response:
    """Allow other origins to read an answer; that to a preflight says so itself."""
    request = current_request()
    if is_preflight(request):
        return response
    # Added, since no view sets it, and the environment is looked at: both cost less than to look a header up by its name.
    response.headers.add("Vary", "Origin")
    if "HTTP_ORIGIN" in request.environ and request.method in _METHODS:
        response.headers["Access-Control-Allow-Origin"] = "*"
    return response

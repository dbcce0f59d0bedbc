"""The headers that every answer of the console carries. They are few, so we set them ourselves."""

from typing import Final

from flask import Flask, Response, request

#: No inline script or style, no foreign host, no frame: a page that breaks it fails its Chromium test.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

#: One year, the shortest time that the preload lists and common advice accept.
STRICT_TRANSPORT_SECURITY: Final = "max-age=31536000"


def set_security_headers(app: Flask) -> None:
    """Let every answer of `app`, errors included, carry the headers; pages are never kept by a cache."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response

"""The web root over HTTP: `/schemes/<scheme>/<path>`, open to everybody."""

from flask import Blueprint, Response, abort, request

from console.publishing.web_root import WebRoot

_TYPES = {
    ".xml": "application/xml",
    ".json": "application/json",
    ".png": "image/png",
    ".sig": "application/octet-stream",
    ".gz": "application/gzip",
}


def create_blueprint(web_root: WebRoot) -> Blueprint:
    """The routes of the web root. They need no authentication: what is published is for everybody."""
    blueprint = Blueprint("published", __name__)

    @blueprint.get("/schemes/<scheme_id>/<path:path>")
    def file(scheme_id: str, path: str) -> Response:
        found = web_root.find(scheme_id, path)
        if found is None:
            abort(404)
        response = Response(found.path.read_bytes(), mimetype=_TYPES.get(found.path.suffix, "text/plain"))
        response.headers["Cache-Control"] = found.cache_control
        # Somebody else wrote these files: a browser that opens one runs nothing of it.
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.add_etag()
        response.make_conditional(request)
        return response

    return blueprint

"""Static files beside the API, from one folder: `static_path` under `static_prefix`.

Nothing outside the folder is reached, by name or by symbolic link. Hidden files are not served, apart from `.well-known` (RFC
8615), by which apps are linked to a site; folders without an `index.html` are not listed.

Source: irmago `irma/server/requestorserver/server.go` (`StaticFilesHandler`), Go `net/http` (`FileServer`).
"""

from pathlib import Path
from typing import Final
from urllib.parse import quote

from flask import Blueprint, current_app, redirect, request, send_file
from werkzeug import Response
from werkzeug.exceptions import NotFound
from werkzeug.routing import PathConverter

WELL_KNOWN: Final = ".well-known"
INDEX: Final = "index.html"


class StaticPathConverter(PathConverter):
    """A path of static files: every one that does not belong to the app's API, which has answers of its own for unknown paths."""

    regex = "(?!irma(?:/|$))[^/].*?"


def blueprint(prefix: str, static_prefix: str, folder: Path) -> Blueprint:
    """The files of a folder.

    Args:
        prefix: of the API, without its trailing slash.
        static_prefix: where the files are below it; with a slash at its beginning.
        folder: the folder.
    """
    root = folder.resolve(strict=True)
    base = prefix + static_prefix.rstrip("/")
    # Below a prefix of their own the files may also lie in a folder that is called irma.
    rule = "<path:name>" if static_prefix.rstrip("/") else "<static_path:name>"
    files = Blueprint("static_files", __name__)
    files.record_once(lambda state: state.app.url_map.converters.update(static_path=StaticPathConverter))

    def serve(name: str = "") -> Response:
        path = _find(root, name)
        if path.is_dir() and not request.path.endswith("/"):
            return redirect(quote(request.path.rpartition("/")[2]) + "/", 301)
        if request.path.endswith("/" + INDEX):
            return redirect("./", 301)
        if path.is_dir():
            path = _find(root, f"{name.rstrip('/')}/{INDEX}".lstrip("/"))
        elif request.path.endswith("/"):
            raise NotFound
        if not path.is_file():
            raise NotFound
        response = send_file(path, conditional=True)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    files.add_url_rule(f"{base}/", endpoint="index", view_func=serve, methods=["GET", "HEAD"])
    files.add_url_rule(f"{base}/{rule}", endpoint="file", view_func=serve, methods=["GET", "HEAD"])
    return files


def is_static() -> bool:
    """Whether this request is for a static file."""
    return "static_files" in current_app.blueprints and request.blueprint == "static_files"


def _find(root: Path, name: str) -> Path:
    """A file or folder by its name below the root.

    Raises:
        NotFound: there is none, it is hidden, or it lies elsewhere.
    """
    parts = tuple(name.rstrip("/").split("/")) if name else ()
    if "" in parts or "\x00" in name or _is_hidden(parts):
        raise NotFound
    try:
        path = root.joinpath(*parts).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise NotFound from error
    # What a link leads to must be something that has a public name of its own.
    if not path.is_relative_to(root) or _is_hidden(path.relative_to(root).parts):
        raise NotFound
    return path


def _is_hidden(parts: tuple[str, ...]) -> bool:
    """Whether a name begins with a dot, which those of steps up and of none do as well."""
    return any(part.startswith(".") and (number > 0 or part != WELL_KNOWN) for number, part in enumerate(parts))

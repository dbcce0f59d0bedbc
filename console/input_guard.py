"""What no request may hold, refused in one place: numbers no table can hold, NUL, which is no text in PostgreSQL, and too much."""

from collections.abc import Mapping
from typing import Final

from flask import Flask, abort, request
from werkzeug.routing import IntegerConverter, Map

from console.publishing.archive import MAX_ARCHIVE_BYTES

#: The largest number of a column of whole numbers in PostgreSQL.
LARGEST_NUMBER: Final = 2**31 - 1

#: What a request may hold, in bytes.
MAX_BODY_BYTES: Final = 2 * 1024 * 1024

#: Address -> what a request for it may hold, where that is more: a zip of a scheme, in the API in base64, beside other fields.
LARGE_BODIES: Final[Mapping[str, int]] = {
    "/api/v1/schemes/import": MAX_ARCHIVE_BYTES // 3 * 4 + 64 * 1024,
    "/schemes/import": MAX_ARCHIVE_BYTES + 64 * 1024,
}

_NUL: Final = "\x00"


class RowNumberConverter(IntegerConverter):
    """`<int:…>` of an address; a larger number than a row can have is no address."""

    def __init__(self, map: Map) -> None:
        super().__init__(map, max=LARGEST_NUMBER)


def row_number(text: str) -> int:
    """The number of a row from a query.

    Raises:
        ValueError: it is none that a row can have.
    """
    number = int(text)
    if not 0 <= number <= LARGEST_NUMBER:
        raise ValueError(f"{text}: is the number of no row")
    return number


def install_body_limits(app: Flask) -> None:
    """Let the few addresses that take large bodies have them; must come before all that reads bodies."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.before_request
    def limit_body() -> None:
        if request.path in LARGE_BODIES:
            request.max_content_length = LARGE_BODIES[request.path]


def install_input_guard(app: Flask) -> None:
    """Refuse such requests before anything looks at them; must come before the routes. JSON bodies are judged where they are read."""
    app.url_map.converters["int"] = RowNumberConverter

    @app.before_request
    def refuse_nul() -> None:
        values = [request.path, *request.args.values()]
        if request.blueprint != "api":  # whose body is read as JSON, whatever its type says
            values += [text for texts in request.form.listvalues() for text in texts]
        if any(_NUL in value for value in values):
            abort(400)

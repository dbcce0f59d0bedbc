"""What no request may hold, refused in one place: numbers no table can hold, and NUL, which is no part of a text in PostgreSQL."""

from typing import Final

from flask import Flask, abort, request
from werkzeug.routing import IntegerConverter, Map

#: The largest number of a column of whole numbers in PostgreSQL.
LARGEST_NUMBER: Final = 2**31 - 1

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

"""The blueprint of `/api/v1`, and what its routes share: reading bodies and queries, and answering."""

from datetime import date, datetime
from typing import TypeVar

from flask import Blueprint, Response, jsonify, request
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import PathConverter

from console.api.errors import install_errors
from console.extensions import csrf
from console.input_guard import LARGEST_NUMBER
from console.json_values import from_json, to_json
from gateway.inputs import InvalidInputError, Message

T = TypeVar("T")

api = Blueprint("api", __name__, url_prefix="/api/v1")
# Tokens come in a header that no other site can make a browser send.
csrf.exempt(api)
install_errors(api)


class RestConverter(PathConverter):
    """A path in which any character may stand; in that of werkzeug no line ends."""

    regex = "(?s:.+?)"
    part_isolating = False


@api.record
def _add_converter(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["rest"] = RestConverter


def body(kind: type[T]) -> T:
    """The request's JSON object as a typed one; an absent body is an empty object."""
    if not request.get_data(cache=True):
        return from_json(kind, {})
    try:
        data = request.get_json(force=True, silent=True)
    except RecursionError:
        data = None  # deeper than any object that is known here
    if data is None:
        raise InvalidInputError({"": Message("the body must be a JSON object")})
    return from_json(kind, data)


def answer(value: object) -> Response:
    """A value of the services as JSON."""
    return jsonify(to_json(value))


def made(value: object) -> tuple[Response, int]:
    """The same of what was just made."""
    return answer(value), 201


def asked_draft() -> str | None:
    """The draft that the query names; None for the published version."""
    return request.args.get("draft") or None


def limit() -> int:
    """How long a page is to be.

    Raises:
        InvalidInputError: it is not from 1 to 500.
    """
    found = number("limit")
    if found is not None and not 1 <= found <= 500:
        raise InvalidInputError({"limit": Message("must be from 1 to 500")})
    return found or 50


def number(name: str) -> int | None:
    """A whole number of the query, or None.

    Raises:
        InvalidInputError: it is none that a row can have.
    """
    text = request.args.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= LARGEST_NUMBER):
        raise InvalidInputError({name: Message("must be a whole number")})
    return int(text)


def day(name: str) -> date | None:
    """A day of the query, or None.

    Raises:
        InvalidInputError: it is none.
    """
    text = request.args.get(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InvalidInputError({name: Message("must be a day as YYYY-MM-DD")}) from error


def moment(name: str) -> datetime | None:
    """A moment of the query, or None.

    Raises:
        InvalidInputError: it is none, or has no zone.
    """
    text = request.args.get(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInputError({name: Message("must be a moment as ISO 8601, with its zone")})
    return found

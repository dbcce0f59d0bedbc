"""Typed objects from JSON and back, by their own declarations: for the JSON API and for commands that read files.

Reading names every field that is missing, unknown or of another kind; what the values must be is the services' business.
"""

import base64
import binascii
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from console.input_guard import LARGEST_NUMBER
from gateway.inputs import Errors, Message

T = TypeVar("T")

#: How deep lists and objects may stand in one another where any JSON value is taken.
MOST_DEPTH: Final = 32

_WRONG = object()


def from_json(kind: type[T], data: object) -> T:
    """Read a dataclass from a JSON object.

    Args:
        kind: a dataclass; its fields are text, numbers, booleans, bytes (base64), moments (ISO 8601), members of enumerations (by
            value), tuples, mappings of text, `object` (any JSON value, lists as tuples), mappings of `object`, or dataclasses of these.
        data: what a JSON parser gave.

    Raises:
        InvalidInputError: it names every field that does not fit; those of inner objects by path, `attributes.0.id`.
    """
    errors = Errors()
    value = _read(kind, data, "", errors)
    errors.raise_if_any()
    return value  # type: ignore[no-any-return]


def to_json(value: object) -> Any:
    """A value of the services for a JSON printer: dataclasses as objects, enumerations by value, moments as ISO 8601."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):  # a moment is one, too
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [to_json(item) for item in value]
    return str(value) if isinstance(value, str) else value


def is_text(text: str) -> bool:
    """Tell whether every database can hold a text: it has no NUL, and no surrogate (a half of a character) that JSON lets through."""
    return not any(letter == "\x00" or "\ud800" <= letter <= "\udfff" for letter in text)


def _read(kind: Any, data: object, where: str, errors: Errors) -> Any:
    if kind is object:
        return _read_value(data, where, errors)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in get_args(kind) if argument is not type(None)]
        return None if data is None else _read(inner, data, where, errors)
    if origin is tuple:
        return _read_list(get_args(kind)[0], data, where, errors)
    if origin is not None and issubclass(origin, Mapping):
        return _read_mapping(get_args(kind)[1], data, where, errors)
    if is_dataclass(kind):
        return _read_object(kind, data, where, errors)
    value, rule = _read_scalar(kind, data)
    if value is _WRONG:
        errors.add(where, rule)
        return None
    return value


def _read_scalar(kind: Any, data: object) -> tuple[Any, Message]:
    if issubclass(kind, Enum):
        found = next((member for member in kind if member.value == data), _WRONG)
        return found, Message("must be one of %(words)s", words=", ".join(str(member.value) for member in kind))
    try:
        if kind is datetime:
            moment = datetime.fromisoformat(data) if isinstance(data, str) else None
            zoned = moment if moment is not None and moment.tzinfo is not None else _WRONG
            return zoned, Message("must be a moment as ISO 8601, with its zone")
        if kind is bytes:
            return base64.b64decode(data, validate=True) if isinstance(data, str) else _WRONG, Message("must be base64")
    except (ValueError, binascii.Error):
        return _WRONG, Message("must be a moment as ISO 8601, with its zone") if kind is datetime else Message("must be base64")
    words = {str: "must be text", int: "must be a whole number", bool: "must be true or false", float: "must be a number"}
    fits = isinstance(data, kind) and (kind is bool or not isinstance(data, bool))
    if fits and kind is str and not is_text(data):
        return _WRONG, Message("must be text without NUL and without halves of characters")
    if fits and kind is int and abs(data) > LARGEST_NUMBER:
        return _WRONG, Message("must be at most %(most)s", most=LARGEST_NUMBER)
    return data if fits else _WRONG, Message(words[kind])


def _read_list(kind: Any, data: object, where: str, errors: Errors) -> Any:
    if not isinstance(data, list):
        errors.add(where, Message("must be a list"))
        return ()
    return tuple(_read(kind, item, f"{where}.{number}", errors) for number, item in enumerate(data))


def _read_mapping(kind: Any, data: object, where: str, errors: Errors) -> Any:
    if kind is object:
        if not isinstance(data, dict) or not all(map(is_text, data)):
            errors.add(where, Message("must be an object"))
            return {}
        return {key: _read_value(value, f"{where}.{key}", errors) for key, value in data.items()}
    if not isinstance(data, dict) or not all(isinstance(text, str) and is_text(text) for item in data.items() for text in item):
        errors.add(where, Message("must be an object of texts"))
        return {}
    return data


def _read_value(data: object, where: str, errors: Errors, depth: int = 0) -> Any:
    """Any JSON value, lists as tuples. Python's reader takes numbers that are none in JSON, and any depth."""
    if depth > MOST_DEPTH:
        errors.add(where, Message("must not be so deep"))
        return None
    if isinstance(data, list):
        return tuple(_read_value(item, where, errors, depth + 1) for item in data)
    if isinstance(data, dict):
        return {key: _read_value(item, where, errors, depth + 1) for key, item in data.items()}
    if isinstance(data, float) and not math.isfinite(data):
        errors.add(where, Message("must be a number"))
    return data


def _read_object(kind: Any, data: object, where: str, errors: Errors) -> Any:
    if not isinstance(data, dict):
        errors.add(where, Message("must be an object"))
        return None
    prefix = f"{where}." if where else ""
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    for name in data:
        if name not in known:
            errors.add(f"{prefix}{name}", Message("is not known"))
    values = {}
    complete = True
    for name, field in known.items():
        if name in data:
            values[name] = _read(hints[name], data[name], f"{prefix}{name}", errors)
        elif field.default is MISSING and field.default_factory is MISSING:
            errors.add(f"{prefix}{name}", Message("must be given"))
            complete = False
    return kind(**values) if complete else None

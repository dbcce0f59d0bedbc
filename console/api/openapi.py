"""The JSON API as an OpenAPI 3.1 document: from the routes, what `console.api.descriptions` says of them, and their docstrings."""

import inspect
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from importlib.metadata import version
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from flask import Flask

from console.api.descriptions import ROUTES, Route
from gateway import api_docs

Json = dict[str, Any]

#: The catch-all, which answers what is no route.
_NOWHERE: Final = "api.nothing"

_QUERIES: Final[Mapping[str, Json]] = {
    "text": {"type": "string"},
    "number": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    "limit": {"type": "integer", "minimum": 1, "maximum": 500},
    "day": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
}
_SCALARS: Final[Mapping[Any, Json]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    type(None): {"type": "null"},
    object: {},
    Any: {},
}
_ERROR: Final[Json] = {
    "type": "object",
    "properties": {
        "error": {"type": "string", "description": "The name of the error, such as invalid_input."},
        "message": {"type": "string"},
        "fields": {"type": "object", "description": "What is wrong, by field.", "additionalProperties": {"type": "string"}},
        "reasons": {"type": "array", "items": {"type": "string"}},
        "hint": {"type": "string", "description": "What can be done about it."},
    },
    "required": ["error", "message"],
}


class _Schemas:
    """Makes schemas of types; those of dataclasses are named after them, and what is read is told from what is answered."""

    def __init__(self) -> None:
        self.named: Json = {"Error": _ERROR}
        self._names: dict[type, str] = {}

    def of(self, kind: Any) -> Json:
        """The schema of a type as `console.json_values` reads and writes it."""
        if kind in _SCALARS:
            return dict(_SCALARS[kind])
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(argument) for argument in arguments]}
        if origin in (tuple, list, set, frozenset) or (origin is not None and "Sequence" in str(origin)):
            if origin is tuple and arguments[-1] is not Ellipsis:
                return {"type": "array", "prefixItems": [self.of(argument) for argument in arguments]}
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"enum": [member.value for member in kind]}
        if is_dataclass(kind) and isinstance(kind, type):
            return {"$ref": f"#/components/schemas/{self._name(kind)}"}
        if isinstance(kind, type) and issubclass(kind, str):
            return {"type": "string"}
        return {}

    def _name(self, kind: type) -> str:
        if kind not in self._names:
            name = kind.__name__
            if name in self.named:  # two packages use the word, each for its own
                name = "".join(word.title() for word in kind.__module__.split(".")[-2].split("_")) + name
            self._names[kind] = name
            self.named[name] = {}
            hints = get_type_hints(kind)
            schema: Json = {"type": "object", "properties": {field.name: self.of(hints[field.name]) for field in fields(kind)}}  # type: ignore[arg-type]
            required = [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]  # type: ignore[arg-type]
            if required:
                schema["required"] = required
            if kind.__doc__:
                schema["description"] = inspect.cleandoc(kind.__doc__).partition("\n")[0]
            self.named[name] = schema
        return self._names[kind]


def document(app: Flask, product_version: str) -> Json:
    """Describe the JSON API of a console.

    Args:
        app: the console, with all its routes.
        product_version: as it is told.
    """
    schemas = _Schemas()
    paths: Json = {}
    tags: dict[str, None] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if not rule.endpoint.startswith("api.") or rule.endpoint == _NOWHERE:
            continue
        path = rule.rule
        for converter in rule._converters:
            for kind in ("int:", "path:", ""):
                path = path.replace(f"<{kind}{converter}>", f"{{{converter}}}")
        tag = path.split("/")[3].replace("-", " ").capitalize()
        tags[tag] = None
        name = rule.endpoint.removeprefix("api.")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(path, {})[method.lower()] = {
                "tags": [tag],
                "operationId": name,
                **_texts(app.view_functions[rule.endpoint].__doc__ or name),
                **_operation(ROUTES[name], schemas),
            }
        if names := api_docs.parameters(path):
            numbers = {name for name in names if f"<int:{name}>" in rule.rule}
            paths[path]["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": _QUERIES["number" if name in numbers else "text"]}
                for name in names
            ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "irmahub console",
            "version": product_version,
            "summary": "Schemes, keys, publications, requestors and accounts, as the pages of the console have them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": tag, "description": ""} for tag in tags],
        "paths": paths,
        "components": {
            "schemas": schemas.named,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "An API token, as “Bearer” and the token."}},
        },
    }


def _texts(docstring: str) -> Json:
    first, _, rest = inspect.cleandoc(docstring).partition("\n\n")
    return {"summary": first} | ({"description": rest} if rest else {})


def _operation(route: Route, schemas: _Schemas) -> Json:
    found: Json = {}
    if route.query:
        found["parameters"] = [{"name": name, "in": "query", "schema": _QUERIES[kind]} for name, kind in route.query.items()]
    if route.body is not None:
        found["requestBody"] = {"content": {"application/json": {"schema": schemas.of(route.body)}}}
    answer: Json = {"description": "Done."}
    if route.media:
        answer["content"] = {route.media: {"schema": {"type": "string", "format": "binary"}}}
    elif route.answer is not None:
        schema = {"type": ["object", "array"]} if route.answer is object else schemas.of(route.answer)
        answer["content"] = {"application/json": {"schema": schema}}
    error = {"description": "Refused.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    found["responses"] = {str(route.status): answer, "4XX": error, "5XX": error}
    return found


#: `/openapi.json`, and `/docs` to read it.
docs = api_docs.blueprint("api_docs", "", lambda app: document(app, version("irmahub")))

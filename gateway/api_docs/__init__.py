"""A page that shows an OpenAPI document: one plain page without script, under a policy that lets nothing in from elsewhere."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, jsonify
from jinja2 import Environment, FileSystemLoader

FOLDER: Final = Path(__file__).parent

CONTENT_SECURITY_POLICY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS: Final = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}

_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_RULE: Final = re.compile(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>")


def blueprint(name: str, prefix: str, describe: Callable[[Flask], dict[str, Any]]) -> Blueprint:
    """`/openapi.json`, `/docs` and the style sheet of the page.

    Args:
        name: of the blueprint.
        prefix: the path under which they stand, without trailing slash.
        describe: makes the document of an application; called when it is first asked for.
    """
    docs = Blueprint(name, __name__, url_prefix=prefix or None)

    @cache
    def described(app: Flask) -> dict[str, Any]:
        return describe(app)

    def openapi() -> Response:
        """The document."""
        return jsonify(described(_application()))

    def page() -> Response:
        """The page."""
        return Response(render(described(_application()), f"{prefix}/docs/style.css"), mimetype="text/html", headers=_HEADERS)

    def style() -> Response:
        """The style sheet."""
        return Response((FOLDER / "style.css").read_bytes(), mimetype="text/css", headers=_HEADERS)

    docs.add_url_rule("/openapi.json", view_func=openapi)
    docs.add_url_rule("/docs", view_func=page)
    docs.add_url_rule("/docs/style.css", view_func=style)
    return docs


def _application() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def render(document: dict[str, Any], style_sheet: str) -> str:
    """The page of a document."""
    environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    operations: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, operation in item.items():
            if method != "parameters":
                parameters = [*shared, *operation.get("parameters", [])]
                operations[operation["tags"][0]].append({**operation, "method": method.upper(), "path": path, "parameters": parameters})
    return environment.get_template("page.html").render(document=document, operations=operations, style_sheet=style_sheet, type_of=type_of)


def type_of(schema: dict[str, Any]) -> str:
    """What a schema asks for, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return f"“{schema['const']}”"
    if "enum" in schema:
        return " | ".join(f"“{word}”" for word in schema["enum"])
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return " or ".join(type_of(option) for option in schema[word])
    if schema.get("type") == "array" or "items" in schema:
        return f"list of {type_of(schema.get('items', {}))}"
    kind = schema.get("type", "anything")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def shape(path: str) -> str:
    """A path without the names of its parameters and without a slash at its end: two paths of one shape are one to a client."""
    return _PARAMETER.sub("{}", path).rstrip("/") or "/"


def parameters(path: str) -> list[str]:
    """The names of a path's parameters."""
    return _PARAMETER.findall(path)


def routes(app: Flask, prefix: str) -> set[tuple[str, str]]:
    """The routes of an application below a prefix, as method and shape."""
    return {
        (method, shape(_RULE.sub(r"{\1}", rule.rule.removeprefix(prefix))))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(prefix)
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }

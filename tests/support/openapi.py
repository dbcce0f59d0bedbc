"""Answers of an application against its OpenAPI document."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
from flask import Flask, Response, request


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with its method and path."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), path, operation


def fault(document: dict[str, Any], method: str, path: str, response: Response) -> str | None:
    """What an answer has that its document does not say, None where they agree or the document has no such operation."""
    base = document["servers"][0]["url"].rstrip("/")
    found = [
        operation
        for verb, template, operation in operations(document)
        if verb == method and re.fullmatch(base + re.sub(r"\\{\w+\\}", r"[^/]+", re.escape(template)) + "/?", path)
    ]
    # A path without parameters is more special than one with.
    operation = next((item for item in found if "{" not in item["operationId"]), None)
    if operation is None:
        return None
    responses = operation["responses"]
    status = str(response.status_code)
    described = responses.get(status) or responses.get(f"{status[0]}XX")
    if described is None:
        return f"{method} {path}: status {status} is not described"
    content = described.get("content")
    if content is None:
        return None if not response.get_data() else f"{method} {path}: {status} has a body, which is not described"
    media = content.get(response.mimetype)
    if media is None:
        return f"{method} {path}: {status} is {response.mimetype}, described is {', '.join(content)}"
    if response.mimetype != "application/json":
        return None
    validator = jsonschema.Draft202012Validator({**media["schema"], "components": document["components"]})
    errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(response.get_json())]
    return f"{method} {path}: {status}: {errors[:3]}" if errors else None


def watch(app: Flask, document: dict[str, Any]) -> list[str]:
    """Have every answer of an application compared from now on; gives the list that faults are put into."""
    faults: list[str] = []

    def compare(response: Response) -> Response:
        if not response.direct_passthrough:
            wrong = fault(document, request.method, request.path, response)
            if wrong is not None:
                faults.append(wrong)
        return response

    # First in the list is last to see the answer: as it leaves.
    app.after_request_funcs.setdefault(None, []).insert(0, compare)
    return faults

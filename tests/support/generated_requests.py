"""Requests that Schemathesis makes from an OpenAPI document, to each operation of an application, always the same."""

from collections.abc import Mapping

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

_CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


def send_generated_requests(
    app: Flask, path: str, headers: Mapping[str, str], *, examples: int, without: frozenset[str] = frozenset()
) -> int:
    """Send them; each answer must be one that the document describes, and none an error of the server.

    Args:
        app: what they are sent to.
        path: of its document.
        headers: sent with each.
        examples: how many for each operation.
        without: the `operationId`s that are left out.

    Returns:
        How many operations there were.
    """
    schema = schemathesis.openapi.from_wsgi(path, app)
    count = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] in without:
            continue

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=list(_CHECKS), headers=dict(headers))

        send()
        count += 1
    return count

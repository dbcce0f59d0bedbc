"""The document of the console's API: valid, whole, and true. That answers are as described is shown by all tests of the API."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from console.accounts.models import NewApiToken
from console.api.descriptions import ROUTES
from console.app import create_app
from gateway.authorization import Action
from tests.console.api.test_api import make_noor
from tests.console.conftest import Installation
from tests.support.generated_requests import send_generated_requests
from tests.support.openapi import operations

#: Examples for each operation: of the sample in `make test`, and of the long run.
SAMPLE, LONG = 3, 100

#: They end what the token rests on, or reach out to a remote of a scheme.
WITHOUT = frozenset({"set_state", "set_grants", "revoke_token", "import_scheme"})


@pytest.fixture
def application(installation: Installation) -> Flask:
    return create_app(installation.services, clock=installation.clock)


@pytest.fixture
def document(application: Flask) -> dict[str, Any]:
    found: dict[str, Any] = application.test_client().get("/openapi.json").get_json()
    return found


@pytest.mark.feature("E12")
def test_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


@pytest.mark.feature("E12")
def test_every_route_is_described_and_every_description_has_a_route(application: Flask, document: dict[str, Any]) -> None:
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in application.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.nothing" and method not in ("HEAD", "OPTIONS")
    }
    assert {(method, path) for method, path, _ in operations(document)} == served
    assert {operation["operationId"] for _, _, operation in operations(document)} == set(ROUTES)


@pytest.mark.feature("E12")
def test_page_is_served_here(application: Flask, document: dict[str, Any]) -> None:
    client = application.test_client()
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert re.findall(r'(?:src|href)="([^"#]*)"', answer.text) == ["/docs/style.css", "openapi.json"]
    assert client.get("/docs/style.css").mimetype == "text/css"
    assert all(operation["summary"] for _, _, operation in operations(document))


def _token(installation: Installation) -> str:
    everything = NewApiToken("all", tuple(action.value for action in Action))
    return installation.services.accounts.create_api_token(make_noor(installation), everything).secret


@pytest.mark.feature("E5.3")
def test_generated_requests_are_answered_as_described(
    installation: Installation,
    application: Flask,
    small_scheme: Path,
) -> None:
    headers = {"Authorization": f"Bearer {_token(installation)}"}
    assert send_generated_requests(application, "/openapi.json", headers, examples=SAMPLE, without=WITHOUT) == len(ROUTES) - len(WITHOUT)


@pytest.mark.long
@pytest.mark.feature("E5.3")
def test_many_generated_requests_are_answered_as_described(
    installation: Installation,
    application: Flask,
    small_scheme: Path,
) -> None:
    headers = {"Authorization": f"Bearer {_token(installation)}"}
    send_generated_requests(application, "/openapi.json", headers, examples=LONG, without=WITHOUT)

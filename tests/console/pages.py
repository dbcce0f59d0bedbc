"""The console's pages over Flask's test client: who is signed in, and the CSRF token that forms carry."""

import re

from flask import Flask
from flask.testing import FlaskClient

from console.accounts.models import NewUser
from console.services import Services
from gateway.actor import Grant, system_actor

PASSWORD = "correct horse battery staple"


def make_user(services: Services, name: str, *grants: Grant) -> None:
    """A user with these roles."""
    services.accounts.create_user(system_actor("tests"), NewUser(name, name.title(), PASSWORD, grants=grants))


def csrf_token(client: FlaskClient, path: str = "/sign-in") -> str:
    """The token of the first form on a page."""
    found = re.search(r'name="csrf_token" (?:type="hidden" )?value="([^"]+)"', client.get(path).text)
    assert found, f"no form on {path}"
    return found[1]


def signed_in(app: Flask, name: str) -> FlaskClient:
    """A client where this user is signed in."""
    client = app.test_client()
    answer = client.post("/sign-in", data={"csrf_token": csrf_token(client), "name": name, "password": PASSWORD})
    assert answer.status_code == 302, answer.text
    return client

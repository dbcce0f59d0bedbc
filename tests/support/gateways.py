"""Gateways for tests: on the scheme irma-demo, with a clock that is set, and a simulated app."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.app import create_app
from gateway.config import GatewayConfig
from gateway.runtime import Gateway
from gateway.scheme_files import read_tree
from gateway.schemes import FixedSchemes
from idemix.scheme.configuration import Configuration
from tests.support.app_simulator import SimulatedApp
from tests.support.clock import START, SettableClock
from tests.support.requestor_server import RequestorServer, running_requestor_server
from tests.support.shared import shared

TOKEN = "shop-token-0123456789"
CARD = "irma-demo.RU.studentCard"
CARD_VALUES = {"university": "Radboud", "studentCardNumber": "31415926", "studentID": "s1234567", "level": "42"}
ISSUANCE = {"@context": "https://irma.app/ld/request/issuance/v2", "credentials": [{"credential": CARD, "attributes": CARD_VALUES}]}
DISCLOSURE = {"@context": "https://irma.app/ld/request/disclosure/v2", "disclose": [[[f"{CARD}.level"]]]}
SIGNATURE = {"@context": "https://irma.app/ld/request/signature/v2", "message": "I agree", "disclose": [[[f"{CARD}.level"]]]}
OPTIONS = {
    "url": "https://gateway.example/irma/",
    "no_auth": False,
    "sse": True,
    "requestors": {"shop": {"auth_method": "token", "key": TOKEN, "disclose_perms": ["*"], "sign_perms": ["*"], "issue_perms": ["*"]}},
}


@cache
def irma_demo() -> Configuration:
    """The scheme irma-demo."""
    configuration, problems = Configuration.load([read_tree(shared("schemes", "irma-demo"))], now=int(START.timestamp()))
    assert not problems
    return configuration


@cache
def signing_key_pem() -> str:
    """A key that signs results."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass
class TestGateway:
    """A gateway with what tests do to it.

    Attributes:
        app: the Flask application.
        clock: its clock.
        client: reaches it.
    """

    __test__ = False

    app: Flask
    clock: SettableClock
    client: FlaskClient

    @property
    def gateway(self) -> Gateway:
        """Its parts."""
        return cast(Gateway, self.app.extensions["gateway"])

    def phone(self) -> SimulatedApp:
        """A new app."""
        return SimulatedApp(self.app.test_client(), irma_demo(), self.clock())

    def post(self, request: Any, token: str = TOKEN) -> TestResponse:
        """Ask for a session as the shop."""
        return self.client.post("/session", json=request, headers={"Authorization": token} if token else {})

    def start(self, request: Any) -> dict[str, Any]:
        """Start a session as the shop; gives the session package."""
        response = self.post(request)
        assert response.status_code == 200, response.text
        package: dict[str, Any] = response.get_json()
        return package

    def get(self, package: dict[str, Any], what: str) -> TestResponse:
        """Ask as the requestor for a session's `status`, `result`, …"""
        return self.client.get(f"/session/{package['token']}/{what}")

    def result(self, package: dict[str, Any]) -> dict[str, Any]:
        """The result of a session."""
        result: dict[str, Any] = self.get(package, "result").get_json()
        return result


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still."""
    return SettableClock()


@pytest.fixture
def make_gateway(clock: SettableClock) -> Iterator[Callable[..., TestGateway]]:
    """Makes gateways; options are those of the configuration, parts the arguments of `create_app`."""
    made: list[TestGateway] = []

    def make(parts: dict[str, Any] | None = None, **options: Any) -> TestGateway:
        config = GatewayConfig.from_options(OPTIONS | options, command_defaults=False)
        arguments = {"clock": clock, "schemes": FixedSchemes(irma_demo()), "background": False} | (parts or {})
        app = create_app(config, **arguments)
        made.append(TestGateway(app, clock, app.test_client()))
        return made[-1]

    yield make
    for gateway in made:
        gateway.gateway.close()


@pytest.fixture
def gateway(make_gateway: Callable[..., TestGateway]) -> TestGateway:
    """A gateway with a key that signs results."""
    return make_gateway(jwt_privkey=signing_key_pem())


@pytest.fixture
def requestor_server() -> Iterator[RequestorServer]:
    """The shop's own server."""
    with running_requestor_server() as server:
        yield server

"""Fixtures of the gateway's tests."""

from tests.support.gateways import clock, gateway, make_gateway, requestor_server  # noqa: F401 - fixtures

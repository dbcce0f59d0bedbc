"""The document of the gateway's API: valid, whole, true, and readable."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.api_docs import CONTENT_SECURITY_POLICY, routes, shape
from tests.support.gateways import DISCLOSURE, ISSUANCE, SIGNATURE, TOKEN, TestGateway
from tests.support.generated_requests import send_generated_requests
from tests.support.openapi import operations, watch
from tests.support.requestor_server import RequestorServer

#: Examples for each operation: of the sample in `make test`, and of the long run.
SAMPLE, LONG = 15, 400


def document_of(gateway: TestGateway) -> dict[str, Any]:
    document: dict[str, Any] = gateway.client.get("/openapi.json").get_json()
    return document


@pytest.mark.feature("E12")
def test_document_is_valid_openapi(gateway: TestGateway) -> None:
    document = document_of(gateway)
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    identifiers = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(identifiers) == len(set(identifiers))


@pytest.mark.feature("E12")
def test_every_route_is_described_and_every_description_has_a_route(gateway: TestGateway) -> None:
    described = {(method, shape(path)) for method, path, _ in operations(document_of(gateway))}
    assert described == routes(gateway.app, "")


def test_document_tells_the_prefix(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway(api_prefix="/irma-server/")
    document = gateway.client.get("/irma-server/openapi.json").get_json()
    assert document["servers"] == [{"url": "/irma-server"}]
    assert "/session/{token}/status" in document["paths"]
    assert gateway.client.get("/openapi.json").status_code == 404


@pytest.mark.feature("E12")
def test_answers_are_as_described(gateway: TestGateway, requestor_server: RequestorServer) -> None:
    faults = watch(gateway.app, document_of(gateway))
    phone = gateway.phone()
    for request in (ISSUANCE, DISCLOSURE, SIGNATURE):
        package = gateway.start(request)
        phone.answer(package["sessionPtr"])
        for what in ("status", "result", "result-jwt", "getproof", "nowhere"):
            gateway.get(package, what)
        gateway.client.delete(f"/session/{package['token']}")
    requestor_server.answer = b'{"@context":"https://irma.app/ld/request/disclosure/v2","disclose":[[["irma-demo.RU.studentCard.level"]]]}'
    chain = gateway.start({"request": DISCLOSURE, "nextSession": {"url": requestor_server.url}})
    phone.answer(chain["sessionPtr"])
    assert "nextSession" in gateway.result(chain)
    paired = gateway.start(DISCLOSURE)
    frontend = f"{phone.path(paired['sessionPtr'])}/frontend"
    secret = {"Authorization": paired["frontendRequest"]["authorization"]}
    options = {"@context": "https://irma.app/ld/request/frontendoptions/v1", "pairingMethod": "pin"}
    gateway.client.post(f"{frontend}/options", json=options, headers=secret)
    phone.connect(paired["sessionPtr"])
    for what in ("status", "status/", "nowhere"):
        gateway.client.get(f"{frontend}/{what}", headers=secret)
    gateway.client.post(f"{frontend}/pairingcompleted", headers=secret)
    gateway.client.get(f"{phone.path(paired['sessionPtr'])}/request", headers={"Authorization": phone.authorization})
    gateway.client.get(f"{phone.path(paired['sessionPtr'])}/status")
    gateway.client.delete(phone.path(paired["sessionPtr"]))
    gateway.post({"@context": "x"})
    gateway.post(DISCLOSURE, "wrong")
    for path in ("/publickey", "/health", "/health/live", "/health/ready", "/docs", "/session/short/status", "/irma/session/short"):
        gateway.client.get(path)
    gateway.client.post("/irma/session/nobody")
    gateway.client.post("/revocation", data=b"{}", headers={"Content-Type": "text/plain"})
    gateway.gateway.health.stop_soon()
    gateway.client.get("/health/ready")
    assert faults == []


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.loaded += [str(values[name]) for name in ("src", "style") if name in values]
        if tag == "link":
            self.loaded.append(str(values["href"]))


@pytest.mark.feature("E12")
def test_page_shows_every_operation_and_loads_nothing_from_elsewhere(gateway: TestGateway) -> None:
    answer = gateway.client.get("/docs")
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    page = _Page()
    page.feed(answer.text)
    assert page.loaded == ["/docs/style.css"]
    assert "script" not in page.tags
    assert gateway.client.get("/docs/style.css").mimetype == "text/css"
    for method, path, _ in operations(document_of(gateway)):
        assert f"<b>{method}</b> <code>{path}</code>" in answer.text


#: Streams wait for events; and two operations have answers above 500 that the reference gives on purpose.
WITHOUT = frozenset(
    {
        "getSessionTokenStatusevents",
        "getIrmaSessionTokenStatusevents",
        "getIrmaSessionTokenFrontendStatusevents",
        "postRevocation",
    }
)


@pytest.mark.feature("E5.3")
def test_generated_requests_are_answered_as_described(gateway: TestGateway) -> None:
    sent = send_generated_requests(gateway.app, "/openapi.json", {"Authorization": TOKEN}, examples=SAMPLE, without=WITHOUT)
    # The document itself is read, not sent requests to.
    assert sent == len(list(operations(document_of(gateway)))) - len(WITHOUT) - 1


@pytest.mark.long
@pytest.mark.feature("E5.3")
def test_many_generated_requests_are_answered_as_described(gateway: TestGateway) -> None:
    send_generated_requests(gateway.app, "/openapi.json", {"Authorization": TOKEN}, examples=LONG, without=WITHOUT)

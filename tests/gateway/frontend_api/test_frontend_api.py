"""The endpoints of the requestor's web page."""

import pytest

from tests.support.gateways import DISCLOSURE, TestGateway

CONTEXT = "https://irma.app/ld/request/frontendoptions/v1"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "status"), ("GET", "statusevents"), ("POST", "options"), ("POST", "pairingcompleted")]
)
@pytest.mark.parametrize("secret", ["", "wrong"])
def test_the_secret_is_needed(gateway: TestGateway, method: str, path: str, secret: str) -> None:
    base = gateway.phone().path(gateway.start(DISCLOSURE)["sessionPtr"])
    response = gateway.client.open(f"{base}/frontend/{path}", method=method, headers={"Authorization": secret})
    assert response.status_code == 403
    assert response.get_json() == {"status": 403, "error": "UNAUTHORIZED", "description": "You are not authorized to access the session"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "", 404), ("GET", "/", 404), ("GET", "/nope", 404), ("GET", "/options", 405), ("PUT", "/status", 405)],
)
def test_the_secret_is_needed_before_the_path_is_looked_at(gateway: TestGateway, method: str, path: str, status: int) -> None:
    package = gateway.start(DISCLOSURE)
    url = gateway.phone().path(package["sessionPtr"]) + "/frontend" + path
    assert gateway.client.open(url, method=method).status_code == 403
    response = gateway.client.open(url, method=method, headers={"Authorization": package["frontendRequest"]["authorization"]})
    assert (response.status_code, response.get_json()) == (status, {"status": status, "error": "INVALID_REQUEST"})


def test_pairing_is_confirmed_without_a_body(gateway: TestGateway) -> None:
    package = gateway.start(DISCLOSURE)
    base = gateway.phone().path(package["sessionPtr"]) + "/frontend"
    secret = {"Authorization": package["frontendRequest"]["authorization"]}
    gateway.client.post(f"{base}/options", json={"@context": CONTEXT, "pairingMethod": "pin"}, headers=secret)
    gateway.phone().connect(package["sessionPtr"])
    response = gateway.client.post(f"{base}/pairingcompleted", headers=secret)
    assert (response.status_code, response.data, response.content_type) == (204, b"", None)


def test_options(gateway: TestGateway) -> None:
    package = gateway.start(DISCLOSURE)
    base = gateway.phone().path(package["sessionPtr"]) + "/frontend"
    secret = {"Authorization": package["frontendRequest"]["authorization"]}

    def choose(body: object) -> tuple[int, dict[str, object]]:
        response = gateway.client.post(f"{base}/options", json=body, headers=secret)
        return response.status_code, response.get_json()

    assert gateway.client.get(f"{base}/status", headers=secret).get_json() == {"status": "INITIALIZED"}
    assert choose({"@context": "x"})[1]["error"] == "MALFORMED_INPUT"
    assert choose({"@context": CONTEXT, "pairingMethod": "fax"})[1]["message"] == "Pairing method unknown"
    assert choose({"@context": CONTEXT}) == (200, {"@context": "https://irma.app/ld/options/v1", "pairingMethod": "none"})
    status, options = choose({"@context": CONTEXT, "pairingMethod": "pin"})
    assert (status, len(str(options["pairingCode"]))) == (200, 4)
    assert "pairingCode" not in choose({"@context": CONTEXT, "pairingMethod": "none"})[1]
    early = gateway.client.post(f"{base}/pairingcompleted", headers=secret)
    assert (early.status_code, early.get_json()["message"]) == (403, "Pairing was not enabled")
    gateway.phone().connect(package["sessionPtr"])
    assert choose({"@context": CONTEXT, "pairingMethod": "pin"})[1]["error"] == "UNEXPECTED_REQUEST"

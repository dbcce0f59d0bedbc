"""Static files: what is served, where, and what is not."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from gateway.app import create_app, create_client_app
from gateway.config import GatewayConfig
from gateway.schemes import FixedSchemes
from tests.support.gateways import OPTIONS, irma_demo

Serve = Callable[..., tuple[FlaskClient, FlaskClient]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site, and something secret beside it."""
    site = tmp_path / "site"
    for name, text in {
        "index.html": "<h1>Home</h1>",
        "script.js": "1",
        "with space.txt": "s",
        "sub/index.html": "sub",
        "empty/x.txt": "x",
        ".env": "hidden",
        ".git/config": "hidden",
        "sub/.well-known": "hidden",
        ".well-known/apple-app-site-association": "{}",
        "irma/x.txt": "of a folder called irma",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    (tmp_path / "secret.txt").write_text("outside")
    (site / "out.txt").symlink_to(tmp_path / "secret.txt")
    (site / "outer").symlink_to(tmp_path)
    (site / "alias.js").symlink_to("script.js")
    (site / "alias.env").symlink_to(".env")
    (site / "loop").symlink_to("loop")
    return site


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Gives a client of the application that serves files: the second one where there are two."""
    with ExitStack() as closing:

        def make(**options: object) -> tuple[FlaskClient, FlaskClient]:
            config = GatewayConfig.from_options({**OPTIONS, "static_path": str(folder), **options})
            app = create_app(config, schemes=FixedSchemes(irma_demo()), background=False)
            closing.callback(app.extensions["gateway"].close)
            return app.test_client(), (create_client_app(app) if config.client_port else app).test_client()

        yield make


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "<h1>Home</h1>"),
        ("/script.js", "1"),
        ("/with%20space.txt", "s"),
        ("/sub/", "sub"),
        ("/empty/x.txt", "x"),
        ("/alias.js", "1"),
        ("/.well-known/apple-app-site-association", "{}"),
    ],
)
def test_files(serve: Serve, path: str, text: str) -> None:
    _, client = serve()
    answer = client.get(path, buffered=True)
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.head(path, buffered=True).status_code == 200
    again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]}, buffered=True)
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/none",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/out.txt",
        "/outer/secret.txt",
        "/alias.env",
        "/loop",
        "/.env",
        "/.git/config",
        "/sub/.well-known",
        "/empty/",
        "/script.js/",
        "/sub//index.html",
        "/script.js%00",
        "/./script.js",
        "/" + "x" * 5000,
    ],
)
def test_what_is_not_served(serve: Serve, path: str) -> None:
    answer = serve()[1].get(path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")


def test_folders_and_their_index_have_one_address(serve: Serve) -> None:
    _, client = serve()
    assert (client.get("/sub").status_code, client.get("/sub").headers["Location"]) == (301, "sub/")
    assert (client.get("/sub/index.html").status_code, client.get("/sub/index.html").headers["Location"]) == (301, "./")


def test_the_api_goes_before_files(serve: Serve) -> None:
    _, client = serve()
    assert client.get("/health").text == "OK"
    assert client.get("/irma/x.txt").json == {"status": 404, "error": "INVALID_REQUEST"}
    assert client.post("/script.js").status_code == 405
    assert client.head("/health").status_code == 405


def test_a_prefix_for_files_and_one_for_all(serve: Serve) -> None:
    _, client = serve(static_prefix="/site", api_prefix="/api", url="https://gateway.example/api")
    assert client.get("/api/site/script.js", buffered=True).text == "1"
    assert client.get("/api/site/irma/x.txt", buffered=True).text == "of a folder called irma"
    for path in ("/script.js", "/site/script.js", "/api/script.js"):
        assert client.get(path).status_code == 404
    assert client.get("/api/health").text == "OK"


def test_files_stand_beside_the_api_of_apps(serve: Serve) -> None:
    backends, apps = serve(client_port=9000)
    assert backends.get("/script.js").status_code == 404
    assert apps.get("/script.js", buffered=True).text == "1"

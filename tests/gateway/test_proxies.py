"""Whose word on the client is taken."""

from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.test import Client

from gateway.proxies import behind_proxies, parse_networks


def tell(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """An application that tells whom it sees."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']} {environ['HTTP_HOST']}".encode()]


FORWARDED = {"X-Forwarded-For": "192.0.2.9, 198.51.100.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "irma.example.org"}


@pytest.mark.parametrize(
    ("networks", "peer", "headers", "seen"),
    [
        ([], "127.0.0.1", FORWARDED, "127.0.0.1 http localhost"),
        (["10.0.0.0/8"], "127.0.0.1", FORWARDED, "127.0.0.1 http localhost"),
        (["127.0.0.1"], "127.0.0.1", FORWARDED, "198.51.100.7 https irma.example.org"),
        (["127.0.0.1", "198.51.100.0/24"], "127.0.0.1", FORWARDED, "192.0.2.9 https irma.example.org"),
        (["0.0.0.0/0"], "127.0.0.1", FORWARDED, "192.0.2.9 https irma.example.org"),
        (["127.0.0.0/8"], "::ffff:127.0.0.1", FORWARDED, "198.51.100.7 https irma.example.org"),
        (["::1"], "::1", {"X-Forwarded-For": "2001:db8::7"}, "2001:db8::7 http localhost"),
        (["127.0.0.1"], "127.0.0.1", {"X-Forwarded-For": "192.0.2.9, junk"}, "127.0.0.1 http localhost"),
        (["127.0.0.1"], "127.0.0.1", {"X-Forwarded-Proto": "gopher"}, "127.0.0.1 http localhost"),
        (["127.0.0.1"], "127.0.0.1", {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "evil, real"}, "127.0.0.1 https real"),
        (["127.0.0.1"], "", FORWARDED, " http localhost"),
    ],
)
def test_the_word_of_trusted_networks_is_taken_and_no_other(networks: list[str], peer: str, headers: dict[str, str], seen: str) -> None:
    client = Client(behind_proxies(tell, parse_networks(networks)))
    assert client.get("/", headers=headers, environ_base={"REMOTE_ADDR": peer}).text == seen


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy.example", "10.0.0.0/40", ""])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="no network"):
        parse_networks([text])

"""Which network address a scheme is fetched from."""

import socket

import pytest

from console.errors import NotLiveError, RefusedAddressError
from console.publishing.fetch import PublicAddress


def test_the_address_that_was_judged_is_the_one_that_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address)
        raise OSError("nobody answers")

    monkeypatch.setattr(socket, "create_connection", connect)
    public = PublicAddress("https://schemes.example/x/", trusted=False, resolver=lambda _host, _port: ["8.8.8.8"])
    # Another answer of the name server afterwards changes nothing.
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))])
    with public.open() as fetcher, pytest.raises(NotLiveError, match=r"schemes\.example"):
        fetcher.get("index")
    assert connected == [("8.8.8.8", 443)]


@pytest.mark.parametrize(
    "url", ["https://[::1", "https://public.example:99999/", "https://a b.example/", "https://public.example\\@127.0.0.1/"]
)
def test_an_address_that_programs_could_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        PublicAddress(url, trusted=False, resolver=lambda _host, _port: ["8.8.8.8"])


def test_a_host_without_address_is_refused() -> None:
    with pytest.raises(RefusedAddressError):
        PublicAddress("https://public.example/", trusted=False, resolver=lambda _host, _port: [])

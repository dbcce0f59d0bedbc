"""Which network address a scheme is fetched from."""

import socket

import pytest

from console.errors import NotLiveError, RefusedAddressError
from console.publishing.fetch import PublicAddress
from gateway.addresses import PUBLIC_ONLY


def test_the_address_that_was_judged_is_the_one_that_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address)
        raise OSError("nobody answers")

    monkeypatch.setattr(socket, "create_connection", connect)
    answers = [["8.8.8.8"], ["8.8.8.8"], ["127.0.0.1"]]
    public = PublicAddress("https://schemes.example/x/", PUBLIC_ONLY, resolver=lambda _host, _port: answers.pop(0))
    with pytest.raises(NotLiveError, match=r"schemes\.example"), public.open() as fetcher:
        fetcher.get("index")
    # Another answer of the name server afterwards leads nowhere.
    with pytest.raises(NotLiveError, match="range that must not be called"), public.open() as fetcher:
        fetcher.get("index")
    assert connected == [("8.8.8.8", 443)]


@pytest.mark.parametrize(
    "url", ["https://[::1", "https://public.example:99999/", "https://a b.example/", "https://public.example\\@127.0.0.1/"]
)
def test_an_address_that_programs_could_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(RefusedAddressError):
        PublicAddress(url, PUBLIC_ONLY, resolver=lambda _host, _port: ["8.8.8.8"])


def test_a_host_without_address_is_refused() -> None:
    with pytest.raises(RefusedAddressError):
        PublicAddress("https://public.example/", PUBLIC_ONLY, resolver=lambda _host, _port: [])

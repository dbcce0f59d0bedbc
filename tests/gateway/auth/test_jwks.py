"""Key sets that requestors publish."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.addresses import PUBLIC_ONLY, WITH_PRIVATE
from gateway.auth.jwks import DEFAULT_AGE_SECONDS, REFRESH_SECONDS, JwksCache, JwksError, read_key_set
from gateway.outbound import OutboundClient
from tests.support.web_server import Page, WebServer, running_web_server

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
RSA_JWK: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())) | {"kid": "one"}
EC_JWK: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())) | {"kid": "two"}
ED_JWK: dict[str, Any] = json.loads(OKPAlgorithm.to_jwk(ED_KEY.public_key())) | {"kid": "three"}


def key_set(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running_web_server() as running:
        running.pages["/keys"] = Page(key_set(RSA_JWK))
        yield running


@pytest.fixture
def client() -> Iterator[OutboundClient]:
    made = OutboundClient(WITH_PRIVATE)
    yield made
    made.close()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def cache(client: OutboundClient, seconds: Seconds) -> JwksCache:
    return JwksCache(client, https_only=False, seconds=seconds)


def test_a_set_is_fetched_once(cache: JwksCache, server: WebServer, seconds: Seconds) -> None:
    for _ in range(3):
        assert cache.key(server.url + "keys", "one") == RSA_KEY.public_key()
        assert cache.key(server.url + "keys", None) == RSA_KEY.public_key()
    assert len(server.visits) == 1
    seconds.now += DEFAULT_AGE_SECONDS
    cache.key(server.url + "keys", "one")
    assert len(server.visits) == 2


def test_an_unknown_key_has_the_set_fetched_again_once_a_minute(cache: JwksCache, server: WebServer, seconds: Seconds) -> None:
    url = server.url + "keys"
    cache.key(url, "one")
    server.pages["/keys"] = Page(key_set(EC_JWK))
    for _ in range(5):
        with pytest.raises(JwksError, match="no such key"):
            cache.key(url, "two")
    assert len(server.visits) == 1
    seconds.now += REFRESH_SECONDS
    assert cache.key(url, "two") == EC_KEY.public_key()
    with pytest.raises(JwksError, match="no such key"):
        cache.key(url, "one")
    assert len(server.visits) == 2


@pytest.mark.parametrize("page", [Page(status=500), Page(b"no set"), Page(b"[]"), Page(b'{"keys": 1}')])
def test_a_set_that_cannot_be_fetched_stays_as_it_was(cache: JwksCache, server: WebServer, seconds: Seconds, page: Page) -> None:
    url = server.url + "keys"
    cache.key(url, "one")
    server.pages["/keys"] = page
    for _ in range(3):
        seconds.now += DEFAULT_AGE_SECONDS
        assert cache.key(url, "one") == RSA_KEY.public_key()
    assert len(server.visits) == 4
    seconds.now += 3 * 86_400
    with pytest.raises(JwksError):
        cache.key(url, "one")


def test_what_the_server_says_of_its_age_counts_within_bounds(cache: JwksCache, server: WebServer, seconds: Seconds) -> None:
    url = server.url + "keys"
    server.pages["/keys"] = Page(key_set(RSA_JWK), headers={"Cache-Control": "public, max-age=0"})
    cache.key(url, "one")
    cache.key(url, "one")
    assert len(server.visits) == 1
    server.pages["/keys"] = Page(key_set(RSA_JWK), headers={"Cache-Control": "max-age=999999999"})
    for expected, later in ((2, 60), (2, 86_000), (3, 400)):
        seconds.now += later
        cache.key(url, "one")
        assert len(server.visits) == expected


def test_private_addresses_and_http_are_refused(server: WebServer) -> None:
    public = OutboundClient(PUBLIC_ONLY)
    inside = OutboundClient(WITH_PRIVATE)
    for cache in (JwksCache(public, https_only=False), JwksCache(inside, https_only=True)):
        with pytest.raises(JwksError, match="cannot be fetched"):
            cache.key(server.url + "keys", "one")
    assert not server.visits
    public.close()
    inside.close()


def test_a_set_of_several_keys_needs_the_id(cache: JwksCache, server: WebServer) -> None:
    server.pages["/keys"] = Page(key_set(RSA_JWK, EC_JWK, ED_JWK))
    url = server.url + "keys"
    with pytest.raises(JwksError, match="no such key"):
        cache.key(url, None)
    assert cache.key(url, "three") == ED_KEY.public_key()


def test_keys_that_are_not_for_signatures_are_passed_over() -> None:
    small = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()))
    others = [
        "text",
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        RSA_JWK | {"use": "enc", "kid": "encryption"},
        RSA_JWK | {"kid": 7},
        {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "broken"},
        json.loads(RSAAlgorithm.to_jwk(RSA_KEY)) | {"kid": "private"},
        small | {"kid": "small"},
    ]
    assert set(read_key_set(key_set(*others, ED_JWK))) == {"three"}

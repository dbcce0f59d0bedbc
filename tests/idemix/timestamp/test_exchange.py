"""From a value to a stamp on it that a verifier believes."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import IdemixError, InvalidTimestampError, MalformedKeyError, MalformedRequestError
from idemix.timestamp import NO_KEYS, Timestamp, TimestampKeys, request_timestamp
from idemix.timestamp.keys import check_signature
from idemix.timestamp.messages import Hashing, StampRequest, StampResponse, encode_time_and_nonce
from idemix.timestamp.proof_of_work import TooMuchWorkError, WorkRequest
from tests.support.clock import START
from tests.support.timestamps import URL, MemoryService, timestamp_server

VALUE = bytes(range(32))
NOW = int(START.timestamp())


def service(work: WorkRequest | None = None, seed: int = 1) -> MemoryService:
    return MemoryService(timestamp_server(work=work, seed=seed), lambda: START)


@given(st.binary(max_size=128))
def test_what_is_stamped_verifies_under_the_servers_key(value: bytes) -> None:
    way = service()
    stamp = request_timestamp(way, URL, value, now=START)
    assert stamp.time == NOW
    way.keys.verify(stamp, value, URL)
    way.keys.verify(stamp, value, URL.rstrip("/"))
    with pytest.raises(InvalidTimestampError):
        way.keys.verify(stamp, value + b"x", URL)


def test_only_keys_that_are_known_of_the_server_count() -> None:
    way, other = service(), service(seed=2)
    stamp = request_timestamp(way, URL, VALUE, now=START)
    for keys in (NO_KEYS, other.keys, TimestampKeys.parse({"https://elsewhere.example/": [way.server.key]})):
        with pytest.raises(InvalidTimestampError, match="key"):
            keys.verify(stamp, VALUE, URL)
    # What address the stamp itself names is no matter.
    way.keys.verify(replace(stamp, server_url="https://evil.example/"), VALUE, URL)
    both = TimestampKeys.parse({URL: [other.server.key, way.server.key]})
    both.verify(stamp, VALUE, URL)


STAMP = request_timestamp(service(), URL, VALUE, now=START)
SIGNATURE = STAMP.signature
ALTERED: dict[str, tuple[Timestamp, str | None]] = {
    "another time": (replace(STAMP, time=STAMP.time + 1), None),
    "hashed": (replace(STAMP, hashing=Hashing("shake256", b"")), None),
    "an unknown hash": (replace(STAMP, hashing=Hashing("md5", b"")), None),
    "no signature": (replace(STAMP, signature=replace(SIGNATURE, data=None)), None),
    "an empty signature": (replace(STAMP, signature=replace(SIGNATURE, data=b"")), None),
    "a signature too long": (replace(STAMP, signature=replace(SIGNATURE, data=(SIGNATURE.data or b"") + b"x")), None),
    "no key": (replace(STAMP, signature=replace(SIGNATURE, public_key=None)), None),
    "a short key": (replace(STAMP, signature=replace(SIGNATURE, public_key=b"x")), None),
    "another algorithm": (replace(STAMP, signature=replace(SIGNATURE, algorithm="xmssmt")), "timestamp-algorithm"),
    "no algorithm": (replace(STAMP, signature=replace(SIGNATURE, algorithm="")), "timestamp-algorithm"),
}  # fmt: skip


@pytest.mark.parametrize("label", ALTERED)
def test_an_altered_stamp_is_refused(label: str) -> None:
    stamp, departure = ALTERED[label]
    keys = TimestampKeys(frozenset({(URL, stamp.signature.public_key or b"")}))
    for check in (lambda: keys.verify(stamp, VALUE, URL), lambda: check_signature(stamp, VALUE)):
        with pytest.raises(InvalidTimestampError) as refusal:
            check()
        assert refusal.value.departure == departure


def test_work_that_is_asked_for_is_done_once() -> None:
    way = service(WorkRequest(8, b"nonce"))
    stamp = request_timestamp(way, URL, VALUE, now=START)
    way.keys.verify(stamp, VALUE, URL)
    first, second = map(StampRequest.parse, way.posted)
    assert first.proof_of_work is None
    assert second.proof_of_work is not None
    assert second.time == NOW
    with pytest.raises(TooMuchWorkError):
        request_timestamp(service(WorkRequest(60, b"nonce")), URL, VALUE, now=START)


@dataclass
class Recorded:
    """A way on which every answer is the same."""

    answer: bytes

    def post(self, url: str, body: bytes) -> bytes:
        return self.answer


INFO = service(WorkRequest(3, b"")).server.info()
ANSWERS: dict[str, tuple[bytes, type[IdemixError]]] = {
    "an error": (StampResponse(error="nonce is too long").print(), InvalidTimestampError),
    "work that is never right": (StampResponse(error="proof of work is invalid", info=INFO).print(), InvalidTimestampError),
    "work, without saying which": (StampResponse(error="proof of work is missing").print(), InvalidTimestampError),
    "nothing": (StampResponse().print(), InvalidTimestampError),
    "a stamp on something else": (StampResponse(request_timestamp(service(), URL, b"x", now=START)).print(), InvalidTimestampError),
    "no JSON": (b"<html>", MalformedRequestError),
}  # fmt: skip


@pytest.mark.parametrize("label", ANSWERS)
def test_a_holder_takes_no_other_answer(label: str) -> None:
    answer, error = ANSWERS[label]
    with pytest.raises(error):
        request_timestamp(Recorded(answer), URL, VALUE, now=START)


REQUESTS: dict[str, tuple[StampRequest, str]] = {
    "too late": (StampRequest(VALUE, time=NOW - 61), "too much lag"),
    "too early": (StampRequest(VALUE, time=NOW + 61), "too much lag"),
    "no nonce": (StampRequest(None), "missing nonce"),
    "a long nonce": (StampRequest(bytes(129)), "nonce is too long"),
    "no work": (StampRequest(VALUE), "proof of work is missing"),
    "other work": (StampRequest(VALUE, proof_of_work=bytes(24)), "proof of work is invalid"),
}


@pytest.mark.parametrize("label", REQUESTS)
def test_what_the_server_refuses(label: str) -> None:
    request, error = REQUESTS[label]
    response = StampResponse.parse(timestamp_server(work=WorkRequest(8, b"n")).stamp(request.print(), now=START))
    assert (response.error, response.stamp) == (error, None)
    assert response.info is not None


def test_the_server_takes_a_time_near_its_own() -> None:
    work = WorkRequest(8, b"n")
    done = work.fulfil(encode_time_and_nonce(NOW - 60, VALUE))
    request = StampRequest(VALUE, done, NOW - 60, "xmssmt")
    response = StampResponse.parse(timestamp_server(work=work).stamp(request.print(), now=START))
    assert response.stamp is not None
    assert response.stamp.time == NOW - 60
    assert response.stamp.signature.algorithm == "ed25519"


def test_the_server_knows_its_key() -> None:
    server = timestamp_server()
    key = server.private_key.public_key().public_bytes_raw().hex()

    def check(algorithm: str, public_key: str) -> Any:
        return json.loads(server.check_key(algorithm, public_key, now=START))

    assert check("ed25519", key) == {"Trusted": True, "Expires": (START + timedelta(days=30)).isoformat()}
    assert not check("xmssmt", key)["Trusted"]
    assert not check("ed25519", "00" * 32)["Trusted"]
    with pytest.raises(MalformedRequestError):
        server.check_key("ed25519", "x", now=START)


@pytest.mark.parametrize("text", ["", "ed25519", "ed25519-", "ed25519-AA==", "ed25519-*", "xmssmt-" + "A" * 43 + "=", "A" * 43 + "="])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(MalformedKeyError) as refusal:
        TimestampKeys.parse({URL: [text]})
    assert refusal.value.where == URL


def change_first_byte(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


CHANGES: list[Callable[[bytes], bytes]] = [change_first_byte, lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""]


@pytest.mark.parametrize("change", CHANGES)
def test_a_stamp_is_on_the_whole_value(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(InvalidTimestampError):
        service().keys.verify(STAMP, change(VALUE), URL)

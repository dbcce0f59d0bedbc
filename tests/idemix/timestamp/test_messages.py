"""The messages of the atum protocol."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idemix.errors import InvalidTimestampError, MalformedRequestError
from idemix.timestamp.messages import Hashing, ServerInfo, StampRequest, StampResponse, Timestamp, TimestampSignature
from idemix.timestamp.proof_of_work import WorkRequest

STAMP = Timestamp(1790000000, "http://localhost:48699/", TimestampSignature("ed25519", b"\1\2", b"\3\4"))
INT64 = st.integers(-(2**63), 2**63 - 1)
BYTES = st.none() | st.binary(max_size=70)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
STAMPS = st.builds(
    Timestamp, INT64, TEXTS, st.builds(TimestampSignature, TEXTS, BYTES, BYTES), st.none() | st.builds(Hashing, TEXTS, BYTES)
)
WORK = st.builds(WorkRequest, st.integers(0, 64), st.binary(max_size=20))
INFOS = st.builds(ServerInfo, INT64, INT64, TEXTS, st.dictionaries(TEXTS, WORK, max_size=2))


def test_a_stamp_is_written_as_the_reference_does() -> None:
    assert json.dumps(STAMP.to_json(), separators=(",", ":")) == (
        '{"Time":1790000000,"ServerUrl":"http://localhost:48699/","Sig":{"Alg":"ed25519","Data":"AQI=","PublicKey":"AwQ="}}'
    )


def test_a_request_is_written_as_the_reference_does() -> None:
    assert (
        StampRequest(b"\1", algorithm="ed25519").print() == b'{"Nonce":"AQ==","ProofOfWork":null,"Time":null,"PreferredSigAlg":"ed25519"}'
    )


@given(STAMPS)
def test_stamps_written_and_read(stamp: Timestamp) -> None:
    assert Timestamp.from_json(json.loads(json.dumps(stamp.to_json()))) == stamp


@given(st.builds(StampRequest, BYTES, st.none() | st.binary(max_size=30), st.none() | INT64, st.none() | TEXTS))
def test_requests_written_and_read(request: StampRequest) -> None:
    assert StampRequest.parse(request.print()) == request


@given(st.builds(StampResponse, st.none() | STAMPS, st.none() | TEXTS, st.none() | INFOS))
def test_responses_written_and_read(response: StampResponse) -> None:
    assert StampResponse.parse(response.print()) == response


def test_keys_that_nobody_knows_are_passed_over() -> None:
    value: dict[str, Any] = STAMP.to_json()
    signature = value.pop("Sig")
    assert Timestamp.from_json({**value, "x": 1, "sig": {**signature, "y": 2}}) == STAMP


@pytest.mark.parametrize(
    "change",
    [
        {"Time": "1790000000"},
        {"Time": 1.5},
        {"Time": 1 << 63},
        {"ServerUrl": 1},
        {"Sig": []},
        {"Sig": {"Alg": 1}},
        {"Sig": {"Data": "AQI"}},
        {"Sig": {"Data": "_w=="}},
        {"Sig": {"PublicKey": [1]}},
        {"Hashing": "shake256"},
        {"Hashing": {"Hash": 1}},
    ],
    ids=json.dumps,
)
def test_malformed_stamps_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(MalformedRequestError, match="timestamp"):
        Timestamp.from_json({**STAMP.to_json(), **change})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"Nonce":"x"}', b'{"ProofOfWork":"AQ=="}', b'{"Time":"now"}', b'{"Nonce":"","nonce":""}']
)
def test_malformed_requests_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        StampRequest.parse(body)


@pytest.mark.parametrize("body", [b"x", b"[]", b'{"Stamp":[]}', b'{"Error":1}', b'{"Info":{"RequiredProofOfWork":{"ed25519":"x"}}}'])
def test_malformed_responses_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        StampResponse.parse(body)


def test_what_is_signed_is_the_time_and_the_value() -> None:
    assert STAMP.signed_bytes(b"value") == (1790000000).to_bytes(8, "big") + b"value"
    before = Timestamp(-1, "", STAMP.signature)
    assert before.signed_bytes(b"") == b"\xff" * 8


def test_a_long_message_is_hashed_first() -> None:
    hashed = Timestamp(0, "", STAMP.signature, Hashing("shake256", b"ab")).signed_bytes(b"c")
    assert hashed[8:].hex()[:32] == "483366601360a8771c6863080cc4114d"
    assert len(hashed) == 8 + 64
    assert Timestamp(0, "", STAMP.signature, Hashing("shake256", None)).signed_bytes(b"abc") == hashed
    with pytest.raises(InvalidTimestampError):
        Timestamp(0, "", STAMP.signature, Hashing("md5", None)).signed_bytes(b"abc")

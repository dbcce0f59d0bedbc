"""Issuance records."""

from dataclasses import replace
from typing import Any

import pytest
from gmpy2 import mpz

from idemix import cbor
from idemix.departures import DEPARTURES
from idemix.errors import InvalidSignatureError, MalformedProofError
from idemix.revocation import IssuanceRecord
from idemix.revocation.record import MAX_RECORD_BYTES
from tests.idemix.revocation.chain import OTHER, PRIVATE, PUBLIC

RECORD = IssuanceRecord(
    revocation_key="k",
    credential_type="irma-demo.RU.studentCard",
    key_counter=PUBLIC.counter,
    prime=mpz(17),
    issued_ns=1_600_000_000_000_000_000,
    valid_until_ns=1_700_000_000_000_000_000,
)


def test_record_in_cbor() -> None:
    written = (
        "a6634b6579616b684372656454797065781869726d612d64656d6f2e52552e73747564656e7443617264664973737565641b16345785d8a00000"
        "69504b436f756e74657202644174747241116a56616c6964556e74696c1b17979cfe362a0000"
    )
    record = replace(RECORD, key_counter=2)
    assert record.to_cbor().hex() == written
    assert cbor.decode(replace(record, revoked_ns=5).to_cbor(), "")["RevokedAt"] == 5


@pytest.mark.parametrize("record", [RECORD, replace(RECORD, revoked_ns=1_650_000_000_000_000_000)], ids=["issued", "revoked"])
def test_signed_record_comes_back(record: IssuanceRecord) -> None:
    assert IssuanceRecord.open(record.sign(PRIVATE), PUBLIC) == record


def test_record_is_opened_with_the_key_that_signed_it() -> None:
    with pytest.raises(InvalidSignatureError):
        IssuanceRecord.open(RECORD.sign(OTHER.private), PUBLIC)
    with pytest.raises(InvalidSignatureError) as refusal:
        IssuanceRecord.open(replace(RECORD, key_counter=PUBLIC.counter + 1).sign(PRIVATE), PUBLIC)
    assert refusal.value.departure == "record-key"
    assert isinstance(refusal.value, DEPARTURES["record-key"].error)


@pytest.mark.parametrize(
    "change",
    [{"Key": None}, {"Key": b"k"}, {"CredType": 5}, {"PKCounter": -1}, {"Attr": 17}, {"Attr": b""}, {"Issued": "now"}, {"key": "k"}],
    ids=str,
)
def test_what_is_no_record_is_refused(change: dict[str, Any]) -> None:
    value = {**cbor.decode(RECORD.to_cbor(), ""), **change}
    with pytest.raises(MalformedProofError):
        IssuanceRecord.open(cbor.sign_message(PRIVATE.ecdsa, value), PUBLIC)


def test_long_record_is_refused_unread() -> None:
    with pytest.raises(MalformedProofError) as refusal:
        IssuanceRecord.open(bytes(MAX_RECORD_BYTES + 1), PUBLIC)
    assert refusal.value.departure == "revocation-limits"

"""Accumulators and how they are signed."""

from dataclasses import replace
from typing import Any

import pytest
from gmpy2 import mpz

from idemix import cbor
from idemix.arith.modular import powmod, powmod_secret_pair
from idemix.departures import DEPARTURES
from idemix.errors import (
    ComputationError,
    InvalidProofError,
    InvalidSignatureError,
    MalformedError,
    MalformedKeyError,
    MalformedProofError,
)
from idemix.keys import private
from idemix.revocation import Accumulator, SignedAccumulator, Witness
from idemix.revocation.accumulator import MAX_SIGNED_BYTES, event_hash
from idemix.revocation.update import NO_PARENT
from tests.idemix.revocation.chain import OTHER, PAIR, PRIVATE, PUBLIC, TIME, make_chain

ZERO_HASH = bytes.fromhex("1220") + bytes(32)


def test_hash_of_the_first_event() -> None:
    assert event_hash(0, NO_PARENT, mpz(1)).hex() == "1220c88ca8e2655297750c8c785049234d117485eff28e33374d0e88f31ed285617b"


def test_accumulator_in_cbor() -> None:
    accumulator = Accumulator(mpz(0x010203), 7, 1600000000, ZERO_HASH)
    written = "a4624e754301020365496e646578076454696d651a5f5e1000694576656e7448617368582212200000" + "00" * 30
    assert accumulator.to_cbor().hex() == written
    assert Accumulator.from_cbor(bytes.fromhex(written), "") == accumulator
    other_order = cbor.encode(dict(sorted(cbor.decode(bytes.fromhex(written), "").items())))
    assert Accumulator.from_cbor(other_order, "") == accumulator
    assert Accumulator.from_json(accumulator.to_json(), "") == accumulator


def test_signed_accumulator_in_both_notations() -> None:
    signed = SignedAccumulator(b"\1\2\3", 2)
    assert signed.to_json() == {"data": "AQID", "pk": 2}
    assert signed.to_cbor().hex() == "a2646461746143010203" + "62706b02"
    assert SignedAccumulator.from_json(signed.to_json(), "") == SignedAccumulator.from_cbor(signed.to_cbor(), "") == signed


def test_what_the_issuer_signs_verifies_under_its_key_only() -> None:
    accumulator = make_chain(0).accumulator(0)
    signed = accumulator.sign(PRIVATE)
    assert signed.key_counter == PRIVATE.counter
    assert signed.verify(PUBLIC) == accumulator
    with pytest.raises(InvalidSignatureError):
        signed.verify(replace(OTHER.public, counter=PUBLIC.counter))
    with pytest.raises(InvalidSignatureError, match="signed with key"):
        signed.verify(replace(PUBLIC, counter=PUBLIC.counter + 1))
    with pytest.raises(InvalidSignatureError):
        replace(signed, key_counter=signed.key_counter + 1).verify(PUBLIC)
    with pytest.raises(MalformedKeyError):
        signed.verify(replace(PUBLIC, ecdsa=None))
    with pytest.raises(MalformedKeyError):
        accumulator.sign(replace(PRIVATE, ecdsa=None))


@pytest.mark.parametrize("nu", [0, 1, int(PUBLIC.N), int(PUBLIC.N) + 4, int(PAIR.private.p)])
def test_signed_number_that_is_no_unit_is_refused(nu: int) -> None:
    signed = Accumulator(mpz(nu), 0, TIME, ZERO_HASH).sign(PRIVATE)
    with pytest.raises(InvalidProofError) as refusal:
        signed.verify(PUBLIC)
    assert refusal.value.departure == "element-range"


def test_each_revocation_takes_a_root() -> None:
    chain = make_chain(3)
    primes = [witness.e for witness in chain.witnesses[:3]]
    for index, prime in enumerate(primes):
        before, after = chain.accumulator(index), chain.accumulator(index + 1)
        assert powmod(after.nu, prime, PUBLIC.N) == before.nu
        assert (after.index, after.time) == (index + 1, TIME + 10 * (index + 1))
    at_once = chain.accumulator(0).without(PRIVATE, primes, now=TIME + 30)
    assert at_once == chain.accumulator(3)


@pytest.mark.parametrize("prime", [0, -3, 1 << 196])
def test_what_is_no_revocation_attribute_is_not_revoked(prime: int) -> None:
    with pytest.raises(MalformedProofError):
        make_chain(0).accumulator(0).without(PRIVATE, [mpz(prime)], now=TIME)


def test_prime_that_divides_the_order_is_not_revoked() -> None:
    """No honest issuer gives one; a key with so small a factor is no key, but the computation must say so."""
    small = replace(PRIVATE)
    object.__setattr__(small, "p", mpz(23))
    with pytest.raises(MalformedProofError, match="order"):
        make_chain(0).accumulator(0).without(small, [mpz(11)], now=TIME)


def test_roots_that_went_wrong_are_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A root that is wrong modulo one factor of N would give both away."""
    chain = make_chain(1)
    accumulator, signed = chain.accumulator(0), chain.updates[0].signed_accumulator

    def faulty(*halves: mpz) -> tuple[mpz, mpz]:
        root_p, root_q = powmod_secret_pair(*halves)
        return root_p ^ 1, root_q

    monkeypatch.setattr(private, "powmod_secret_pair", faulty)
    with pytest.raises(ComputationError):
        accumulator.without(PRIVATE, [chain.witnesses[0].e], now=TIME)
    with pytest.raises(ComputationError):
        Witness.issue(PRIVATE, signed, accumulator)


FIELDS = Accumulator(mpz(5), 7, TIME, ZERO_HASH).to_json()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"Nu": None}, None),
        ({"Nu": -1}, None),
        ({"Index": -1}, None),
        ({"Index": 1 << 64}, None),
        ({"Index": True}, None),
        ({"Index": "7"}, None),
        ({"Time": None}, None),
        ({"Time": 1.5}, None),
        ({"Time": 1 << 63}, None),
        ({"Time": -1}, "revocation-limits"),
        ({"Time": 253_402_300_800}, "revocation-limits"),
        ({"EventHash": ""}, "event-hash"),
        ({"EventHash": "EiAA"}, "event-hash"),
        ({"EventHash": "EyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}, "event-hash"),
        ({"EventHash": None}, None),
        ({"EventHash": "+iAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}, None),
        ({"EventHash": "EiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, None),
        ({"nu": "AQ=="}, "unknown-proof-key"),
        ({"Extra": 1}, "unknown-proof-key"),
    ],
    ids=str,
)
def test_what_is_no_accumulator_is_refused(change: dict[str, Any], rule: str | None) -> None:
    with pytest.raises(MalformedProofError) as refusal:
        Accumulator.from_json({**FIELDS, **change}, "a")
    assert refusal.value.departure == rule
    assert rule is None or isinstance(refusal.value, DEPARTURES[rule].error)


@pytest.mark.parametrize(
    "change",
    [{"data": None}, {"data": 5}, {"data": "_-=="}, {"data": "AQI"}, {"pk": None}, {"pk": -1}, {"Data": ""}, {"more": 1}],
    ids=str,
)
def test_what_is_no_signed_accumulator_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedProofError):
        SignedAccumulator.from_json({"data": "AQID", "pk": 2, **change}, "s")


def test_long_signed_accumulator_is_refused_unread() -> None:
    with pytest.raises(MalformedProofError) as refusal:
        SignedAccumulator.from_json(SignedAccumulator(bytes(MAX_SIGNED_BYTES + 1), 0).to_json(), "s")
    assert refusal.value.departure == "revocation-limits"


def test_what_is_signed_must_be_an_accumulator() -> None:
    for value in ({"Nu": b"5"}, [], 7, {**cbor.decode(Accumulator(mpz(5), 7, TIME, ZERO_HASH).to_cbor(), ""), "x": 1}):
        signed = SignedAccumulator(cbor.sign_message(PRIVATE.ecdsa, value), PRIVATE.counter)
        with pytest.raises(MalformedError):
            signed.verify(PUBLIC)

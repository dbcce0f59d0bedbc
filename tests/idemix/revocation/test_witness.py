"""Witnesses: issued, verified, following the accumulator, revoked."""

import math
from dataclasses import replace
from typing import Any

import pytest
from gmpy2 import mpz

from idemix.arith.modular import powmod
from idemix.errors import (
    InvalidSignatureError,
    InvalidUpdateError,
    InvalidWitnessError,
    MalformedProofError,
    MissingEventsError,
    RevokedError,
)
from idemix.revocation import Update, Witness, update_probability
from tests.idemix.revocation.chain import OTHER, PRIVATE, PUBLIC, TIME, make_chain
from tests.support.randomness import SeededRandom

CHAIN = make_chain(4, kept=2)
KEPT = CHAIN.witnesses[-1]


def test_witness_is_a_root_of_the_accumulator() -> None:
    for witness in CHAIN.witnesses:
        assert witness.verify(PUBLIC) == CHAIN.accumulator(0)
        assert powmod(witness.u, witness.e, PUBLIC.N) == CHAIN.accumulator(0).nu
        assert 8 < witness.e < 8 + (1 << 195)
        assert witness.updated_at == TIME
    assert len({witness.e for witness in CHAIN.witnesses}) == len(CHAIN.witnesses)


@pytest.mark.parametrize(
    "false",
    [
        replace(KEPT, u=KEPT.u + 1),
        replace(KEPT, u=mpz(0)),
        replace(KEPT, e=KEPT.e + 2),
        replace(KEPT, e=mpz(1)),
        replace(KEPT, signed_accumulator=CHAIN.updates[1].signed_accumulator),
    ],
    ids=["u + 1", "u = 0", "e + 2", "e = 1", "another accumulator"],
)
def test_false_witness_is_refused(false: Witness) -> None:
    with pytest.raises(InvalidWitnessError):
        false.verify(PUBLIC)


def test_u_that_is_not_reduced_is_as_good() -> None:
    assert replace(KEPT, u=KEPT.u + PUBLIC.N).verify(PUBLIC) == CHAIN.accumulator(0)


def test_signature_on_the_accumulator_counts() -> None:
    foreign = CHAIN.accumulator(0).sign(replace(OTHER.private, counter=PRIVATE.counter))
    with pytest.raises(InvalidSignatureError):
        replace(KEPT, signed_accumulator=foreign).verify(PUBLIC)


@pytest.mark.parametrize("steps", [[(0, 4)], [(1, 4)], [(1, 1), (2, 2), (3, 3), (4, 4)], [(0, 2), (1, 4)], [(1, 2), (3, 4), (1, 3)]])
def test_kept_witness_follows(steps: list[tuple[int, int]]) -> None:
    witness = KEPT
    for start, index in steps:
        witness = witness.update(PUBLIC, CHAIN.update(start, index))
        witness.verify(PUBLIC)
    assert witness.verify(PUBLIC) == CHAIN.accumulator(4)
    assert (witness.e, witness.updated_at) == (KEPT.e, TIME + 40)


@pytest.mark.parametrize("revoked", range(4))
def test_revoked_witness_follows_up_to_its_revocation(revoked: int) -> None:
    witness = CHAIN.witnesses[revoked].update(PUBLIC, CHAIN.update(0, revoked))
    assert witness.verify(PUBLIC).index == revoked
    for update in (CHAIN.update(revoked + 1, revoked + 1), CHAIN.update(0, 4)):
        with pytest.raises(RevokedError):
            witness.update(PUBLIC, update)


def test_update_that_brings_nothing_new_changes_nothing() -> None:
    newest = KEPT.update(PUBLIC, CHAIN.update(0, 4))
    assert newest.update(PUBLIC, CHAIN.update(0, 4)) is newest
    assert newest.update(PUBLIC, CHAIN.update(0, 2)) is newest
    assert KEPT.update(PUBLIC, CHAIN.update(5, 4)) is KEPT


def test_newer_time_of_the_same_accumulator_is_taken_over() -> None:
    renewed = Update.revoking(PRIVATE, CHAIN.accumulator(0), [], now=TIME + 5)
    witness = KEPT.update(PUBLIC, renewed)
    assert (witness.u, witness.updated_at, witness.signed_accumulator) == (KEPT.u, TIME + 5, renewed.signed_accumulator)
    older = Update.revoking(PRIVATE, CHAIN.accumulator(0), [], now=TIME - 5)
    assert witness.update(PUBLIC, older) is witness


@pytest.mark.parametrize("start", [2, 3, 4])
def test_events_that_start_too_late(start: int) -> None:
    with pytest.raises(MissingEventsError) as missing:
        KEPT.update(PUBLIC, CHAIN.update(start, 4))
    assert missing.value.first_index == 1


def test_update_of_another_chain_is_refused() -> None:
    other = make_chain(2, seed="another")
    with pytest.raises(InvalidWitnessError):
        KEPT.update(PUBLIC, other.update(0, 2))
    # The same index and a newer time, but another number; the reference takes it over unseen.
    elsewhere = Update.revoking(PRIVATE, other.accumulator(0), [], now=TIME + 5)
    with pytest.raises(InvalidUpdateError) as refusal:
        KEPT.update(PUBLIC, elsewhere)
    assert refusal.value.departure == "renewed-accumulator"


@pytest.mark.parametrize("u", [0, int(PRIVATE.p), 5], ids=["0", "no unit", "another number"])
def test_witness_that_does_not_hold_is_not_updated(u: int) -> None:
    for update in (CHAIN.update(0, 0), CHAIN.update(0, 4)):
        with pytest.raises(InvalidWitnessError):
            replace(KEPT, u=mpz(u)).update(PUBLIC, update)


def test_update_must_hold() -> None:
    update = CHAIN.update(0, 4)
    assert update.events is not None
    with pytest.raises(InvalidUpdateError):
        KEPT.update(PUBLIC, replace(update, events=replace(update.events, index=1)))


def test_json_is_that_of_the_reference() -> None:
    value = KEPT.to_json()
    assert list(value) == ["u", "e", "sacc", "Updated"]
    assert value["Updated"] == "2027-01-15T08:00:00Z"
    assert Witness.from_json(value, "") == Witness.from_cbor(KEPT.to_cbor(), "") == KEPT
    assert Witness.from_json({**value, "Updated": "2027-01-15T10:00:00.999999999+02:00"}, "") == KEPT
    assert Witness.from_json({**value, "Updated": None}, "").updated_at == 0
    never = Witness.from_json({**value, "Updated": "0001-01-01T00:00:00Z"}, "")
    assert Witness.from_json(never.to_json(), "") == never


@pytest.mark.parametrize(
    "change",
    [
        {"u": None},
        {"u": 1 << 8193},
        {"e": 0},
        {"e": 1 << 196},
        {"sacc": None},
        {"Updated": 5},
        {"Updated": "soon"},
        {"Updated": "2027-01-15T08:00:00"},
        {"updated": ""},
    ],
    ids=lambda change: str(change)[:30],
)
def test_what_is_no_witness_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedProofError):
        Witness.from_json({**KEPT.to_json(), **change}, "w")


def test_repr_shows_no_secret() -> None:
    assert str(KEPT.u) not in repr(KEPT)
    assert str(KEPT.e) not in repr(KEPT)


def test_randomness_is_a_parameter() -> None:
    signed, accumulator = CHAIN.updates[0].signed_accumulator, CHAIN.accumulator(0)
    first, again = (Witness.issue(PRIVATE, signed, accumulator, SeededRandom(5)) for _ in range(2))
    assert first == again


def test_chance_of_an_update_rises_with_the_age() -> None:
    week = 7 * 86400
    assert update_probability(0, 168) == update_probability(-5, 0) == 0
    assert math.isclose(update_probability(week, 168), 0.25)
    assert math.isclose(update_probability(week, 0), 0.25)
    assert math.isclose(update_probability(3600, 1), 0.25)
    ages = [update_probability(age, 24) for age in range(0, 10 * week, 3600)]
    assert ages == sorted(ages)
    assert ages[-1] < 1 / 3

"""Events, their chain, and updates."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gmpy2
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix import cbor
from idemix.departures import DEPARTURES
from idemix.errors import (
    InvalidSignatureError,
    InvalidUpdateError,
    MalformedError,
    MalformedProofError,
    MissingEventsError,
    VerificationError,
)
from idemix.json_text import parse_json
from idemix.revocation import Event, EventList, SignedAccumulator, Update, event_blocks, updates_from_cbor, updates_to_cbor
from idemix.revocation.accumulator import event_hash
from idemix.revocation.update import MAX_EVENTS, NO_PARENT
from tests.idemix.revocation.chain import PRIVATE, PUBLIC, TIME, make_chain
from tests.support.randomness import SeededRandom

NO_PARENT_JSON = "EiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
CHAIN = make_chain(4)


def test_event_list_in_json() -> None:
    events = EventList(0, NO_PARENT, (mpz(1), mpz(17)))
    assert events.to_json() == {"i": 0, "hash": NO_PARENT_JSON, "e": ["AQ==", "EQ=="]}
    assert EventList.from_json(events.to_json(), "") == EventList.from_cbor(events.to_cbor(), "") == events
    first, second = events
    assert first == Event(0, mpz(1), NO_PARENT)
    assert second == Event(1, mpz(17), event_hash(0, NO_PARENT, mpz(1)))
    assert first.to_json() == {"i": 0, "e": "AQ==", "parenthash": NO_PARENT_JSON}
    assert Event.from_json(second.to_json(), "") == Event.from_cbor(second.to_cbor(), "") == second
    assert (events.end, events.hash) == (2, second.hash)


def test_update_without_events_in_cbor() -> None:
    update = Update(SignedAccumulator(b"\1\2\3", 2))
    assert update.to_cbor().hex() == "a16473616363a264646174614301020362706b02"
    assert update.to_json() == {"sacc": {"data": "AQID", "pk": 2}}
    for empty in ({}, {"e": None}, {"e": {"i": 0, "hash": "", "e": []}}, {"e": {"e": None}}):
        assert Update.from_json({**update.to_json(), **empty}, "") == update


def test_events_put_together_must_follow_on_each_other() -> None:
    events = list(CHAIN.update(0, 4).events or ())
    assert EventList.of(events) == CHAIN.update(0, 4).events
    assert EventList.of(events[2:]) == CHAIN.update(2, 4).events
    others = ([], [events[1], events[3]], [events[1], events[0]], [events[0], replace(events[1], parent_hash=NO_PARENT)])
    for other in (*others, [events[0], replace(events[1], index=2)], [events[0], events[0]]):
        with pytest.raises(InvalidUpdateError):
            EventList.of(other)


def test_product_from_an_index_on() -> None:
    events = CHAIN.update(1, 4).events
    primes = [witness.e for witness in CHAIN.witnesses]
    assert events is not None
    assert events.product(1) == primes[0] * primes[1] * primes[2] * primes[3]
    assert events.product(3) == primes[2] * primes[3]
    assert events.product(5) == 1


@pytest.mark.parametrize("start", range(6))
def test_part_of_a_chain_that_reaches_the_accumulator_verifies(start: int) -> None:
    update = CHAIN.update(start, 4)
    assert update.verify(PUBLIC).index == 4
    assert update.first_index(update.verify(PUBLIC)) == start


EVENTS = EventList.of(CHAIN.update(2, 4).events or ())
CHANGES: dict[str, EventList] = {
    "an event changed": replace(EVENTS, primes=(EVENTS.primes[0] + 2, *EVENTS.primes[1:])),
    "the last event changed": replace(EVENTS, primes=(*EVENTS.primes[:-1], EVENTS.primes[-1] + 2)),
    "events exchanged": replace(EVENTS, primes=EVENTS.primes[::-1]),
    "the last event left out": replace(EVENTS, primes=EVENTS.primes[:-1]),
    "an event more": replace(EVENTS, primes=(*EVENTS.primes, mpz(17))),
    "the first event left out": replace(EVENTS, index=3, primes=EVENTS.primes[1:]),
    "another index": replace(EVENTS, index=3),
    "another parent": replace(EVENTS, parent_hash=NO_PARENT),
}


@pytest.mark.parametrize("events", CHANGES.values(), ids=CHANGES.keys())
def test_other_chain_is_refused(events: EventList) -> None:
    with pytest.raises(InvalidUpdateError) as refusal:
        replace(CHAIN.update(2, 4), events=events).verify(PUBLIC)
    assert refusal.value.departure is None


def test_events_end_at_the_index_of_the_accumulator() -> None:
    """An issuer that signs another index with the hash of the chain; the reference does not look."""
    accumulator = replace(CHAIN.accumulator(4), index=7)
    with pytest.raises(InvalidUpdateError) as refusal:
        Update(accumulator.sign(PRIVATE), CHAIN.update(2, 4).events).verify(PUBLIC)
    assert refusal.value.departure == "event-index"
    assert isinstance(refusal.value, DEPARTURES["event-index"].error)


def test_signature_is_checked() -> None:
    update = CHAIN.update(2, 4)
    data = bytearray(update.signed_accumulator.data)
    data[20] ^= 1
    with pytest.raises(InvalidSignatureError):
        replace(update, signed_accumulator=replace(update.signed_accumulator, data=bytes(data))).verify(PUBLIC)


def test_earlier_events_are_put_before() -> None:
    whole, last = CHAIN.update(0, 4), CHAIN.update(3, 4)
    assert last.after(CHAIN.update(0, 2).events or EVENTS, PUBLIC) == whole
    assert last.after(CHAIN.update(0, 4).events or EVENTS, PUBLIC) == whole
    assert last.after(CHAIN.update(1, 3).events or EVENTS, PUBLIC) == CHAIN.update(1, 4)
    assert last.after(CHAIN.update(4, 4).events or EVENTS, PUBLIC) == last
    assert CHAIN.update(5, 4).after(EVENTS, PUBLIC) == CHAIN.update(2, 4)


def test_earlier_events_that_do_not_lead_here_are_refused() -> None:
    last = CHAIN.update(4, 4)
    with pytest.raises(MissingEventsError) as missing:
        last.after(CHAIN.update(0, 2).events or EVENTS, PUBLIC)
    assert missing.value.first_index == 3
    with pytest.raises(InvalidUpdateError):
        last.after(make_chain(4, seed="other").update(0, 3).events or EVENTS, PUBLIC)
    with pytest.raises(InvalidUpdateError):
        CHAIN.update(5, 4).after(CHAIN.update(0, 3).events or EVENTS, PUBLIC)
    assert last.events is not None
    with pytest.raises(InvalidUpdateError, match="event 4"):
        last.events.after(make_chain(4, seed="other").update(0, 3).events or EVENTS)


def test_first_accumulator_is_a_square_of_a_unit() -> None:
    class Unlucky(SeededRandom):
        """Gives what is no unit first."""

        def __init__(self) -> None:
            super().__init__("unlucky")
            self.bad = [mpz(0), mpz(1), PRIVATE.p]

        def below(self, bound: int | mpz) -> mpz:
            return self.bad.pop() if self.bad else super().below(bound)

    update = Update.initial(PRIVATE, now=TIME, random=Unlucky())
    nu = update.verify(PUBLIC).nu
    assert gmpy2.jacobi(nu, PRIVATE.p) == gmpy2.jacobi(nu, PRIVATE.q) == 1
    assert update.events == EventList(0, NO_PARENT, (mpz(1),))


def test_renewing_the_time_revokes_nothing() -> None:
    before = CHAIN.accumulator(4)
    update = Update.revoking(PRIVATE, before, [], now=TIME + 1000)
    assert update.events is None
    assert update.verify(PUBLIC) == replace(before, time=TIME + 1000)


EVENT_FIELDS = {"i": 3, "hash": NO_PARENT_JSON, "e": ["EQ=="]}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"i": None}, None),
        ({"i": -1}, None),
        ({"i": (1 << 64) - 1}, "revocation-limits"),
        ({"hash": None}, None),
        ({"hash": "EiBshU3K07Rq9O6AwJqEe2W0kiDNLPrYNyuYCPRGZfMulA+="}, None),
        ({"hash": "EgQAAAAA"}, "event-hash"),
        ({"e": {}}, None),
        ({"e": "EQ=="}, None),
        ({"e": [None]}, None),
        ({"e": [""]}, "revocation-attribute-size"),
        ({"e": [1 << 196]}, "revocation-attribute-size"),
        ({"e": [-5]}, None),
        ({"e": ["EQ=="] * (MAX_EVENTS + 1)}, "revocation-limits"),
        ({"E": []}, "unknown-proof-key"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_event_list_is_refused(change: dict[str, Any], rule: str | None) -> None:
    with pytest.raises(MalformedProofError) as refusal:
        EventList.from_json({**EVENT_FIELDS, **change}, "e")
    assert refusal.value.departure == rule


def test_event_list_on_its_own_has_events() -> None:
    with pytest.raises(MalformedProofError):
        EventList.from_json({**EVENT_FIELDS, "e": []}, "e")


@pytest.mark.parametrize("value", [None, [], {}, {"sacc": None}, {"sacc": {}}, {"sacc": {"data": "AQID", "pk": 2}, "e": []}], ids=str)
def test_what_is_no_update_is_refused(value: Any) -> None:
    with pytest.raises(MalformedProofError):
        Update.from_json(value, "u")


def test_unknown_keys_are_refused() -> None:
    """A key that is passed over could be the events."""
    value = CHAIN.update(2, 4).to_json()
    with pytest.raises(MalformedProofError) as refusal:
        Update.from_json({"sacc": value["sacc"], "f": value["e"]}, "u")
    assert refusal.value.departure == "unknown-proof-key"


def test_updates_by_key() -> None:
    first, second = CHAIN.update(2, 4), Update(SignedAccumulator(b"x", 7))
    updates = {PUBLIC.counter: first, 7: second}
    assert updates_from_cbor(updates_to_cbor(updates)) == updates
    assert updates_from_cbor(updates_to_cbor({})) == {}
    with pytest.raises(MalformedProofError) as refusal:
        updates_from_cbor(updates_to_cbor({8: second}))
    assert refusal.value.departure == "update-key"
    for value in ([], {"2": {}}, {2: None}):
        with pytest.raises(MalformedProofError):
            updates_from_cbor(cbor.encode(value))


@pytest.mark.parametrize(
    ("first", "last", "blocks"),
    [
        (0, 100, [(0, 64), (64, 96), (96, 112)]),
        (37, 1100, [(0, 512), (512, 1024), (1024, 1088), (1088, 1104)]),
        (5, 16, [(0, 32)]),
        (15, 15, [(0, 16)]),
        (600, 600, [(512, 576), (576, 608)]),
        (3, 2, []),
        (1, 0, []),
    ],
)
def test_blocks_that_events_are_fetched_in(first: int, last: int, blocks: list[tuple[int, int]]) -> None:
    assert event_blocks(first, last) == blocks


WHOLE = CHAIN.update(0, 4)
NOTATIONS: dict[str, tuple[bytes, Callable[[bytes], Update]]] = {
    "JSON": (json.dumps(WHOLE.to_json()).encode(), lambda data: Update.from_json(parse_json(data, "u"), "u")),
    "CBOR": (WHOLE.to_cbor(), lambda data: Update.from_cbor(data, "u")),
}


@pytest.mark.parametrize("notation", NOTATIONS)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_update_with_a_byte_changed_is_refused(notation: str, data: st.DataObject) -> None:
    """None is accepted that is not equal in meaning, and none ends in anything but the documented errors."""
    written, read = NOTATIONS[notation]
    changed = bytearray(written)
    position = data.draw(st.integers(0, len(changed) - 1))
    if data.draw(st.booleans()):
        changed[position] ^= data.draw(st.integers(1, 255))
    else:
        del changed[position : position + data.draw(st.integers(1, 4))]
    try:
        update = read(bytes(changed))
        accumulator = update.verify(PUBLIC)
    except (MalformedError, VerificationError):
        return
    assert update == WHOLE
    assert accumulator == CHAIN.accumulator(4)

"""Messages of revocation are what they were once they are written and read, in JSON and in CBOR."""

import json

import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from idemix.params import REVOCATION_PRIME_BITS
from idemix.revocation import Accumulator, Event, EventList, SignedAccumulator, Update, Witness
from idemix.revocation.notation import HASH_PREFIX, Message

counts = st.integers(0, (1 << 64) - 1)
times = st.integers(0, 4_000_000_000)
hashes = st.binary(min_size=32, max_size=32).map(HASH_PREFIX.__add__)
elements = st.integers(0, 1 << 2048).map(mpz)
primes = st.integers(1, (1 << REVOCATION_PRIME_BITS + 1) - 1).map(mpz)
signed_accumulators = st.builds(SignedAccumulator, st.binary(max_size=700), counts)
event_lists = st.builds(EventList, st.integers(0, 1 << 32), hashes, st.lists(primes, min_size=1, max_size=5).map(tuple))

MESSAGES: dict[type[Message], st.SearchStrategy[Message]] = {
    Accumulator: st.builds(Accumulator, elements, counts, times, hashes),
    SignedAccumulator: signed_accumulators,
    Event: st.builds(Event, counts, primes, hashes),
    EventList: event_lists,
    Update: st.builds(Update, signed_accumulators, st.none() | event_lists),
    Witness: st.builds(Witness, elements, primes, signed_accumulators, times),
}


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@settings(max_examples=50)
@given(st.data())
def test_what_is_written_is_read(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(MESSAGES[kind])
    assert kind.from_json(json.loads(json.dumps(message.to_json())), "message") == message
    assert kind.from_cbor(message.to_cbor(), "message") == message

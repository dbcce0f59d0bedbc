"""Updates: an accumulator with the events that led to it.

Each event holds the hash of the one before it, and the accumulator the hash of the last: so the signature on the
accumulator vouches for any part of the chain that reaches up to it.

Source: gabi `revocation/api.go` (Event, EventList, Update); irmago `irma/revocation.go`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from gmpy2 import mpz

from .. import cbor
from ..arith.modular import is_unit
from ..arith.randomness import SYSTEM_RANDOM, RandomSource
from ..errors import InvalidUpdateError, MalformedProofError, MissingEventsError
from ..json_text import check_object
from ..keys.private import PrivateKey
from ..keys.public import PublicKey
from .accumulator import Accumulator, SignedAccumulator, check_prime, event_hash
from .notation import CBOR, HASH_BYTES, HASH_PREFIX, Message, Notation, read_unsigned

#: The most events in one message. The reference's servers give blocks of 512, and session requests mostly hold 16.
MAX_EVENTS: Final = 1 << 16

#: How many events a server gives along with an accumulator, where the credential type does not say.
DEFAULT_UPDATE_COUNT: Final = 16

#: Sizes of the blocks in which events are served, powers of two.
MIN_BLOCK: Final = 16
MAX_BLOCK: Final = 512

#: What stands where the hash of the event before the first would.
NO_PARENT: Final = HASH_PREFIX + bytes(HASH_BYTES - len(HASH_PREFIX))

_MAX_INDEX: Final = (1 << 64) - 1
_EVENT_LIST_KEYS: Final = frozenset({"i", "hash", "e"})


@dataclass(frozen=True, slots=True)
class Event(Message):
    """One revocation. The first event of a chain has index 0 and prime 1 and revokes nothing.

    Attributes:
        index: its number.
        prime: the revocation attribute e of the credential.
        parent_hash: the hash of the event before it.
    """

    index: int
    prime: mpz
    parent_hash: bytes

    @property
    def hash(self) -> bytes:
        """See `event_hash`."""
        return event_hash(self.index, self.parent_hash, self.prime)

    @classmethod
    def read(cls, value: Any, notation: Notation, where: str) -> Self:
        fields = check_object(value, {"i", "e", "parenthash"}, where)
        return cls(
            index=read_unsigned(fields.get("i"), f"{where}.i"),
            prime=check_prime(notation.read_integer(fields.get("e"), f"{where}.e"), f"{where}.e"),
            parent_hash=notation.read_hash(fields.get("parenthash"), f"{where}.parenthash"),
        )

    def write(self, notation: Notation) -> dict[str, Any]:
        return {"i": self.index, "e": notation.write_integer(self.prime), "parenthash": notation.write_hash(self.parent_hash)}


@dataclass(frozen=True, slots=True)
class EventList(Message):
    """Consecutive events, in the form in which they travel: what follows from the rest is left out, so that a chain is one by its form.

    Attributes:
        index: that of the first event.
        parent_hash: that of the first event.
        primes: the primes of the events.
    """

    index: int
    parent_hash: bytes
    primes: tuple[mpz, ...]

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Put single events together.

        Raises:
            InvalidUpdateError: there is none, they are not consecutive, or one has not the hash of the one before it.
        """
        given = tuple(events)
        if not given:
            raise InvalidUpdateError("events: none")
        result = cls(given[0].index, given[0].parent_hash, tuple(event.prime for event in given))
        for expected, event in zip(result, given, strict=True):
            if event != expected:
                raise InvalidUpdateError(f"events: event {event.index} does not follow on the one before it")
        return result

    def __iter__(self) -> Iterator[Event]:
        parent_hash = self.parent_hash
        for index, prime in enumerate(self.primes, self.index):
            event = Event(index, prime, parent_hash)
            yield event
            parent_hash = event.hash

    @property
    def end(self) -> int:
        """The index after that of the last event."""
        return self.index + len(self.primes)

    @property
    def hash(self) -> bytes:
        """The hash of the last event."""
        *_, last = self
        return last.hash

    def product(self, start: int) -> mpz:
        """Return ∏ e over the events from index `start` on, which the list reaches back to."""
        return _product(self.primes[start - self.index :])

    def after(self, earlier: Self) -> Self:
        """Return these events with earlier ones before them. Of events that are in both lists, these count.

        Raises:
            MissingEventsError: between the two some are missing.
            InvalidUpdateError: these do not follow on the earlier ones.
        """
        if earlier.index >= self.index:
            return self
        if earlier.end < self.index:
            raise MissingEventsError(earlier.end)
        before = replace(earlier, primes=earlier.primes[: self.index - earlier.index])
        if before.hash != self.parent_hash:
            raise InvalidUpdateError(f"events: event {self.index} does not follow on the one before it")
        return replace(before, primes=before.primes + self.primes)

    @classmethod
    def read(cls, value: Any, notation: Notation, where: str) -> Self:
        fields = check_object(value, _EVENT_LIST_KEYS, where)
        primes = fields.get("e")
        if not isinstance(primes, list) or not primes:
            raise MalformedProofError(f"{where}.e", "expected a list of events")
        if len(primes) > MAX_EVENTS:
            raise MalformedProofError(f"{where}.e", f"more than {MAX_EVENTS} events", departure="revocation-limits")
        index = read_unsigned(fields.get("i"), f"{where}.i")
        if index + len(primes) > _MAX_INDEX:
            raise MalformedProofError(f"{where}.i", "too high for the number of events", departure="revocation-limits")
        return cls(
            index=index,
            parent_hash=notation.read_hash(fields.get("hash"), f"{where}.hash"),
            primes=tuple(
                check_prime(notation.read_integer(prime, f"{where}.e[{position}]"), f"{where}.e[{position}]")
                for position, prime in enumerate(primes)
            ),
        )

    def write(self, notation: Notation) -> dict[str, Any]:
        primes = [notation.write_integer(prime) for prime in self.primes]
        return {"i": self.index, "hash": notation.write_hash(self.parent_hash), "e": primes}


def _product(factors: tuple[mpz, ...]) -> mpz:
    """Multiply halves, so that long numbers meet numbers as long."""
    if len(factors) < 2:
        return factors[0] if factors else mpz(1)
    middle = len(factors) // 2
    return _product(factors[:middle]) * _product(factors[middle:])


@dataclass(frozen=True, slots=True)
class Update(Message):
    """A signed accumulator and the events that end in it.

    Attributes:
        signed_accumulator: the accumulator.
        events: the last events, as many as the sender chose; None where there are none, as when only the time is renewed.
    """

    signed_accumulator: SignedAccumulator
    events: EventList | None = None

    @classmethod
    def initial(cls, private_key: PrivateKey, *, now: int, random: RandomSource = SYSTEM_RANDOM) -> Self:
        """Make the first accumulator of a credential type: ν a random square, and the event that revokes nothing.

        Args:
            private_key: the issuer's.
            now: Unix seconds.
            random: the source of ν.

        Raises:
            MalformedKeyError: the key does not support revocation.

        Source: gabi `revocation/api.go` (NewAccumulator).
        """
        root = random.below(private_key.N)
        while not is_unit(root, private_key.N):
            root = random.below(private_key.N)
        events = EventList(0, NO_PARENT, (mpz(1),))
        accumulator = Accumulator(root * root % private_key.N, 0, now, events.hash)
        return cls(accumulator.sign(private_key), events)

    @classmethod
    def revoking(cls, private_key: PrivateKey, accumulator: Accumulator, primes: Iterable[mpz], *, now: int) -> Self:
        """Revoke credentials: make the accumulator that follows on `accumulator`, and one event for each prime.

        Args:
            private_key: the issuer's.
            accumulator: the newest accumulator.
            primes: the revocation attributes of the credentials; where there are none, only the time is renewed.
            now: Unix seconds.

        Raises:
            MalformedKeyError: the key does not support revocation.
            MalformedProofError: a prime cannot be a revocation attribute.

        Source: gabi `revocation/api.go` (Accumulator.Remove, NewUpdate); irmago `irma/revocation.go` (Revoke).
        """
        revoked = tuple(primes)
        events = EventList(accumulator.index + 1, accumulator.event_hash, revoked) if revoked else None
        return cls(accumulator.without(private_key, revoked, now=now).sign(private_key), events)

    def verify(self, public_key: PublicKey, where: str = "update") -> Accumulator:
        """Check the signature on the accumulator and that the events end in it; return the accumulator.

        An update without events says nothing of the chain before its accumulator.

        Args:
            public_key: the key of the issuer with the counter of the accumulator.
            where: what it is, for errors.

        Raises:
            InvalidUpdateError: the last event is not the one that the accumulator names.
            InvalidSignatureError, MalformedKeyError, MalformedProofError, InvalidProofError: see `SignedAccumulator.verify`.
        """
        accumulator = self.signed_accumulator.verify(public_key, f"{where}.sacc")
        if self.events is not None:
            if self.events.hash != accumulator.event_hash:
                raise InvalidUpdateError(f"{where}: the events do not end in the accumulator's hash")
            if self.events.end != accumulator.index + 1:
                raise InvalidUpdateError(f"{where}: the events do not end at the accumulator's index", departure="event-index")
        return accumulator

    def first_index(self, accumulator: Accumulator) -> int:
        """The index of the first event, or where there are no events the one after the accumulator's."""
        return accumulator.index + 1 if self.events is None else self.events.index

    def after(self, earlier: EventList, public_key: PublicKey) -> Self:
        """Return this update with earlier events before its own.

        Raises:
            MissingEventsError: between the two some are missing.
            InvalidUpdateError: the earlier events do not lead to this update.
            InvalidSignatureError, MalformedKeyError, MalformedProofError, InvalidProofError: see `SignedAccumulator.verify`.
        """
        result = replace(self, events=earlier if self.events is None else self.events.after(earlier))
        result.verify(public_key)
        return result

    @classmethod
    def read(cls, value: Any, notation: Notation, where: str) -> Self:
        fields = check_object(value, {"sacc", "e"}, where)
        signed_accumulator = SignedAccumulator.read(fields.get("sacc"), notation, f"{where}.sacc")
        events = fields.get("e")
        # An empty list is left out, and says the same where it is not.
        if events is None or check_object(events, _EVENT_LIST_KEYS, f"{where}.e").get("e") in (None, []):
            return cls(signed_accumulator)
        return cls(signed_accumulator, EventList.read(events, notation, f"{where}.e"))

    def write(self, notation: Notation) -> dict[str, Any]:
        result: dict[str, Any] = {"sacc": self.signed_accumulator.write(notation)}
        if self.events is not None:
            result["e"] = self.events.write(notation)
        return result


def updates_from_cbor(data: bytes, where: str = "updates") -> dict[int, Update]:
    """Read what a revocation server answers for all keys of a credential type: a map of updates by key counter.

    Raises:
        MalformedProofError: it is malformed, or an update stands under the counter of another key.
    """
    updates = {
        counter: Update.read(value, CBOR, f"{where}[{counter}]") for counter, value in cbor.decode(data, where, numbered=True).items()
    }
    for counter, update in updates.items():
        if update.signed_accumulator.key_counter != counter:
            raise MalformedProofError(f"{where}[{counter}].sacc.pk", "the update stands under another counter", departure="update-key")
    return updates


def updates_to_cbor(updates: Mapping[int, Update]) -> bytes:
    """Write updates by key counter."""
    return cbor.encode({counter: update.write(CBOR) for counter, update in sorted(updates.items())})


def event_blocks(first: int, last: int) -> list[tuple[int, int]]:
    """Return the blocks [start, end) in which the events from `first` up to and including `last` are fetched from a revocation server.

    Their sizes are powers of two from 512 down to 16, and their bounds are the same for everyone, so that answers can be
    cached and do not tell who asks. They may reach further than asked on both sides; where nothing is missing there are none.

    Source: irmago `irma/revocation.go` (binaryPartition).
    """
    if first > last:
        return []
    start = first // MAX_BLOCK * MAX_BLOCK
    stop = (last + MIN_BLOCK) // MIN_BLOCK * MIN_BLOCK
    blocks = []
    size = MAX_BLOCK
    while start < stop:
        while start + size > stop:
            size //= 2
        blocks.append((start, start + size))
        start += size
    return blocks

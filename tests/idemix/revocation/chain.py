"""A small chain of revocations, for the tests of this folder."""

from dataclasses import dataclass

from gmpy2 import mpz

from idemix.keys.generate import KeyPair
from idemix.revocation import Accumulator, EventList, Update, Witness
from tests.support.keys import key_pair
from tests.support.randomness import SeededRandom

PAIR: KeyPair = key_pair("issuer-1024")
OTHER: KeyPair = key_pair("other-1024")
PUBLIC, PRIVATE = PAIR.public, PAIR.private
#: The time of the first accumulator; each later one is 10 seconds younger.
TIME = 1_800_000_000


@dataclass
class Chain:
    """Accumulators 0 … n, the credential of witness i revoked on the way to accumulator i + 1.

    Attributes:
        updates: from each accumulator to the next; the first is the initial one.
        witnesses: all for accumulator 0; more than are revoked.
    """

    updates: list[Update]
    witnesses: list[Witness]

    def accumulator(self, index: int) -> Accumulator:
        return self.updates[index].verify(PUBLIC)

    def update(self, start: int, index: int) -> Update:
        """To an accumulator, with the events from `start` on."""
        events = [event for update in self.updates[start : index + 1] for event in update.events or ()]
        return Update(self.updates[index].signed_accumulator, EventList.of(events) if events else None)


def make_chain(revoked: int, kept: int = 1, seed: int | str = "chain") -> Chain:
    """A chain in which some witnesses are revoked, one after another, and some are kept."""
    random = SeededRandom(seed)
    updates = [Update.initial(PRIVATE, now=TIME, random=random)]
    first = updates[0].verify(PUBLIC)
    witnesses = [Witness.issue(PRIVATE, updates[0].signed_accumulator, first, random) for _ in range(revoked + kept)]
    for index in range(revoked):
        newest = updates[-1].verify(PUBLIC)
        updates.append(Update.revoking(PRIVATE, newest, [mpz(witnesses[index].e)], now=TIME + 10 * (index + 1)))
    return Chain(updates, witnesses)

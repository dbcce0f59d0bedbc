"""Deliveries as rows, on both databases."""

import threading
from collections.abc import Iterable
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.actor import Role
from gateway.audit.service import Audit
from gateway.authorization import PermissionDeniedError
from gateway.database import Database
from gateway.deliveries.base import ClaimedDelivery, NewDelivery, Outcome
from gateway.deliveries.service import LEASE, Deliveries
from gateway.inputs import ConflictError, NotFoundError
from gateway.models import DeliveryState, Organisation, Requestor, RequestorState
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN, NOBODY, actor

TOKEN = "requestortoken000001"
SHOP = "https://shop.example"


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def deliveries(database: Database, clock: SettableClock) -> Deliveries:
    return Deliveries(database, Audit(database, clock=clock), lambda: bytes(32), clock=clock)


def new(token: str = TOKEN, requestor: str = "shop", origin: str = SHOP) -> NewDelivery:
    return NewDelivery(token, requestor, origin, START + timedelta(minutes=5))


def claim(deliveries: Deliveries, **room: int) -> list[ClaimedDelivery]:
    return deliveries.claim({f"https://{name}.example": free for name, free in room.items()}, 4, 32)


def origins(claimed: Iterable[ClaimedDelivery]) -> list[str]:
    return [one.origin.removeprefix("https://").removesuffix(".example") for one in claimed]


def test_a_delivery_is_claimed_once_and_settled(deliveries: Deliveries, clock: SettableClock) -> None:
    deliveries.add([new()])
    (claimed,) = claim(deliveries)
    assert (claimed.token, claimed.origin, claimed.attempts) == (TOKEN, SHOP, 0)
    assert claim(deliveries) == []
    following = START + timedelta(seconds=5)
    deliveries.settle(claimed, Outcome(DeliveryState.PENDING, 503, "answered with status 503", following))
    assert claim(deliveries) == []
    clock.advance(seconds=5)
    (again,) = claim(deliveries)
    assert again.attempts == 1
    deliveries.settle(again, Outcome(DeliveryState.DELIVERED, 200))
    (info,) = deliveries.list(ADMIN)
    assert (info.state, info.attempts, info.last_status, info.last_error) == (DeliveryState.DELIVERED, 2, 200, None)
    assert info.ended_at == clock()
    assert claim(deliveries) == []


def test_what_a_dead_worker_had_is_taken_over(deliveries: Deliveries, clock: SettableClock) -> None:
    deliveries.add([new()])
    (lost,) = claim(deliveries)
    clock.advance(seconds=LEASE.total_seconds() + 1)
    (taken,) = claim(deliveries)
    deliveries.settle(lost, Outcome(DeliveryState.FAILED, None, "too late"))
    assert deliveries.get(ADMIN, taken.id).state is DeliveryState.PENDING
    deliveries.settle(taken, Outcome(DeliveryState.DELIVERED, 204))
    assert deliveries.get(ADMIN, taken.id).state is DeliveryState.DELIVERED


def test_workers_at_the_same_time_share_the_work(deliveries: Deliveries) -> None:
    deliveries.add([new(f"requestortoken{number:06}", origin=f"https://h{number}.example") for number in range(40)])
    found: list[ClaimedDelivery] = []

    def work() -> None:
        while claimed := deliveries.claim({}, 4, 3):
            found.extend(claimed)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len({one.id for one in found}) == 40


def test_a_server_gets_no_more_than_its_room(deliveries: Deliveries, clock: SettableClock) -> None:
    deliveries.add([new(f"requestortoken{number:06}", origin="https://slow.example") for number in range(300)])
    clock.advance(seconds=1)
    deliveries.add([new("requestortoken999999", origin="https://fast.example")])
    assert origins(claim(deliveries, slow=2)) == ["slow", "slow"]
    # Those behind three hundred others of a server that is busy come all the same.
    assert origins(claim(deliveries, slow=0)) == ["fast"]
    assert origins(deliveries.claim({}, 4, 3)) == ["slow"] * 3


def test_no_table_holds_token_path_or_query(deliveries: Deliveries, database: Database) -> None:
    deliveries.add([new()])
    with database.read() as session:
        row = session.execute(text("SELECT * FROM deliveries")).mappings().one()
    shown = " ".join(bytes(value).hex() if isinstance(value, (bytes, memoryview)) else str(value) for value in row.values())
    assert TOKEN not in shown
    assert TOKEN.encode().hex() not in shown


def test_tokens_are_removed_with_the_result(deliveries: Deliveries, database: Database, clock: SettableClock) -> None:
    deliveries.add([new()])
    deliveries.forget_tokens()
    clock.advance(minutes=5)
    deliveries.forget_tokens()
    (claimed,) = claim(deliveries)
    assert claimed.token is None
    deliveries.settle(claimed, Outcome(DeliveryState.EXPIRED, None, "the result has expired", sent=False))
    info = deliveries.get(ADMIN, claimed.id)
    assert (info.state, info.attempts, info.last_error) == (DeliveryState.EXPIRED, 0, "the result has expired")
    with pytest.raises(ConflictError, match="expired"):
        deliveries.resend(ADMIN, claimed.id)


def test_a_token_of_another_installation_opens_nothing(deliveries: Deliveries, database: Database, clock: SettableClock) -> None:
    deliveries.add([new()])
    other = Deliveries(database, Audit(database, clock=clock), lambda: b"other secret", clock=clock)
    (claimed,) = claim(other)
    assert claimed.token is None


def test_one_is_sent_again(deliveries: Deliveries, database: Database, clock: SettableClock) -> None:
    deliveries.add([new()])
    (claimed,) = claim(deliveries)
    deliveries.settle(claimed, Outcome(DeliveryState.FAILED, 404, "answered with status 404"))
    assert claim(deliveries) == []
    assert deliveries.resend(ADMIN, claimed.id, "they mended it").state is DeliveryState.PENDING
    (again,) = claim(deliveries)
    assert (again.id, again.token, again.attempts) == (claimed.id, TOKEN, 1)
    (entry,) = Audit(database).entries(ADMIN, object=f"delivery:{claimed.id}")
    assert (entry.action, entry.reason) == ("delivery.resend", "they mended it")
    with pytest.raises(NotFoundError):
        deliveries.resend(ADMIN, 99)


def test_organisations_see_their_own(deliveries: Deliveries, database: Database) -> None:
    def make(session: object) -> int:
        organisation = Organisation(name="shops", created_at=START)
        session.add(organisation)  # type: ignore[attr-defined]
        session.flush()  # type: ignore[attr-defined]
        requestor = Requestor(name="shop", state=RequestorState.ACTIVE, organisation_id=organisation.id, created_at=START, updated_at=START)
        session.add(requestor)  # type: ignore[attr-defined]
        return organisation.id

    organisation = database.write(make)
    deliveries.add([new(), new("requestortoken000002", "bank")])
    scope = f"organisation:{organisation}"
    assert [info.requestor_name for info in deliveries.list(actor(Role.REQUESTOR_ADMIN, scope))] == ["shop"]
    assert len(deliveries.list(ADMIN)) == 2
    assert [info.requestor_name for info in deliveries.list(ADMIN, requestor_name="bank", state=DeliveryState.PENDING)] == ["bank"]
    shop, bank = sorted(info.id for info in deliveries.list(ADMIN))
    deliveries.resend(actor(Role.REQUESTOR_ADMIN, scope), shop)
    with pytest.raises(NotFoundError):
        deliveries.resend(actor(Role.REQUESTOR_ADMIN, scope), bank)
    with pytest.raises(PermissionDeniedError):
        deliveries.resend(actor(Role.AUDITOR), shop)
    with pytest.raises(PermissionDeniedError):
        deliveries.list(NOBODY)


def test_old_ones_are_forgotten(deliveries: Deliveries, clock: SettableClock) -> None:
    deliveries.add([new(f"requestortoken{number:06}", origin=f"https://h{number}.example") for number in range(3)])
    first, *_ = claim(deliveries)
    deliveries.settle(first, Outcome(DeliveryState.DELIVERED, 200))
    assert deliveries.forget(START) == 0
    assert deliveries.forget(START + timedelta(days=1)) == 1
    assert len(deliveries.list(ADMIN)) == 2

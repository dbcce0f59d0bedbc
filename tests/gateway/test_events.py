"""Live status events: over both stores, to all three kinds of listener, and across processes that share Redis."""

import json
import queue
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.events import OPEN_MESSAGE, EventHub, EventStream, status_data
from gateway.stores.base import StatusChange, status_change
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from idemix.session.status import Status
from tests.support.clock import START, SettableClock
from tests.support.gateways import DISCLOSURE, TestGateway, signing_key_pem
from tests.support.processes import wait_until
from tests.support.redis import RedisServer, running_redis
from tests.support.stores import HOUR, add, changed, tell


def events_of(response: Any) -> list[Any]:
    """The data of the events of a stream that ends, the opening one as None."""
    messages = b"".join(response.response).decode().removesuffix("\n\n").split("\n\n")
    return [None if message == "event: open" else json.loads(message.removeprefix("data: ")) for message in messages]


@pytest.fixture(params=["memory", "redis"])
def two_gateways(
    request: pytest.FixtureRequest, make_gateway: Callable[..., TestGateway], clock: SettableClock
) -> Iterator[tuple[TestGateway, TestGateway]]:
    """Where the events are listened to, and where the session goes on; the same gateway where sessions are in memory."""
    if request.param == "memory":
        gateway = make_gateway()
        yield gateway, gateway
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        server.client().flushall()
        yield tuple(make_gateway({"store": RedisStore(server.client(), clock)}, jwt_privkey=signing_key_pem()) for _ in range(2))  # type: ignore[misc]


def test_each_listener_hears_every_change(two_gateways: tuple[TestGateway, TestGateway]) -> None:
    here, there = two_gateways
    package = there.start(DISCLOSURE)
    phone = there.phone()
    path = phone.path(package["sessionPtr"])
    secret = {"Authorization": package["frontendRequest"]["authorization"]}
    streams = [
        here.client.get(f"/session/{package['token']}/statusevents"),
        here.client.get(f"{path}/statusevents"),
        here.client.get(f"{path}/frontend/statusevents", headers=secret),
    ]
    assert [stream.headers["Content-Type"].partition(";")[0] for stream in streams] == ["text/event-stream"] * 3
    assert {stream.headers["Cache-Control"] for stream in streams} == {"no-cache"}
    phone.connect(package["sessionPtr"])
    phone.post(package["sessionPtr"], "proofs", b'{"proofs": [], "indices": []}')
    assert events_of(streams[0]) == [None, "CONNECTED", "DONE"]
    assert events_of(streams[1]) == [None, "CONNECTED", "DONE"]
    assert events_of(streams[2]) == [None, {"status": "CONNECTED"}, {"status": "DONE"}]
    assert here.gateway.hub is not None
    assert here.gateway.hub.listeners == 0


def test_a_time_out_is_an_event(two_gateways: tuple[TestGateway, TestGateway]) -> None:
    here, there = two_gateways
    package = there.start(DISCLOSURE)
    stream = here.client.get(f"/session/{package['token']}/statusevents")
    there.clock.advance(minutes=16)
    there.gateway.sessions.sweep()
    assert events_of(stream) == [None, "TIMEOUT"]


def test_refusals(make_gateway: Callable[..., TestGateway]) -> None:
    gateway = make_gateway()
    package = gateway.start(DISCLOSURE)
    path = gateway.phone().path(package["sessionPtr"])
    gateway.client.delete(path)
    for finished in (f"/session/{package['token']}/statusevents", f"{path}/statusevents"):
        response = gateway.client.get(finished)
        assert (response.status_code, response.get_json()["error"]) == (403, "UNEXPECTED_REQUEST")
    unknown = gateway.client.get(f"/session/{'b' * 20}/statusevents")
    assert (unknown.status_code, unknown.get_json()["error"]) == (501, "UNSUPPORTED")
    assert gateway.gateway.hub is not None
    assert gateway.gateway.hub.listeners == 0
    off = make_gateway(sse=False)
    disabled = off.client.get(f"/session/{off.start(DISCLOSURE)['token']}/statusevents")
    assert (disabled.status_code, disabled.get_json()) == (
        500,
        {"status": 500, "error": "SSE_DISABLED", "description": "Server sent events disabled"},
    )


def test_a_stream_is_delivered_to_whom_attaches(clock: SettableClock) -> None:
    store = MemoryStore(clock)
    hub = EventHub(store)
    session, another = add(store), add(store, 2)
    stream = hub.open(session.client_token, status_data)
    session = tell(store, session, StatusChange(session.client_token, Status.CONNECTED))
    tell(store, another, StatusChange(another.client_token, Status.DONE))
    taken: list[bytes | None] = []
    stream.attach(taken.append)
    assert taken == [OPEN_MESSAGE, b'data: "CONNECTED"\n\n']
    session = tell(store, session, StatusChange(session.client_token, Status.CANCELLED))
    tell(store, session, StatusChange(session.client_token, Status.CANCELLED))
    assert taken[2:] == [b'data: "CANCELLED"\n\n', None]
    assert hub.listeners == 0


def test_news_that_was_under_way_when_the_listener_came_is_none(clock: SettableClock) -> None:
    store = MemoryStore(clock)
    hub = EventHub(store)
    paired = add(store)
    connected = changed(paired, status=Status.CONNECTED)
    ended = changed(connected, status=Status.DONE)
    for known in (None, status_change(connected)):
        stream = hub.open(paired.client_token, status_data, known)
        taken: list[bytes | None] = []
        stream.begin_at(status_change(connected))
        stream.begin_at(status_change(paired))
        stream.attach(taken.append)
        for late in (paired, connected):
            stream.receive(status_change(late))
        stream.receive(status_change(ended))
        assert taken == [OPEN_MESSAGE, b'data: "DONE"\n\n', None]


def test_a_listener_that_leaves_hears_no_more(clock: SettableClock) -> None:
    store = MemoryStore(clock)
    hub = EventHub(store)
    session = add(store)
    stream = hub.open(session.client_token, status_data)
    taken: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    stream.attach(taken.put)
    stream.close()
    stream.close()
    tell(store, session, StatusChange(session.client_token, Status.DONE))
    assert taken.get() == OPEN_MESSAGE
    assert taken.empty()
    hub.close()
    assert isinstance(stream, EventStream)


def test_what_happened_while_redis_was_away_reaches_the_listeners(clock: SettableClock) -> None:
    with running_redis() as server:
        store = RedisStore(server.client(), clock)
        hub = EventHub(store)
        sessions = [add(store, number) for number in range(3)]
        streams = [hub.open(session.client_token, status_data) for session in sessions]
        taken: list[list[bytes | None]] = [[], [], []]
        for session, stream, messages in zip(sessions, streams, taken, strict=True):
            stream.begin_at(status_change(session))
            stream.attach(messages.append)
        # The listeners' connection is lost, and taken up again, while the sessions change without a word about it.
        connected, ended, _ = sessions
        store.update(changed(connected, status=Status.CONNECTED), 0, deadline=START, expires_at=START + HOUR)
        store.update(changed(ended, status=Status.DONE), 0, deadline=None, expires_at=START + HOUR)
        for other in server.client().client_list(_type="pubsub"):
            server.client().client_kill_filter(_id=other["id"])
        wait_until(lambda: taken[1][1:] == [b'data: "DONE"\n\n', None], "the end of the second session to be told")
        wait_until(lambda: taken[0][1:] == [b'data: "CONNECTED"\n\n'], "the change of the first session to be told")
        assert taken[2] == [OPEN_MESSAGE]
        # What it loses has ended.
        server.stop()
        server.start()
        wait_until(lambda: [messages[-1] for messages in taken] == [None] * 3, "the streams of lost sessions to end")
        assert hub.listeners == 0
        store.close()

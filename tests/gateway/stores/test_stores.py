"""What every session store keeps to, and what happens while Redis is away."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.config import ConfigurationError, GatewayConfig
from gateway.stores.base import SessionStore, StatusChange, StoreConflictError, StoreError, TooManySessionsError, UnknownSessionError
from gateway.stores.factory import open_store
from gateway.stores.memory import MemoryStore
from gateway.stores.redis import RedisStore
from idemix.session.session import Session
from idemix.session.status import Status
from tests.support.clock import START, SettableClock
from tests.support.gateways import DISCLOSURE, TestGateway, signing_key_pem
from tests.support.processes import wait_until
from tests.support.redis import RedisServer, running_redis
from tests.support.stores import HOUR, add, changed, session, tell


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, clock: SettableClock) -> Iterator[SessionStore]:
    """Each store, empty."""
    if request.param == "memory":
        made: SessionStore = MemoryStore(clock)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        server.client().flushall()
        made = RedisStore(server.client(), clock, prefix="gateway:")
    yield made
    made.close()


def test_found_by_either_token(store: SessionStore) -> None:
    made = add(store)
    assert store.get_by_client_token(made.client_token) == made
    assert store.get_by_requestor_token(made.requestor_token) == made
    for find in (store.get_by_client_token, store.get_by_requestor_token):
        with pytest.raises(UnknownSessionError):
            find("nobody")


def test_tokens_are_used_once(store: SessionStore) -> None:
    add(store)
    with pytest.raises(StoreError):
        add(store)


def test_only_the_first_of_two_changes_is_kept(store: SessionStore) -> None:
    made = add(store)
    first, second = changed(made, status=Status.CONNECTED), changed(made, status=Status.CANCELLED)
    store.update(first, made.revision, deadline=START + HOUR, expires_at=START + HOUR)
    with pytest.raises(StoreConflictError):
        store.update(second, made.revision, deadline=None, expires_at=START + HOUR)
    assert store.get_by_client_token(made.client_token).status is Status.CONNECTED


def test_what_is_gone_cannot_be_changed(store: SessionStore) -> None:
    made = session()
    with pytest.raises(StoreConflictError):
        store.update(changed(made), 0, deadline=None, expires_at=START + HOUR)


def test_overdue(store: SessionStore) -> None:
    first, second = add(store), add(store, 2)
    assert store.overdue(START, 10) == []
    assert set(store.overdue(START + HOUR, 10)) == {first.client_token, second.client_token}
    assert len(store.overdue(START + HOUR, 1)) == 1
    store.update(changed(first), 0, deadline=None, expires_at=START + 2 * HOUR)
    store.update(changed(second), 0, deadline=START + 2 * HOUR, expires_at=START + 3 * HOUR)
    assert store.overdue(START + HOUR, 10) == []


def test_listeners(store: SessionStore) -> None:
    heard: list[StatusChange | None] = []
    made, another = add(store), add(store, 2)
    stop = store.subscribe(made.client_token, heard.append)
    tell(store, another, StatusChange(another.client_token, Status.DONE))
    change = StatusChange(made.client_token, Status.DONE, {"u": "https://x", "irmaqr": "signing"})
    after = tell(store, made, change)
    wait_until(lambda: heard == [change], "the change to arrive")
    with pytest.raises(StoreConflictError):
        tell(store, made, change)
    stop()
    stop()
    tell(store, after, change)
    assert store.is_healthy()
    assert heard == [change]


def test_memory_forgets(clock: SettableClock) -> None:
    store = MemoryStore(clock)
    made = add(store)
    clock.now = START + 2 * HOUR
    with pytest.raises(UnknownSessionError):
        store.get_by_requestor_token(made.requestor_token)
    add(store, 2)
    clock.now = START
    with pytest.raises(UnknownSessionError):
        store.get_by_client_token(made.client_token)


def test_keys_in_redis(redis_server: RedisServer, clock: SettableClock) -> None:
    client = redis_server.client()
    client.flushall()
    store = RedisStore(client, clock, prefix="user:")
    made = add(store)
    keys = {key.decode() for key in client.scan_iter()}
    assert keys == {f"user:session:{made.client_token}", f"user:token:{made.requestor_token}", "user:deadlines"}
    for key in (f"user:session:{made.client_token}", f"user:token:{made.requestor_token}"):
        assert 7190 < client.ttl(key) <= 7200
    client.delete(f"user:session:{made.client_token}")
    assert store.overdue(START + HOUR, 10) == []
    assert client.zcard("user:deadlines") == 0
    with pytest.raises(StoreConflictError, match="has expired"):
        store.update(changed(made), 0, deadline=None, expires_at=START)


def test_an_outage_is_told_as_such_and_loses_no_session(make_gateway: Callable[..., TestGateway], clock: SettableClock) -> None:
    with running_redis() as server:
        store = RedisStore(redis.Redis(port=server.port, socket_timeout=0.1, retry=Retry(NoBackoff(), 0)), clock)
        gateway = make_gateway({"store": store}, jwt_privkey=signing_key_pem())
        package = gateway.start(DISCLOSURE)
        path = gateway.phone().path(package["sessionPtr"])
        server.freeze()
        answers = [
            gateway.post(DISCLOSURE),
            gateway.get(package, "status"),
            gateway.get(package, "result"),
            gateway.client.get(path),
            gateway.client.delete(path),
        ]
        assert not store.is_healthy()
        server.thaw()
        for answer in answers:
            body = {"status": 503, "error": "INTERNAL_ERROR", "description": "Internal server error"}
            assert (answer.status_code, answer.get_json()) == (503, body | {"message": "the session store cannot be reached"})
            assert answer.headers["Retry-After"] == "1"
        wait_until(store.is_healthy, "Redis to answer again")
        assert gateway.get(package, "status").get_json() == "INITIALIZED"
        gateway.gateway.close()


def test_the_listener_takes_up_a_lost_connection(clock: SettableClock) -> None:
    with running_redis() as server:
        store = RedisStore(server.client(), clock)
        heard: list[StatusChange | None] = []
        store.subscribe(session().client_token, heard.append)
        server.stop()
        server.start()
        wait_until(lambda: heard == [None], "the word that changes may have been missed")
        made = add(store)
        change = StatusChange(made.client_token, Status.DONE)
        tell(store, made, change)
        wait_until(lambda: heard == [None, change], "a change to arrive after Redis came back")
        store.close()


def test_stores_of_the_configuration(clock: SettableClock, redis_server: RedisServer) -> None:
    assert isinstance(open_store(GatewayConfig(), clock), MemoryStore)
    config = GatewayConfig(store_type="redis", redis_addr=f"127.0.0.1:{redis_server.port}", redis_no_tls=True)
    store = open_store(config, clock)
    assert isinstance(store, RedisStore)
    assert store.is_healthy()
    store.close()
    for wrong in ("127.0.0.1", ":6379", "host:port"):
        with pytest.raises(ConfigurationError, match="must be host:port"):
            open_store(GatewayConfig(store_type="redis", redis_addr=wrong, redis_no_tls=True), clock)
    with pytest.raises(ConfigurationError, match="redis_tls_cert_file"):
        open_store(GatewayConfig(store_type="redis", redis_addr="h:1", redis_tls_cert_file="/nowhere"), clock)


def test_changes_that_move_no_moment_leave_nothing_behind(clock: SettableClock) -> None:
    store = MemoryStore(clock)
    made = add(store)
    for _ in range(100):
        following = changed(made)
        store.update(following, made.revision, deadline=START + HOUR, expires_at=START + 2 * HOUR)
        made = following
    assert (len(store._deadlines), len(store._expiries)) == (1, 1)
    clock.advance(hours=1)
    assert store.overdue(clock(), 10) == [made.client_token]
    clock.advance(hours=1)
    with pytest.raises(UnknownSessionError):
        store.get_by_client_token(made.client_token)


def owned(number: int, requestor: str = "shop") -> Session:
    return replace(session(number), requestor=requestor)


def test_a_requestor_s_sessions_are_found_until_they_end(store: SessionStore) -> None:
    for one in (owned(1), owned(2), owned(3, "other"), session(4)):
        store.add(one, deadline=START + HOUR, expires_at=START + 2 * HOUR)
    assert sorted(store.running("shop")) == [owned(1).client_token, owned(2).client_token]
    assert store.running("nobody") == []
    store.update(replace(owned(1), status=Status.CANCELLED, revision=1), 0, deadline=None, expires_at=START + 2 * HOUR)
    store.update(replace(owned(2), status=Status.CONNECTED, revision=1), 0, deadline=START + HOUR, expires_at=START + 2 * HOUR)
    assert store.running("shop") == [owned(2).client_token]


def test_no_more_sessions_run_than_may(store: SessionStore, clock: SettableClock) -> None:
    def start(number: int, requestor: str = "shop") -> None:
        now = clock()
        store.add(owned(number, requestor), deadline=now + HOUR, expires_at=now + 2 * HOUR, at_most=2)

    start(1)
    start(2)
    with pytest.raises(TooManySessionsError):
        start(3)
    with pytest.raises(UnknownSessionError):
        store.get_by_client_token(owned(3).client_token)
    start(4, "other")
    store.update(replace(owned(1), status=Status.DONE, revision=1), 0, deadline=None, expires_at=clock() + HOUR)
    start(5)
    with pytest.raises(TooManySessionsError):
        start(6)
    # Those beyond their life time do not run any more, whether or not somebody noticed.
    clock.advance(seconds=3601)
    start(7)

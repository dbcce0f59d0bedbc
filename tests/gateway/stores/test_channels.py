"""Channels of sessions in Redis: which are open, how many listeners come at once, and what is said while Redis is away."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.stores import channels as module
from gateway.stores.base import StatusChange, StoreError
from gateway.stores.channels import StatusChannels, print_change
from idemix.session.status import Status
from tests.support.processes import free_port, wait_until
from tests.support.redis import RedisServer


def publish(server: RedisServer, channels: StatusChannels, change: StatusChange) -> int:
    """Publish a change; gives how many connections were sent it."""
    return int(server.client().publish(channels.name(change.client_token), print_change(change)))


def test_a_channel_is_open_while_it_has_listeners(redis_server: RedisServer) -> None:
    channels = StatusChannels(redis_server.client(), "hub:")
    change = StatusChange("a", Status.CONNECTED, revision=3)
    assert publish(redis_server, channels, change) == 0
    heard: list[list[StatusChange | None]] = [[], []]
    stops = [channels.subscribe("a", one.append) for one in heard]
    assert redis_server.client().pubsub_channels("hub:*") == [b"hub:status:a"]
    assert publish(redis_server, channels, StatusChange("b", Status.DONE)) == 0
    assert publish(redis_server, channels, change) == 1
    wait_until(lambda: heard == [[change], [change]], "the change to be told")
    stops[0]()
    ended = StatusChange("a", Status.DONE, {"u": "https://x", "irmaqr": "signing"}, 4)
    assert publish(redis_server, channels, ended) == 1
    wait_until(lambda: heard == [[change], [change, ended]], "the end to be told to who still listens")
    stops[1]()
    wait_until(lambda: publish(redis_server, channels, change) == 0, "the channel to be closed")
    channels.close()
    stops[1]()


def test_a_channel_that_is_opened_again_at_once_hears(redis_server: RedisServer) -> None:
    channels = StatusChannels(redis_server.client())
    heard: list[StatusChange | None] = []
    published: list[StatusChange | None] = []
    for number in range(50):
        stop = channels.subscribe("a", heard.append)
        change = StatusChange("a", Status.CONNECTED, revision=number)
        assert publish(redis_server, channels, change) == 1
        published.append(change)
        wait_until(lambda: heard == published, "the change to be told")
        stop()
    channels.close()


@pytest.mark.parametrize("junk", ["", "[]", "{}", '{"status":"SOMEWHERE","next":null,"revision":1}'])
def test_what_is_no_change_has_the_session_read(redis_server: RedisServer, junk: str) -> None:
    channels = StatusChannels(redis_server.client())
    heard: list[StatusChange | None] = []
    channels.subscribe("a", heard.append)
    redis_server.client().publish(channels.name("a"), junk)
    wait_until(lambda: heard == [None], "the channel to be opened again")
    change = StatusChange("a", Status.DONE)
    publish(redis_server, channels, change)
    wait_until(lambda: heard == [None, change], "the change to be told")
    channels.close()


def test_many_listeners_at_once(redis_server: RedisServer) -> None:
    channels = StatusChannels(redis_server.client())
    heard: dict[str, list[StatusChange | None]] = {f"{number:020d}": [] for number in range(1000)}
    with ThreadPoolExecutor(32) as pool:
        stops = list(pool.map(lambda token: channels.subscribe(token, heard[token].append), heard))
        assert all(publish(redis_server, channels, StatusChange(token, Status.DONE)) == 1 for token in heard)
        wait_until(lambda: all(heard.values()), "every change to be told")
        assert all(told == [StatusChange(token, Status.DONE)] for token, told in heard.items())
        list(pool.map(lambda stop: stop(), stops))
    wait_until(lambda: redis_server.client().pubsub_channels() == [], "all channels to be closed")
    channels.close()


def test_nobody_listens_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST", 0.2)
    channels = StatusChannels(redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0)))
    heard: list[StatusChange | None] = []
    with pytest.raises(StoreError):
        channels.subscribe("a", heard.append)
    channels.close()
    assert heard == []

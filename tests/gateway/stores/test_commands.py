"""Single commands to Redis: what is repeated, and what a connection is good for after an error."""

import threading
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.stores.base import StoreError
from gateway.stores.commands import Commands, Script
from tests.support.redis import RedisServer, running_redis

DOUBLE = Script("return 2 * tonumber(ARGV[1]) + tonumber(redis.call('GET', KEYS[1]) or '0')")


def connections(server: RedisServer) -> set[int]:
    """The connections to a server, but for the one that asks."""
    client = server.client()
    own = client.client_id()
    return {int(other["id"]) for other in client.client_list() if int(other["id"]) != own}


def test_a_script_runs_where_it_is_not_known_yet(redis_server: RedisServer) -> None:
    commands = Commands(redis_server.client())
    redis_server.client().script_flush()
    assert commands.execute("SET", "doubled", "1") == b"OK"
    assert [commands.run(DOUBLE, ["doubled"], [number]) for number in (1, 2)] == [3, 5]
    assert redis_server.client().script_exists(DOUBLE.sha) == [True]


def test_a_lost_connection_is_replaced(redis_server: RedisServer) -> None:
    commands = Commands(redis_server.client())
    first = commands.execute("CLIENT", "ID")
    redis_server.client().client_kill_filter(_id=first)
    assert commands.execute("CLIENT", "ID") != first


def test_a_refused_command_keeps_the_connection(redis_server: RedisServer) -> None:
    commands = Commands(redis_server.client())
    first = commands.execute("CLIENT", "ID")
    commands.execute("SET", "text", "no number")
    with pytest.raises(StoreError):
        commands.execute("INCR", "text")
    assert commands.execute("CLIENT", "ID") == first


def test_an_answer_that_came_too_late_is_not_taken_for_the_next() -> None:
    with running_redis() as server:
        commands = Commands(redis.Redis(port=server.port, socket_timeout=0.1, retry=Retry(NoBackoff(), 0)))
        commands.execute("PING")
        server.freeze()
        with pytest.raises(StoreError):
            commands.execute("ECHO", "first")
        server.thaw()
        assert commands.execute("ECHO", "second") == b"second"


def test_each_thread_has_a_connection_while_it_lives(redis_server: RedisServer) -> None:
    client: Any = redis_server.client()
    commands = Commands(client)
    used: list[int] = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: used.extend(commands.execute("CLIENT", "ID") for _ in range(2)))
        thread.start()
        thread.join()
    here = commands.execute("CLIENT", "ID")
    # What an ended thread used goes to the next one.
    assert used == [here] * 4
    other = threading.Thread(target=lambda: used.append(commands.execute("CLIENT", "ID")))
    other.start()
    other.join()
    assert used[-1] != here
    assert {here, used[-1]} <= connections(redis_server)
    client.close()

"""The bridge, under the real server on a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.shared import ROOT

#: An application that tells what it got, in a process of its own, and the server around it.
PROGRAM = """
import json, sys, threading, time
from gateway.events import EventHub, EventStream, encode_event, status_data
from gateway.stores.base import StatusChange
from idemix.session.status import Status
from irmahub.server import Sites, listen, serve
from irmahub.settings import Address

class Store:
    def __init__(self):
        self.listeners = {}

    def subscribe(self, token, listener):
        self.listeners.setdefault(token, []).append(listener)
        return lambda: self.listeners[token].remove(listener)

    def tell(self, change):
        for listener in tuple(self.listeners[change.client_token]):
            listener(change)

store = Store()
hub = EventHub(store)
KEYS = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_X_THING", "HTTP_COOKIE",
        "REMOTE_ADDR", "wsgi.url_scheme", "SERVER_PROTOCOL")

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/events/"):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return hub.open(path[8:], status_data)
    if path.startswith("/finish/"):
        store.tell(StatusChange(path[8:], Status.CONNECTED))
        store.tell(StatusChange(path[8:], Status.DONE))
        start_response("204 No Content", [])
        return []
    if path == "/listeners":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(hub.listeners).encode()]
    if path == "/fails":
        raise RuntimeError("broken")
    if path == "/header":
        start_response("200 OK", [("X-Thing", "1\\r\\nX-Other: 2")])
        return []
    if path == "/unchanged":
        start_response("304 Not Modified", [("ETag", '"1"')])
        return []
    if path == "/slow":
        time.sleep(0.5)
    if path == "/big":
        start_response("200 OK", [("Content-Length", "7")])
        return [b"x" * 1000000]
    body = environ["wsgi.input"].read()
    start_response("201 Created", [("Content-Type", "application/json"), ("X-Twice", "1"), ("X-Twice", "2")])
    return [json.dumps({key: environ.get(key) for key in KEYS}).encode(), b" ", str(len(body)).encode()]

def second(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"second"]

def make_sites():
    return Sites((application, second), lambda: print("closed", flush=True), {"/large": 11 * 1024 * 1024})

if __name__ == "__main__":
    sockets = [listen(Address("127.0.0.1", 0)), listen(Address("127.0.0.1", 0))]
    print(*(listener.getsockname()[1] for listener in sockets), flush=True)
    serve(sockets, make_sites, workers=int(sys.argv[1]))
    print("stopped", flush=True)
"""


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "two processes"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, subprocess.Popen[str]]]:
    path = tmp_path_factory.mktemp("bridge") / "program.py"
    path.write_text(PROGRAM)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, path, request.param], stdout=subprocess.PIPE, text=True, env=environment, cwd=path.parent)
    assert process.stdout is not None
    first, second = process.stdout.readline().split()
    yield f"http://127.0.0.1:{first}", f"http://127.0.0.1:{second}", process
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert output.splitlines() == ["closed"] * int(request.param) + ["stopped"]
    assert process.returncode == 0


def test_each_application_has_its_port(server) -> None:
    assert httpx.get(server[1], timeout=30).text == "second"


def test_request_arrives_whole(server) -> None:
    answer = httpx.post(
        f"{server[0]}/a%20b/%C3%A9?q=%20x&r",
        content=b"x" * 4096,
        headers=[
            ("X-Thing", "1"),
            ("X-Thing", "2"),
            ("Cookie", "a=1"),
            ("Cookie", "b=2"),
            ("Content-Type", "text/plain"),
            ("Content-Type", "text/html"),
        ],
        timeout=30,
    )
    assert answer.status_code == 201
    assert answer.headers.get_list("x-twice") == ["1", "2"]
    environment, _, length = answer.text.rpartition(" ")
    assert length == "4096"
    assert json.loads(environment) == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a b/Ã©",  # the bytes of the path, as PEP 3333 wants them
        "QUERY_STRING": "q=%20x&r",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "4096",
        "HTTP_X_THING": "1,2",
        "HTTP_COOKIE": "a=1; b=2",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "SERVER_PROTOCOL": "HTTP/1.1",
    }


def test_chunked_body_is_read(server) -> None:
    answer = httpx.post(f"{server[0]}/x", content=iter([b"a" * 10, b"b" * 10]), timeout=30)
    assert answer.text.endswith(" 20")


def test_body_beyond_every_limit_is_cut_one_byte_after_it(server) -> None:
    answer = httpx.post(f"{server[0]}/x", content=b"x" * (10 * 1024 * 1024 + 5000), timeout=30)
    assert answer.text.endswith(f" {10 * 1024 * 1024 + 1}")


def test_an_address_for_large_bodies_has_a_limit_of_its_own(server) -> None:
    content = b"x" * (11 * 1024 * 1024)
    assert httpx.post(f"{server[0]}/large", content=content, timeout=30).text.endswith(f" {len(content)}")
    assert httpx.post(f"{server[0]}/large", content=content + b"xx", timeout=30).text.endswith(f" {len(content) + 1}")


def test_fault_of_the_application_is_a_500_and_the_server_goes_on(server) -> None:
    answer = httpx.get(f"{server[0]}/fails", timeout=30)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert httpx.get(f"{server[0]}/x", timeout=30).status_code == 201


def test_header_that_would_begin_another_is_a_500(server) -> None:
    answer = httpx.get(f"{server[0]}/header", timeout=30)
    assert answer.status_code == 500
    assert "x-other" not in answer.headers


def test_answers_without_a_body_have_none(server) -> None:
    with _connection(server[0]) as connection:
        connection.sendall(b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\nGET /unchanged HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        heads = _read_all(connection).split(b"\r\n\r\n")
    assert [head[:12] for head in heads] == [b"HTTP/1.1 201", b"HTTP/1.1 304", b""]
    assert b"content-length" not in heads[1]


def test_the_length_of_an_answer_is_that_of_its_body(server) -> None:
    assert httpx.get(f"{server[0]}/big", timeout=30).content == b"x" * 1000000


def test_requests_sent_ahead_are_answered_in_their_order(server) -> None:
    requests = [
        b"GET /slow?1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /x?2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /x?3 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /x?4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n" + b"y" * 100000,
    ]
    with _connection(server[0]) as connection:
        connection.sendall(b"".join(requests))
        time.sleep(1)
        connection.sendall(b"y" * 100000)
        answers = _read_all(connection)
    assert [part[:1] for part in answers.split(b'"QUERY_STRING": "')[1:]] == [b"1", b"2", b"3", b"4"]
    assert answers.count(b"HTTP/1.1 201") == 4
    assert answers.endswith(b" 200000")


def test_answers_wait_for_a_client_that_does_not_read_them(server) -> None:
    with _connection(server[0]) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * 20 + b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        time.sleep(0.5)
        answers = _read_all(connection)
    assert answers.count(b"HTTP/1.1 200") == 20
    assert answers.count(b"x" * 1000000) == 20
    assert answers.count(b"HTTP/1.1 201") == 1


def test_a_body_is_asked_for_where_the_client_waits_for_that(server) -> None:
    with _connection(server[0]) as connection:
        connection.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        answer = _read_all(connection)
    assert answer.startswith(b"HTTP/1.1 201")
    assert answer.endswith(b" 3")


def test_connection_of_http_1_0_ends_with_its_answer(server) -> None:
    with _connection(server[0]) as connection:
        connection.sendall(b"GET /x HTTP/1.0\r\nHost: x\r\n\r\n")
        assert b"\r\nconnection: close\r\n" in _read_all(connection)


def test_server_goes_on_after_clients_that_do_not_wait_for_their_answer(server) -> None:
    for _ in range(20):
        with _connection(server[0]) as connection:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert httpx.get(f"{server[0]}/x", timeout=30).status_code == 201


@pytest.mark.parametrize("server", ["1"], indirect=True, ids=["one process"])
def test_events_reach_more_listeners_than_there_are_threads(server) -> None:
    port = int(server[0].rpartition(":")[2])
    listeners = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    for number, listener in enumerate(listeners):
        listener.settimeout(30)
        listener.sendall(b"GET /events/%d HTTP/1.1\r\nHost: x\r\n\r\n" % (number % 50))
    for listener in listeners:
        assert b"event: open\n\n" in _read_until(listener, b"event: open\n\n")
    assert httpx.get(f"{server[0]}/listeners", timeout=30).text == "100"
    assert httpx.get(f"{server[0]}/finish/7", timeout=30).status_code == 204
    for number in (7, 57):
        # The stream ends with the finished status: the last chunk has length 0.
        received = _read_until(listeners[number], b"\r\n0\r\n\r\n")
        assert b'data: "CONNECTED"\n\n' in received
        assert b'data: "DONE"\n\n' in received
    for listener in listeners:
        listener.close()
    deadline = time.monotonic() + 30
    while httpx.get(f"{server[0]}/listeners", timeout=30).text != "0":
        assert time.monotonic() < deadline, "listeners that left are still counted"
        time.sleep(0.05)


def _connection(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 30)


def _read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def _read_until(listener: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end) and end not in received:
        part = listener.recv(4096)
        assert part, received
        received += part
    return received


def test_port_in_use_is_told_before_anything_starts(tmp_path: Path) -> None:
    from irmahub.server import listen
    from irmahub.settings import Address

    with listen(Address("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        listen(Address("127.0.0.1", taken.getsockname()[1]))

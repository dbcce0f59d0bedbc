"""Calls to addresses that somebody else wrote."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.addresses import PUBLIC_ONLY, AddressPolicy, AddressRefusedError
from gateway.outbound import OutboundClient, UnreachableError, UnusableAnswerError
from tests.support.web_server import Page, WebServer, client_tls, running_web_server, server_tls

LOOPBACK = AddressPolicy.parse(["127.0.0.1"])


class NameServer:
    """A resolver whose answers a test decides: by host, one answer after the other, the last one again and again."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        found = self.answers.get(host.removesuffix(".example"))
        if found is None:
            raise OSError("Name or service not known")
        return found.pop(0) if len(found) > 1 else found[0]


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running_web_server() as running:
        yield running


@pytest.fixture
def client() -> Iterator[Callable[..., OutboundClient]]:
    """Makes clients, by default for the loopback only."""
    made: list[OutboundClient] = []

    def make(policy: AddressPolicy = LOOPBACK, **options: object) -> OutboundClient:
        made.append(OutboundClient(policy, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


MakeClient = Callable[..., OutboundClient]


def test_an_answer(client: MakeClient, server: WebServer) -> None:
    server.pages["/x?a=1"] = Page(b"hello", 201, {"X-Odd": "yes"})
    answer = client().request("POST", server.url + "x?a=1", content=b"body", headers={"Content-Type": "text/plain"})
    assert (answer.status, answer.body, answer.headers["x-odd"]) == (201, b"hello", "yes")
    visit = server.visits[0]
    assert (visit.method, visit.body, visit.headers["User-Agent"], visit.headers["Content-Type"]) == (
        "POST",
        b"body",
        "irmago",
        "text/plain",
    )
    assert visit.headers["Host"] == f"127.0.0.1:{server.port}"


def test_a_private_address_is_not_called(client: MakeClient, server: WebServer) -> None:
    names = NameServer(inside=[["127.0.0.1"]], mapped=[["::ffff:127.0.0.1"]], mixed=[["8.8.8.8", "127.0.0.1"]])
    guarded = client(PUBLIC_ONLY, resolver=names)
    for url in (server.url, *(f"http://{host}.example:{server.port}/" for host in ("inside", "mapped", "mixed"))):
        with pytest.raises(AddressRefusedError, match="outbound_allow"):
            guarded.get(url)
    assert not server.visits
    assert names.asked == ["inside.example", "mapped.example", "mixed.example"]


def test_a_name_that_is_bound_again_leads_nowhere_else(client: MakeClient, server: WebServer) -> None:
    names = NameServer(rebinding=[["127.0.0.1"], ["127.0.0.2"]])
    server.pages["/"] = Page(b"judged", headers={"Connection": "close"})
    guarded = client(resolver=names)
    url = f"http://rebinding.example:{server.port}/"
    assert guarded.get(url).body == b"judged"
    assert names.asked == ["rebinding.example"]  # once: the connection goes to the address that was judged
    assert server.visits[0].headers["Host"] == f"rebinding.example:{server.port}"
    with pytest.raises(AddressRefusedError):
        guarded.get(url)
    assert len(server.visits) == 1


def test_a_redirect_is_judged_like_an_address(client: MakeClient, server: WebServer) -> None:
    names = NameServer(public=[["127.0.0.1"]], inside=[["10.0.0.1"]])
    places = ["http://10.0.0.1/", "http://169.254.169.254/latest/", "http://[::1]/", "http://inside.example/", "file:///etc/passwd"]
    guarded = client(resolver=names)
    for place in [*places, "http://0x7f000001/"]:
        server.pages["/"] = Page(status=307, headers={"Location": place})
        for method in ("GET", "POST"):
            with pytest.raises((AddressRefusedError, UnreachableError)):
                guarded.request(method, f"http://public.example:{server.port}/")
    assert len(server.visits) == 12


def test_redirects_are_followed_where_they_keep_the_method(client: MakeClient, server: WebServer) -> None:
    server.pages |= {"/302": Page(status=302, headers={"Location": "/end"}), "/308": Page(status=308, headers={"Location": "/end"})}
    server.pages["/end"] = Page(b"there")
    assert client().get(server.url + "302").body == b"there"
    assert client().request("POST", server.url + "308", content=b"result").body == b"there"
    assert server.visits[-1].body == b"result"
    assert client().request("POST", server.url + "302", content=b"result").status == 302
    assert client().request("GET", server.url + "302", max_redirects=1).body == b"there"


def test_redirects_have_an_end(client: MakeClient, server: WebServer) -> None:
    server.pages["/round"] = Page(status=302, headers={"Location": "/round"})
    with pytest.raises(UnusableAnswerError, match="more than 3 times"):
        client().get(server.url + "round", max_redirects=3)
    assert len(server.visits) == 4


def test_secrets_do_not_follow_a_redirect_to_another_host(client: MakeClient, server: WebServer) -> None:
    server.pages["/away"] = Page(status=307, headers={"Location": f"http://other.example:{server.port}/"})
    server.pages["/"] = Page(b"other")
    answer = client(resolver=NameServer(other=[["127.0.0.1"]])).get(server.url + "away", headers={"Authorization": "Bearer secret"})
    assert answer.body == b"other"
    assert "Authorization" in server.visits[0].headers
    assert "Authorization" not in server.visits[1].headers


def test_certificates_are_checked_against_the_name(client: MakeClient, tmp_path: Path) -> None:
    names = NameServer(good=[["127.0.0.1"]], other=[["127.0.0.1"]])
    with running_web_server(server_tls("good.example", tmp_path)) as server:
        server.pages["/"] = Page(b"safe")
        trusting = client(resolver=names, ssl_context=client_tls("good.example"))
        assert trusting.get(f"https://good.example:{server.port}/").body == b"safe"
        with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            trusting.get(f"https://other.example:{server.port}/")
        with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED"):
            client(resolver=names).get(f"https://good.example:{server.port}/")


def test_https_is_not_left(client: MakeClient, server: WebServer, tmp_path: Path) -> None:
    server.pages["/"] = Page(b"plain")
    with running_web_server(server_tls("good.example", tmp_path)) as safe:
        safe.pages["/"] = Page(status=307, headers={"Location": server.url})
        guarded = client(resolver=NameServer(good=[["127.0.0.1"]]), ssl_context=client_tls("good.example"))
        with pytest.raises(AddressRefusedError, match="https"):
            guarded.get(f"https://good.example:{safe.port}/")
    with pytest.raises(AddressRefusedError, match="https"):
        client().get(server.url, https_only=True)
    assert not server.visits


def test_an_answer_has_a_limit_also_when_it_is_unpacked(client: MakeClient, server: WebServer) -> None:
    server.pages["/large"] = Page(bytes(1001))
    server.pages["/bomb"] = Page(gzip.compress(bytes(1001)), headers={"Content-Encoding": "gzip"})
    server.pages["/fits"] = Page(gzip.compress(bytes(1000)), headers={"Content-Encoding": "gzip"})
    server.pages["/odd"] = Page(b"plain", headers={"Content-Encoding": "gzip"})
    for path in ("large", "bomb"):
        with pytest.raises(UnusableAnswerError, match="larger than 1000"):
            client().get(server.url + path, max_bytes=1000)
    assert len(client().get(server.url + "fits", max_bytes=1000).body) == 1000
    with pytest.raises(UnusableAnswerError, match="unpacked"):
        client().get(server.url + "odd")
    assert client().get(server.url + "odd", max_bytes=None).body == b""


def test_an_answer_that_drips_is_cut_off(client: MakeClient, server: WebServer) -> None:
    going = threading.Event()

    def drip(visit: object) -> Page:
        return Page(b"x", headers={"Content-Length": "2"}, before=lambda: going.wait(3))

    server.otherwise = drip
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="ReadTimeout"):
        client().get(server.url, timeout_seconds=0.3)
    assert time.monotonic() - started < 2
    going.set()


def test_the_next_address_is_tried_where_one_does_not_answer(client: MakeClient, server: WebServer) -> None:
    server.pages["/"] = Page(b"second")
    names = NameServer(double=[["127.0.0.2", "127.0.0.1"]])
    # Nobody listens at 127.0.0.2: the server is bound to 127.0.0.1.
    assert client(AddressPolicy(private=True), resolver=names).get(f"http://double.example:{server.port}/").body == b"second"


@pytest.mark.parametrize(("host", "message"), [("nowhere.example", "not known"), ("127.0.0.1", "refused")])
def test_messages_do_not_repeat_the_path(client: MakeClient, host: str, message: str) -> None:
    with pytest.raises(UnreachableError, match=message) as caught:
        client(resolver=NameServer()).get(f"http://user:word@{host}:1/secret?token=secret")
    assert "secret" not in str(caught.value)
    assert "word" not in str(caught.value)


def test_proxies_of_the_environment_are_not_used(client: MakeClient, server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    server.pages["/"] = Page(b"direct")
    assert client().get(server.url).body == b"direct"


def test_cookies_are_not_kept(client: MakeClient, server: WebServer) -> None:
    server.pages["/"] = Page(headers={"Set-Cookie": "id=secret"})
    one = client()
    one.get(server.url)
    one.get(server.url)
    assert "Cookie" not in server.visits[1].headers

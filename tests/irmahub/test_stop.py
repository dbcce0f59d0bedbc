"""A process that is asked to stop says so first, finishes what it has, and sends its listeners elsewhere."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.database import Database
from gateway.models import SessionRecord
from gateway.permissions import Permissions
from irmahub.demo.processes import answers, free_address
from irmahub.settings import Settings
from tests.gateway.test_metrics import samples
from tests.irmahub.test_serve import DISCLOSURE, ISSUANCE
from tests.support.installations import prepare_installation
from tests.support.processes import wait_until
from tests.support.requestor_server import RequestorServer, running_requestor_server
from tests.support.shared import ROOT

#: A server whose `/slow` takes two seconds, which goes on taking requests for one second once it was asked to stop.
PROGRAM = """
import sys, time
from irmahub.server import Sites, listen, serve
from irmahub.settings import Address
state = []
def application(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(2)
    start_response("503 Busy" if state else "200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
def make_sites():
    return Sites([application], lambda: print("closed", flush=True), stop_soon=lambda: state.append(1))
if __name__ == "__main__":
    listener = listen(Address("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    serve([listener], make_sites, drain_seconds=1)
"""


def test_requests_in_flight_are_finished_and_new_ones_refused(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert process.stdout is not None
    url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
    slow: list[httpx.Response] = []
    assert httpx.get(f"{url}/", timeout=30).status_code == 200
    request = threading.Thread(target=lambda: slow.append(httpx.get(f"{url}/slow", timeout=30)))
    request.start()
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    # It still answers, so that a load balancer learns that it is going.
    assert httpx.get(f"{url}/", timeout=30).status_code == 503
    wait_until(lambda: not answers(f"{url}/"), "the server to take no more requests")
    request.join()
    assert (slow[0].status_code, slow[0].text) == (503, "done")
    assert process.communicate(timeout=30)[0] == "closed\n"
    assert process.returncode == 0


@dataclass(frozen=True)
class Installation:
    """An installation with one requestor.

    Attributes:
        settings: its settings.
        environment: the variables that give them.
        token: the requestor's.
    """

    settings: Settings
    environment: dict[str, str]
    token: str

    def serve(self) -> subprocess.Popen[bytes]:
        """Run it until `/health/ready` answers."""
        with (self.settings.data_directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "irmahub", "serve"], env=os.environ | self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until(lambda: answers(f"{self.settings.gateway_url}health"), "the gateway", seconds=60)
        return process

    def post(self, request: object, **headers: str) -> httpx.Response:
        return httpx.post(f"{self.settings.gateway_url}session", json=request, headers={"Authorization": self.token, **headers}, timeout=30)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    environment = {"IRMAHUB_METRICS_ADDRESS": str(free_address(0)), "IRMAHUB_DRAIN_SECONDS": "1"}
    permissions = Permissions(disclose=("*",), issue=("*",))
    made = prepare_installation(tmp_path / "data", environment, permissions=permissions, scheme=("mutant-base", "irma-demo"))
    return Installation(made.settings, made.environment, made.token)


@pytest.fixture
def shop() -> Iterator[RequestorServer]:
    with running_requestor_server() as server:
        yield server


@pytest.mark.feature("F1.1")
@pytest.mark.feature("F1.2")
@pytest.mark.feature("F2.1")
def test_a_whole_installation_tells_its_health_and_metrics_and_stops_in_order(installation: Installation, shop: RequestorServer) -> None:
    settings = installation.settings
    process = installation.serve()
    try:
        for url in (settings.console_url, settings.gateway_url):
            assert httpx.get(f"{url}health/live", timeout=30).json() == {"status": "ok"}
            ready = httpx.get(f"{url}health/ready", timeout=30)
            assert ready.status_code == 200, ready.text
            assert {"database", "disk", "archive", "changes"} <= set(ready.json()["components"])

        assert installation.post(ISSUANCE).status_code == 200
        started = installation.post({"request": DISCLOSURE, "callbackUrl": f"{shop.url}end"}, **{"X-Request-Id": "c" * 32})
        assert started.headers["X-Request-Id"] == "c" * 32
        metrics = httpx.get(f"http://{settings.metrics_address}/metrics", timeout=30)
        assert metrics.headers["Content-Type"].startswith("text/plain; version=")
        assert samples(metrics.content)["irmahub_sessions_started_total", ("shop", "disclosing")] == 1
        for url in (settings.console_url, settings.gateway_url, f"http://{settings.metrics_address}/x"):
            assert httpx.get(f"{url}metrics", timeout=30).status_code in (302, 404)

        with httpx.stream("GET", f"{settings.gateway_url}session/{started.json()['token']}/statusevents", timeout=30) as events:
            parts = events.iter_bytes()
            assert next(parts) == b"event: open\n\n"
            # Its callback is under way when the process stops.
            assert httpx.delete(f"{settings.gateway_url}session/{started.json()['token']}", timeout=30).status_code == 200
            open_session = installation.post(DISCLOSURE)
            with httpx.stream("GET", f"{settings.gateway_url}session/{open_session.json()['token']}/statusevents", timeout=30) as listener:
                lines = listener.iter_bytes()
                assert next(lines) == b"event: open\n\n"
                process.send_signal(signal.SIGTERM)
                wait_until(lambda: httpx.get(f"{settings.gateway_url}health/ready", timeout=30).status_code == 503, "the end to be told")
                # The stream ends whole, so that the listener comes back elsewhere.
                assert list(lines) == []
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert [(call.path, call.request_id) for call in shop.calls] == [("/end/", "c" * 32)]
    database = Database(settings.database_url)
    with database.read() as session:
        records = session.query(SessionRecord).order_by(SessionRecord.id).all()
        assert [(record.status, record.request_id == "c" * 32) for record in records] == [
            ("INITIALIZED", False),
            ("CANCELLED", True),
            ("INITIALIZED", False),
        ]
    database.close()

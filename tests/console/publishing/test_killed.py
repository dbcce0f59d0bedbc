"""A publication whose worker or web process is killed at any point leaves the old version or the new one, and completes after a restart."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from console.accounts.models import NewApiToken, NewUser
from console.publishing.fetch import PublicAddress
from console.publishing.git import Repository
from console.publishing.service import Publishing
from console.schemes.models import SchemeImport
from console.services import Services
from console.worker import run_until_idle
from gateway.actor import Actor, ActorKind, Grant, Role, command_actor
from gateway.addresses import WITH_PRIVATE
from gateway.authorization import Action
from gateway.models import PublicationState
from gateway.scheme_download import fetch_scheme
from idemix.scheme.tree import SchemeTree
from idemix.scheme.verify import verify_scheme
from irmahub.applications import services_of
from irmahub.demo.processes import answers, free_address
from irmahub.settings import Settings
from tests.console.conftest import Installation, MovingClock, make_installation
from tests.console.publishing import killed_server, killed_worker
from tests.support.shared import ROOT, shared

ACTOR = Actor(ActorKind.USER, "noor", (Grant(Role.ADMIN),))
STEPS = [step.name for step in Publishing.flow(Publishing.__new__(Publishing)).steps]
OPERATIONS = [f"{kind.__name__}.{name}" for name, kind in killed_worker.OPERATIONS.items()]
POINTS = [f"{when} {what}" for what in (*STEPS, *OPERATIONS) for when in ("before", "after")]
WEB_POINTS = [f"{when} {kind.__name__}.{name}" for name, kind in killed_server.OPERATIONS.items() for when in ("before", "after")]
CARD = "RU/Issues/studentCard/description.xml"
PASSWORD = "correct horse battery"


def change(services: Services, title: str) -> str:
    """A draft that changes a text, so that no file mistaken for another goes unseen."""
    draft = services.schemes.start_draft(ACTOR, "irma-demo", title).name
    content = services.schemes.file(ACTOR, "irma-demo", CARD, draft)
    head, _, tail = content.partition(b"<Description>")
    text = f"\n\t\t<en>{title}</en>\n\t\t<nl>{title}</nl>\n\t".encode()
    changed = head + b"<Description>" + text + tail[tail.index(b"</Description>") :]
    services.schemes.save(ACTOR, "irma-demo", draft, {CARD: changed}, title)
    return draft


def demand_old_or_new(services: Services, url: str, remote: Repository, old: str, *, now: float) -> str:
    """Demand that the remote and the web root hold each one whole version, the old one or the one after it, and that it is valid.

    Returns:
        The commit of the remote.
    """
    head = remote.resolve("refs/heads/main")
    assert head == old or remote.info(head).parents == (old,)
    assert services.web_root.current("irma-demo") in (remote.tree(old), remote.tree(head))
    known = SchemeTree(remote.read(old), name="irma-demo")
    committed = SchemeTree(remote.read(head), name="irma-demo")
    assert verify_scheme(committed, now=int(now)).is_valid
    # What a client gets that has the old version.
    with PublicAddress(url, WITH_PRIVATE, https_only=False).open() as fetcher:
        fetched = fetch_scheme(fetcher, "irma-demo", known["pk.pem"])
    assert verify_scheme(fetched, now=int(now)).is_valid
    assert any(all(version[path] == content for path, content in fetched.items()) for version in (known, committed))
    return head


@pytest.fixture(scope="module")
def killing_ground(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path) -> Iterator[Installation]:
    """An installation with an imported scheme; each test publishes it once more."""
    for installation in make_installation(tmp_path_factory.mktemp("killed"), migrated_sqlite_file, MovingClock()):
        path = installation.scheme_repository(shared("schemes", "mutant-base", "irma-demo"))
        installation.services.schemes.import_scheme(ACTOR, SchemeImport(str(path)))
        yield installation


@pytest.mark.feature("B7.1")
@pytest.mark.feature("B7.2")
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at(point: str, killing_ground: Installation) -> None:
    installation, services = killing_ground, killing_ground.services
    remote = Repository(installation.directory / "remote.git")
    old = remote.resolve("refs/heads/main")
    publication = services.publishing.publish(ACTOR, "irma-demo", change(services, point))
    given = {
        "directory": str(installation.directory),
        "database": services.settings.database_url,
        "url": services.settings.public_url,
        "now": installation.clock().isoformat(),
    }
    command = [sys.executable, "-m", "tests.console.publishing.killed_worker", json.dumps(given), point]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert process.returncode == -signal.SIGKILL, process.stderr
    url = f"{services.settings.public_url}schemes/irma-demo/"
    demand_old_or_new(services, url, remote, old, now=installation.clock().timestamp())

    # The lease of the dead worker runs out, and another goes on; on a slow machine a step may wait and be tried again.
    for _ in range(10):
        installation.clock.move(timedelta(minutes=1))
        installation.run_jobs()
        done = services.publishing.get(ACTOR, publication.id)
        if done.state is not PublicationState.PUBLISHING:
            break
    assert (done.state, done.error) == (PublicationState.LIVE, "")
    assert demand_old_or_new(services, url, remote, old, now=installation.clock().timestamp()) == done.commit
    assert services.web_root.current("irma-demo") == remote.tree(done.commit or "")
    assert point.encode() in remote.read("refs/heads/main")[CARD]
    assert services.schemes.drafts(ACTOR, "irma-demo") == ()


def test_every_step_is_among_the_points() -> None:
    assert STEPS[0] == "check"
    assert STEPS[-1] == "live"
    assert {f"{when} {step}" for step in STEPS for when in ("before", "after")} <= set(POINTS)


@dataclass(frozen=True)
class WebInstallation:
    """An installation for the real server: its environment, the settings that this makes, its services, and a token for everything."""

    environment: dict[str, str]
    settings: Settings
    services: Services
    token: str
    log: Path

    @contextmanager
    def server(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a server until the block ends, unless it is dead by then."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, env=os.environ | self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            deadline = time.monotonic() + 60
            while not answers(f"{self.settings.gateway_url}health"):
                assert process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield process
        finally:
            process.kill()
            process.wait(30)

    def publish(self, draft: str) -> httpx.Response:
        """Ask the server to publish a draft."""
        url = f"{self.settings.console_url}api/v1/schemes/irma-demo/publications"
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.post(url, json={"draft": draft}, headers=headers, timeout=60, trust_env=False)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path) -> Iterator[WebInstallation]:
    data = tmp_path_factory.mktemp("killed-web")
    shutil.copy(migrated_sqlite_file, data / "irmahub.db")
    environment = {
        "IRMAHUB_DATA_DIRECTORY": str(data),
        "IRMAHUB_CONSOLE_ADDRESS": str(free_address(0)),
        "IRMAHUB_GATEWAY_ADDRESS": str(free_address(0)),
    }
    settings = Settings.from_environment(environment)
    services = services_of(settings)
    try:
        remote = Repository.create(data / "remote.git")
        tree = shared("schemes", "mutant-base", "irma-demo")
        services.schemes.import_scheme(ACTOR, SchemeImport(str(tree), remote=str(remote.path)))
        clone = Repository(services.settings.repositories_directory / "irma-demo.git")
        remote_address = services.schemes.remote("irma-demo")
        assert remote_address is not None
        clone.push(remote_address, clone.resolve("refs/heads/main"), "main", expected=None)
        services.accounts.create_first_administrator(command_actor("root"), NewUser("noor", "Noor", PASSWORD))
        noor = services.accounts.log_in("noor", PASSWORD, address=None).actor
        token = services.accounts.create_api_token(noor, NewApiToken("all", tuple(action.value for action in Action))).secret
        yield WebInstallation(environment, settings, services, token, data / "log")
    finally:
        services.close()


@pytest.mark.feature("B7.2")
@pytest.mark.parametrize("point", WEB_POINTS)
def test_a_web_process_killed_at(point: str, web: WebInstallation) -> None:
    services = web.services
    remote = Repository(web.settings.data_directory / "remote.git")
    old = remote.resolve("refs/heads/main")
    before = services.publishing.list(ACTOR)
    draft = change(services, point)
    with web.server("tests.console.publishing.killed_server", point) as process:
        with pytest.raises(httpx.TransportError):
            web.publish(draft)
        assert process.wait(30) == -signal.SIGKILL
    # The row and its job are there together, or neither is.
    written = [publication for publication in services.publishing.list(ACTOR) if publication not in before]
    assert len(written) == (1 if point == "after Publishing.publish" else 0)
    assert all(publication.job_id is not None for publication in written)

    with web.server("irmahub", "serve"):
        url = f"{services.settings.public_url}schemes/irma-demo/"
        assert demand_old_or_new(services, url, remote, old, now=time.time()) == old
        answer = web.publish(draft)
        assert answer.status_code == (409 if written else 201), answer.text
        number = written[0].id if written else answer.json()["id"]
        run_until_idle(services)
        done = services.publishing.get(ACTOR, number)
        assert (done.state, done.error) == (PublicationState.LIVE, "")
        assert demand_old_or_new(services, url, remote, old, now=time.time()) == done.commit != old
    assert point.encode() in remote.read("refs/heads/main")[CARD]
    assert len(services.publishing.list(ACTOR)) == len(before) + 1

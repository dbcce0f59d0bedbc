"""A publication killed at any point leaves the old version or the new one, and completes after a restart."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from console.publishing.git import Repository
from console.publishing.service import Publishing
from console.schemes.models import SchemeImport
from gateway.actor import Actor, ActorKind, Grant, Role
from gateway.models import PublicationState
from tests.console.conftest import Installation, MovingClock, make_installation
from tests.console.publishing.killed_worker import OPERATIONS
from tests.support.shared import ROOT, shared

ACTOR = Actor(ActorKind.USER, "noor", (Grant(Role.ADMIN),))
STEPS = [step.name for step in Publishing.flow(Publishing.__new__(Publishing)).steps]
POINTS = [f"{when} {step}" for step in STEPS for when in ("before", "after")]
POINTS += [f"after {kind.__name__}.{name}" for name, kind in OPERATIONS.items()]


@pytest.fixture(scope="module")
def killing_ground(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite_file: Path) -> Iterator[Installation]:
    """An installation with an imported scheme; each test publishes it once more."""
    for installation in make_installation(tmp_path_factory.mktemp("killed"), migrated_sqlite_file, MovingClock()):
        path = installation.scheme_repository(shared("schemes", "mutant-base", "irma-demo"))
        installation.services.schemes.import_scheme(ACTOR, SchemeImport(str(path)))
        yield installation


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(point: str, killing_ground: Installation) -> None:
    installation, services = killing_ground, killing_ground.services
    remote = Repository(installation.directory / "remote.git")
    old = remote.head("refs/heads/main")
    served_before = services.web_root.current("irma-demo")
    publication = services.publishing.publish(ACTOR, "irma-demo")
    given = {
        "directory": str(installation.directory),
        "database": services.settings.database_url,
        "url": services.settings.public_url,
        "now": installation.clock().isoformat(),
    }
    command = [sys.executable, "-m", "tests.console.publishing.killed_worker", json.dumps(given), point]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert process.returncode == -signal.SIGKILL, process.stderr

    now = remote.head("refs/heads/main")
    assert now == old or Repository(remote.path).info(now or "").parents == (old,)
    assert installation.commit_is_valid(remote.path, "irma-demo")
    assert installation.served_is_valid("irma-demo")
    served = services.web_root.current("irma-demo")
    assert served in (served_before, remote.tree(now or ""))

    # The lease of the dead worker runs out, and another goes on; on a slow machine a step may wait and be tried again.
    for _ in range(10):
        installation.clock.move(timedelta(minutes=1))
        installation.run_jobs()
        done = services.publishing.get(ACTOR, publication.id)
        if done.state is not PublicationState.PUBLISHING:
            break
    assert (done.state, done.error) == (PublicationState.LIVE, "")
    assert remote.head("refs/heads/main") == done.commit
    assert remote.info(done.commit or "").parents == (old,)
    assert services.web_root.current("irma-demo") == remote.tree(done.commit or "")
    assert installation.served_is_valid("irma-demo")


def test_every_step_is_among_the_points() -> None:
    assert STEPS[0] == "check"
    assert STEPS[-1] == "live"
    assert {f"before {step}" for step in STEPS} | {f"after {step}" for step in STEPS} <= set(POINTS)

"""A worker that is killed (SIGKILL) at one point of a publication: `python -m tests.console.publishing.killed_worker SETTINGS POINT`.

Points are `before NAME` and `after NAME`, where NAME is a step of the flow, or one of the operations below that touch something outside.
Death after a step is death before the step is recorded: its effect is there, and nobody wrote down that it is.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console.publishing.git import Repository
from console.publishing.web_root import WebRoot
from console.services import build_services
from console.settings import ConsoleSettings
from gateway.jobs.worker import Worker

#: The operations inside steps that change what others see.
OPERATIONS: dict[str, type] = {"push": Repository, "update": Repository, "write": WebRoot, "switch": WebRoot, "prune": WebRoot}


def killed(name: str, point: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with death before or after it where the point says so."""

    def run(*arguments: Any, **options: Any) -> Any:
        if point == f"before {name}":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **options)
        if point == f"after {name}":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return run


def main() -> None:
    """Run one job and die on the way."""
    given = json.loads(sys.argv[1])
    point = sys.argv[2]
    directory = Path(given["directory"])
    settings = ConsoleSettings(directory, given["database"], directory / "kek", directory / "schemes", given["url"], given["url"])
    start = datetime.fromisoformat(given["now"]).timestamp() - datetime.now(UTC).timestamp()
    services = build_services(settings, lambda: datetime.fromtimestamp(datetime.now(UTC).timestamp() + start, UTC))
    for name, kind in OPERATIONS.items():
        setattr(kind, name, killed(f"{kind.__name__}.{name}", point, getattr(kind, name)))
    flow = services.publishing.flow()
    steps = tuple(replace(step, run=killed(step.name, point, step.run)) for step in flow.steps)
    Worker(services.jobs, [replace(flow, steps=steps)], clock=services.clock).run_one()


if __name__ == "__main__":
    main()

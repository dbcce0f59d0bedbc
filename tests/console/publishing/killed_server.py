"""The real `irmahub serve`, killed (SIGKILL) at a point of a request to publish: `python -m tests.console.publishing.killed_server POINT`.

The settings come from the environment, as for the command. Points are `before NAME` and `after NAME` of the operations below.
"""

import sys

from console.publishing.service import Publishing
from gateway.jobs.service import Jobs
from irmahub.cli import command_line
from tests.console.publishing.killed_worker import killed

#: What such a request goes through: the service as a whole, and in its transaction, after the row of the publication, that of its job.
OPERATIONS: dict[str, type] = {"publish": Publishing, "enqueue_in": Jobs}


def main() -> None:
    """Serve until the point is reached."""
    for name, kind in OPERATIONS.items():
        setattr(kind, name, killed(f"{kind.__name__}.{name}", sys.argv[1], getattr(kind, name)))
    command_line.main(["serve"], prog_name="irmahub")


if __name__ == "__main__":
    main()

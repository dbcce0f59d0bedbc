"""The worker process: runs the jobs of the console until it is told to stop."""

import signal
import threading

from console.services import Services
from gateway.changes import Changes, Topic
from gateway.jobs.worker import Worker


def run_worker(services: Services, *, stop: threading.Event | None = None) -> None:
    """Run jobs until SIGTERM or SIGINT, or until an event is set; the running step is asked to stop and its job given back.

    Args:
        services: what the jobs work on.
        stop: ends the loop; without it the process's signals do, which only the main thread can take.
    """
    worker = Worker(services.jobs, services.flows(), clock=services.clock)
    changes = Changes(services.database, redis=services.redis)
    changes.on(Topic.JOBS, worker.wake)
    changes.start()
    if stop is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
    else:
        threading.Thread(target=_stop_after, args=(stop, worker), name="worker-stop", daemon=True).start()
    try:
        worker.run()
    finally:
        changes.stop()


def _stop_after(event: threading.Event, worker: Worker) -> None:
    event.wait()
    worker.stop()


def run_until_idle(services: Services) -> int:
    """Run the jobs that can run now, for commands that wait for their own job.

    Returns:
        How many turns were taken.
    """
    worker = Worker(services.jobs, services.flows(), clock=services.clock)
    turns = 0
    while worker.run_one():
        turns += 1
    return turns

"""The worker: claims jobs and runs their flows, until it is stopped."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from idemix.clock import Clock, system_clock

from ..actor import Actor, ActorKind, Grant, Role
from .flow import Cancelled, Done, Flow, JobContext, Step, StepFailedError, Wait
from .service import MOST_TAKEOVERS, Jobs, Lease, LeaseLostError

_log = logging.getLogger(__name__)

#: How long an idle worker sleeps before it looks again, in seconds; what was queued meanwhile wakes it.
IDLE_SECONDS: Final = 1.0

#: Progress is written at most this often, in seconds.
PROGRESS_SECONDS: Final = 0.25


class Worker:
    """Runs jobs one after another.

    Args:
        jobs: the service.
        flows: what it can run.
        clock: tells the time.
        name: names it for people; by default host and process.
    """

    def __init__(self, jobs: Jobs, flows: Iterable[Flow], *, clock: Clock = system_clock, name: str | None = None) -> None:
        self._jobs = jobs
        self._flows = {flow.kind: flow for flow in flows}
        self._clock = clock
        self._name = name or f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
        self._stop = threading.Event()
        self._wake = threading.Event()

    def run(self) -> None:
        """Run jobs until `stop`. Trouble with the database is logged, and the worker goes on when it is back."""
        while not self._stop.is_set():
            try:
                busy = self.run_one()
            except Exception:
                _log.exception("the worker could not go on; trying again")
                busy = False
            if not busy:
                self._wake.wait(IDLE_SECONDS)
                self._wake.clear()

    def stop(self) -> None:
        """Have `run` end: the running step is asked to stop, and its job given back."""
        self._stop.set()
        self._wake.set()

    def wake(self) -> None:
        """Have an idle worker look for jobs now, as after a change of the topic jobs."""
        self._wake.set()

    def run_one(self) -> bool:
        """Claim a job, if there is one, and run it until it ends, waits or is lost.

        Returns:
            Whether there was one.
        """
        lease = self._jobs.claim(self._name, frozenset(self._flows))
        if lease is None:
            return False
        try:
            self._run(lease, self._flows[lease.kind])
        except LeaseLostError as error:
            _log.warning("%s", error)
        return True

    def _run(self, lease: Lease, flow: Flow) -> None:
        if lease.takeovers >= MOST_TAKEOVERS:
            self._fail(lease, flow, f"the worker was lost {lease.takeovers} times in the same step")
            return
        outputs = {record.name: record.output for record in lease.steps}
        cancel_asked = lease.cancel_asked
        for step in flow.steps:
            if step.name in outputs:
                continue
            if cancel_asked and step.cancellable:
                self._cancel(lease, flow)
                return
            if self._stop.is_set():
                self._jobs.give_back(lease)
                return
            started_at = self._clock()
            outcome = self._run_step(lease, flow, step, outputs)
            if outcome is None:
                return
            if isinstance(outcome, Wait):
                self._jobs.wait(lease, until=outcome.until, event=outcome.event, message=outcome.message)
                return
            self._jobs.record_step(lease, step.name, outcome.output, started_at)
            outputs[step.name] = outcome.output
            cancel_asked = self._jobs.renew(lease)
        self._jobs.finish(lease)

    def _run_step(self, lease: Lease, flow: Flow, step: Step, outputs: Mapping[str, Mapping[str, Any]]) -> Done | Wait | None:
        """Run one step while a thread renews the lease. None where the job is out of our hands afterwards."""
        with _Renewal(self._jobs, lease, self._clock, self._stop, outputs, cancellable=step.cancellable) as context:
            try:
                return step.run(context)
            except Cancelled:
                outcome: Exception | None = None
            except LeaseLostError:
                raise
            except Exception as error:
                outcome = error
        context.raise_if_lost()
        if outcome is None:
            if context.cancel_asked and step.cancellable:
                self._cancel(lease, flow)
            else:
                self._jobs.give_back(lease)
        elif isinstance(outcome, (StepFailedError, *flow.told)):
            self._fail(lease, flow, str(outcome))
        else:
            # The message of an error that nobody foresaw may hold anything; people get its type, the log its traceback.
            _log.error("step %s of job %d failed", step.name, lease.job_id, exc_info=outcome)
            self._fail(lease, flow, f"{step.name}: {type(outcome).__name__}; the worker's log tells more")
        return None

    def _fail(self, lease: Lease, flow: Flow, error: str) -> None:
        self._jobs.renew(lease)
        if flow.on_end is not None:
            flow.on_end(lease.job_id, lease.arguments, error)
        self._jobs.fail(lease, error)

    def _cancel(self, lease: Lease, flow: Flow) -> None:
        self._jobs.renew(lease)
        if flow.on_end is not None:
            flow.on_end(lease.job_id, lease.arguments, "cancelled")
        self._jobs.end_cancelled(lease)


class _Renewal(JobContext):
    """The context of one running step, and the thread that renews its lease."""

    def __init__(
        self,
        jobs: Jobs,
        lease: Lease,
        clock: Clock,
        stopping: threading.Event,
        outputs: Mapping[str, Mapping[str, Any]],
        *,
        cancellable: bool,
    ) -> None:
        self._jobs = jobs
        self._lease = lease
        self._clock = clock
        self._stopping = stopping
        self._outputs = dict(outputs)
        self._cancellable = cancellable
        self._told: tuple[float, str | None] | None = None
        self._told_at = 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._lost = False
        self.cancel_asked = lease.cancel_asked
        self._thread = threading.Thread(target=self._keep, name=f"lease-{lease.job_id}", daemon=True)

    def __enter__(self) -> "_Renewal":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def job_id(self) -> int:
        return self._lease.job_id

    @property
    def actor(self) -> Actor:
        # The rights were checked when the job was started; the worker acts with its own, in the name of who started it.
        return Actor(
            ActorKind.SYSTEM,
            f"worker for {self._lease.actor_name}",
            (Grant(Role.ADMIN),),
            self._lease.user_id,
            request_id=f"job-{self.job_id}",
        )

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self._lease.arguments

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        return self._outputs

    @property
    def clock(self) -> Clock:
        return self._clock

    def progress(self, fraction: float, message: str | None = None) -> None:
        self._told = (fraction, message)
        now = time.monotonic()
        if now - self._told_at >= PROGRESS_SECONDS:
            self._told_at = now
            self._renew()

    def is_cancelled(self) -> bool:
        return self._lost or self._stopping.is_set() or (self.cancel_asked and self._cancellable)

    def raise_if_lost(self) -> None:
        if self._lost:
            raise LeaseLostError(f"job {self.job_id} was taken over")

    def _renew(self) -> None:
        with self._lock:
            fraction, message = self._told or (None, None)
            try:
                self.cancel_asked = self._jobs.renew(self._lease, progress=fraction, message=message)
            except LeaseLostError:
                self._lost = True

    def _keep(self) -> None:
        # Three renewals fit in a lease, so that one that fails for a moment does no harm; asking for a stop is seen within a second.
        interval = min(self._jobs.lease.total_seconds() / 3, 1.0)
        while not self._over.wait(interval):
            try:
                self._renew()
            except Exception:
                _log.exception("the lease of job %d could not be renewed; trying again", self.job_id)
            if self._lost:
                return

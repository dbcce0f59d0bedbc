"""Jobs: starting and watching them for people, claiming and recording them for workers."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from idemix.clock import Clock, system_clock

from ..actor import Actor, ActorKind
from ..audit.service import Audit
from ..authorization import EVERYTHING, Action, authorize
from ..changes import Topic, announce
from ..database import Database
from ..inputs import ConflictError, NotFoundError
from ..models import Job, JobState, JobStep

#: How long a claim lasts unless it is renewed.
LEASE: Final = timedelta(seconds=30)

#: How often the worker of one step may be lost before the job fails: the step may be what kills it.
MOST_TAKEOVERS: Final = 5

_ENDED: Final = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class LeaseLostError(Exception):
    """The worker does not hold the job any more; another may. It writes nothing and stops."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A completed step. Fields as in `gateway.models.JobStep`."""

    name: str
    output: Mapping[str, Any]
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as pages, API and commands show it. Fields as in `gateway.models.Job`."""

    id: int
    kind: str
    object: str
    arguments: Mapping[str, Any]
    state: JobState
    step: str | None
    progress: float
    message: str | None
    error: str | None
    attempt: int
    worker: str | None
    wait_until: datetime | None
    wait_for: str | None
    cancel_asked_at: datetime | None
    actor_name: str
    created_at: datetime
    finished_at: datetime | None
    steps: tuple[StepRecord, ...]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed job in the hands of one worker.

    Attributes:
        token: what the worker shows with everything it writes.
        takeovers: how often the worker of the present step was lost.
        actor_kind, actor_name, user_id: who started the job.
    """

    job_id: int
    token: str
    kind: str
    arguments: Mapping[str, Any]
    steps: tuple[StepRecord, ...]
    takeovers: int
    cancel_asked: bool
    actor_kind: ActorKind
    actor_name: str
    user_id: int | None
    expires_at: datetime


class Jobs:
    """The jobs of one database.

    Args:
        database, audit: where jobs and their audit entries are written.
        clock: tells the time of leases and waits; the workers of one database need clocks that agree to a few seconds.
        lease: how long a claim lasts unless it is renewed.
    """

    def __init__(self, database: Database, audit: Audit, *, clock: Clock = system_clock, lease: timedelta = LEASE) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self.lease = lease

    # For people.

    def enqueue(
        self,
        actor: Actor,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        object: str,
        scope: str = EVERYTHING,
        serial: str | None = None,
        reason: str | None = None,
    ) -> int:
        """Start a job; a worker takes it up.

        Args:
            actor: who starts it.
            kind: the flow.
            arguments: what the flow needs, for JSON; never a secret.
            object: what it works on, `kind:name`.
            scope: where the actor must be allowed to start jobs.
            serial: of the jobs with the same value only one runs at a time.
            reason: for the audit.

        Returns:
            The job's number.

        Raises:
            PermissionDeniedError: the actor may not start jobs there.
        """
        authorize(actor, Action.JOB_START, scope)
        return self._database.write(
            lambda session: self.enqueue_in(session, actor, kind, arguments, object=object, serial=serial, reason=reason)
        )

    def enqueue_in(
        self,
        session: Session,
        actor: Actor,
        kind: str,
        arguments: Mapping[str, Any],
        *,
        object: str,
        serial: str | None = None,
        reason: str | None = None,
    ) -> int:
        """Start a job in the transaction of a service that has authorised its actor for what the job does."""
        job = Job(
            kind=kind,
            object=object,
            serial=serial,
            arguments=dict(arguments),
            state=JobState.QUEUED,
            actor_kind=actor.kind.value,
            actor_name=actor.name,
            user_id=actor.user_id,
            created_at=self._clock(),
        )
        session.add(job)
        session.flush()
        self._audit.record(session, actor, Action.JOB_START, f"job:{job.id}", after={"kind": kind, "object": object}, reason=reason)
        announce(session, Topic.JOBS, self._clock)
        return job.id

    def get(self, actor: Actor, job_id: int, *, scope: str = EVERYTHING) -> JobInfo:
        """Look at a job.

        Raises:
            PermissionDeniedError: the actor may not see jobs there.
            NotFoundError: there is no such job.
        """
        authorize(actor, Action.JOB_VIEW, scope)
        with self._database.read() as session:
            return _info(_row(session, job_id))

    def list(
        self,
        actor: Actor,
        *,
        scope: str = EVERYTHING,
        kind: str | None = None,
        object: str | None = None,
        unfinished: bool = False,
        keep: Callable[[JobInfo], bool] | None = None,
        limit: int = 50,
    ) -> tuple[JobInfo, ...]:
        """List jobs, the newest first; of those that `keep` keeps, where it is given.

        Raises:
            PermissionDeniedError: the actor may not see jobs there.
        """
        authorize(actor, Action.JOB_VIEW, scope)
        query = select(Job).order_by(Job.id.desc())
        if kind is not None:
            query = query.where(Job.kind == kind)
        if object is not None:
            query = query.where(Job.object == object)
        if unfinished:
            query = query.where(Job.state.not_in(_ENDED))
        with self._database.read() as session:
            jobs = (_info(row) for row in session.scalars(query.limit(limit) if keep is None else query.execution_options(yield_per=100)))
            return tuple(islice(filter(keep, jobs) if keep is not None else jobs, limit))

    def cancel(self, actor: Actor, job_id: int, *, scope: str = EVERYTHING, reason: str | None = None) -> None:
        """Ask that a job stops. A queued or waiting one is taken up at once to end it; a running one ends where its flow allows.

        Raises:
            PermissionDeniedError: the actor may not cancel jobs there.
            NotFoundError: there is no such job.
            ConflictError: it has ended.
        """
        authorize(actor, Action.JOB_CANCEL, scope)

        def work(session: Session) -> None:
            job = _row(session, job_id, lock=True)
            if job.state in _ENDED:
                raise ConflictError(f"job {job_id} has ended")
            job.cancel_asked_at = job.cancel_asked_at or self._clock()
            if job.state is JobState.WAITING:
                self._queue(job)
            self._audit.record(session, actor, Action.JOB_CANCEL, f"job:{job_id}", after={"cancel_asked": True}, reason=reason)
            announce(session, Topic.JOBS, self._clock)

        self._database.write(work)

    def signal(self, session: Session, event: str) -> int:
        """Wake the jobs that wait for an event, in the transaction that brings the event about.

        Returns:
            How many were waiting.
        """
        waiting = session.scalars(select(Job).where(Job.state == JobState.WAITING, Job.wait_for == event).with_for_update()).all()
        for job in waiting:
            self._queue(job)
        if waiting:
            announce(session, Topic.JOBS, self._clock)
        return len(waiting)

    # For workers.

    def claim(self, worker: str, kinds: frozenset[str]) -> Lease | None:
        """Take the oldest job that can run: queued, waiting with its time come, or running with its lease expired.

        The claim is one UPDATE that holds only while the row is as it was read, so that of two workers one gets it.

        Args:
            worker: names this worker for people.
            kinds: the flows it can run.

        Returns:
            The lease, or None where there is nothing to do.
        """
        now = self._clock()
        with self._database.read() as session:
            candidates = session.execute(_CANDIDATES, {"kinds": list(kinds), "now": now}).all()
        for job_id, state, lease_token in candidates:
            try:
                lease = self._database.write(partial(self._claim, worker=worker, job_id=job_id, state=state, lease_token=lease_token))
            except IntegrityError:
                # Another job of the same `serial` began to run between reading and writing.
                continue
            if lease is not None:
                return lease
        return None

    def _claim(self, session: Session, worker: str, job_id: int, state: JobState, lease_token: str | None) -> Lease | None:
        now = self._clock()
        token = secrets.token_hex(16)
        taken_over = state is JobState.RUNNING
        claimed = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.state == state, Job.lease_token.is_not_distinct_from(lease_token), _claimable(now))
            .values(
                state=JobState.RUNNING,
                worker=worker,
                lease_token=token,
                lease_expires_at=now + self.lease,
                attempt=Job.attempt + 1,
                takeovers=Job.takeovers + int(taken_over),
                wait_until=None,
                wait_for=None,
                message=None,
            )
            .returning(Job.id)
            .execution_options(synchronize_session=False)
        ).scalar()
        if claimed is None:
            return None
        announce(session, Topic.JOBS, self._clock)
        job = _row(session, job_id)
        return Lease(
            job_id=job.id,
            token=token,
            kind=job.kind,
            arguments=job.arguments,
            steps=_steps(job),
            takeovers=job.takeovers,
            cancel_asked=job.cancel_asked_at is not None,
            actor_kind=ActorKind(job.actor_kind),
            actor_name=job.actor_name,
            user_id=job.user_id,
            expires_at=now + self.lease,
        )

    def renew(self, lease: Lease, *, progress: float | None = None, message: str | None = None) -> bool:
        """Hold a job for another period, and tell how far it is.

        Returns:
            Whether somebody asked that the job stops.

        Raises:
            LeaseLostError: another worker took it over.
        """

        def work(session: Session) -> bool:
            job = self._held(session, lease)
            job.lease_expires_at = self._clock() + self.lease
            if progress is not None:
                job.progress = min(max(progress, 0.0), 1.0)
            if message is not None:
                job.message = message
            return job.cancel_asked_at is not None

        return self._database.write(work)

    def record_step(self, lease: Lease, name: str, output: Mapping[str, Any], started_at: datetime) -> None:
        """Record a completed step; the job goes on after it from now on.

        Raises:
            LeaseLostError: another worker took the job over.
        """

        def work(session: Session) -> None:
            job = self._held(session, lease)
            job.steps.append(
                JobStep(position=len(job.steps) + 1, name=name, output=dict(output), started_at=started_at, finished_at=self._clock())
            )
            job.step = name
            job.progress = 0.0
            job.message = None
            job.takeovers = 0
            job.lease_expires_at = self._clock() + self.lease
            announce(session, Topic.JOBS, self._clock)

        self._database.write(work)

    def wait(self, lease: Lease, *, until: datetime, event: str | None = None, message: str | None = None) -> None:
        """Give a job back until a moment, or until an event if that comes first.

        Raises:
            LeaseLostError: another worker took the job over.
        """

        def work(session: Session) -> None:
            job = self._held(session, lease)
            _release(job)
            job.state = JobState.WAITING
            job.wait_until = until
            job.wait_for = event
            job.message = message
            if job.cancel_asked_at is not None:
                self._queue(job)
            announce(session, Topic.JOBS, self._clock)

        self._database.write(work)

    def give_back(self, lease: Lease) -> None:
        """Give a job back for another worker, since this one stops.

        Raises:
            LeaseLostError: another worker took the job over.
        """

        def work(session: Session) -> None:
            self._queue(self._held(session, lease))
            announce(session, Topic.JOBS, self._clock)

        self._database.write(work)

    def finish(self, lease: Lease) -> None:
        """End a job whose steps are all done.

        Raises:
            LeaseLostError: another worker took the job over.
        """
        self._end(lease, JobState.DONE, None)

    def fail(self, lease: Lease, error: str) -> None:
        """End a job that cannot succeed.

        Args:
            lease: of the job.
            error: why, for people; never a secret.

        Raises:
            LeaseLostError: another worker took the job over.
        """
        self._end(lease, JobState.FAILED, error)

    def end_cancelled(self, lease: Lease) -> None:
        """End a job that somebody asked to stop.

        Raises:
            LeaseLostError: another worker took the job over.
        """
        self._end(lease, JobState.CANCELLED, None)

    def _end(self, lease: Lease, state: JobState, error: str | None) -> None:
        def work(session: Session) -> None:
            job = self._held(session, lease)
            _release(job)
            job.state = state
            job.error = error
            job.message = None
            job.progress = 1.0 if state is JobState.DONE else job.progress
            job.finished_at = self._clock()
            announce(session, Topic.JOBS, self._clock)

        self._database.write(work)

    def _held(self, session: Session, lease: Lease) -> Job:
        job = _row(session, lease.job_id, lock=True)
        if job.state is not JobState.RUNNING or job.lease_token != lease.token:
            raise LeaseLostError(f"job {lease.job_id} was taken over by {job.worker}")
        return job

    def _queue(self, job: Job) -> None:
        _release(job)
        job.state = JobState.QUEUED
        job.wait_until = None
        job.wait_for = None


def _claimable(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    other = aliased(Job)
    serial_is_free = or_(
        Job.serial.is_(None),
        ~select(other.id).where(other.serial == Job.serial, other.state == JobState.RUNNING, other.id != Job.id).exists(),
    )
    return or_(
        and_(Job.state == JobState.QUEUED, serial_is_free),
        and_(Job.state == JobState.WAITING, Job.wait_until <= now, serial_is_free),
        and_(Job.state == JobState.RUNNING, Job.lease_expires_at < now),
    )


#: The oldest jobs of `kinds` that can run `now`. Idle workers ask this every second, and building it costs more than asking.
_CANDIDATES: Final = (
    select(Job.id, Job.state, Job.lease_token)
    .where(Job.kind.in_(bindparam("kinds", expanding=True)), _claimable(bindparam("now")))
    .order_by(Job.id)
    .limit(10)
)


def _release(job: Job) -> None:
    job.lease_token = None
    job.lease_expires_at = None
    job.worker = None


def _row(session: Session, job_id: int, *, lock: bool = False) -> Job:
    job = session.scalar(select(Job).where(Job.id == job_id).with_for_update() if lock else select(Job).where(Job.id == job_id))
    if job is None:
        raise NotFoundError("job", job_id)
    return job


def _steps(job: Job) -> tuple[StepRecord, ...]:
    return tuple(StepRecord(step.name, step.output, step.started_at, step.finished_at) for step in job.steps)


def _info(job: Job) -> JobInfo:
    return JobInfo(
        id=job.id,
        kind=job.kind,
        object=job.object,
        arguments=job.arguments,
        state=job.state,
        step=job.step,
        progress=job.progress,
        message=job.message,
        error=job.error,
        attempt=job.attempt,
        worker=job.worker,
        wait_until=job.wait_until,
        wait_for=job.wait_for,
        cancel_asked_at=job.cancel_asked_at,
        actor_name=job.actor_name,
        created_at=job.created_at,
        finished_at=job.finished_at,
        steps=_steps(job),
    )

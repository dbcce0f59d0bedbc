"""Jobs as rows: claims, leases, steps, waiting, cancelling."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.actor import Role
from gateway.authorization import PermissionDeniedError
from gateway.database import Database
from gateway.inputs import ConflictError, NotFoundError
from gateway.jobs.service import JobInfo, Jobs, Lease, LeaseLostError
from gateway.models import JobState
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN, NOBODY, actor
from tests.support.factories.services import shared_services
from tests.support.processes import wait_until

KINDS = frozenset({"publish"})


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def jobs(database: Database, clock: SettableClock) -> Jobs:
    return shared_services(database, clock=clock).jobs


def start(jobs: Jobs, *, serial: str | None = None, kind: str = "publish") -> int:
    return jobs.enqueue(ADMIN, kind, {"tree": "abc"}, object="scheme:irma-demo", serial=serial)


def claimed(jobs: Jobs, worker: str = "w1") -> Lease:
    lease = jobs.claim(worker, KINDS)
    assert lease is not None
    return lease


def look(jobs: Jobs, job_id: int) -> JobInfo:
    return jobs.get(ADMIN, job_id)


def test_job_runs_from_queue_to_end(jobs: Jobs, clock: SettableClock) -> None:
    job_id = start(jobs)
    assert look(jobs, job_id).state is JobState.QUEUED
    lease = claimed(jobs)
    assert (lease.job_id, lease.kind, lease.arguments, lease.actor_name) == (job_id, "publish", {"tree": "abc"}, "alice")
    running = look(jobs, job_id)
    assert (running.state, running.worker, running.attempt) == (JobState.RUNNING, "w1", 1)
    clock.advance(seconds=2)
    jobs.record_step(lease, "check", {"findings": 0}, START)
    jobs.record_step(lease, "sign", {}, START)
    jobs.finish(lease)
    done = look(jobs, job_id)
    assert (done.state, done.progress, done.finished_at, done.worker) == (JobState.DONE, 1.0, START + timedelta(seconds=2), None)
    assert [(step.name, step.output) for step in done.steps] == [("check", {"findings": 0}), ("sign", {})]
    assert done.has_ended
    assert jobs.claim("w2", KINDS) is None


def test_claims_are_by_age_and_kind(jobs: Jobs) -> None:
    start(jobs, kind="other")
    first, second = start(jobs), start(jobs)
    assert [claimed(jobs).job_id, claimed(jobs).job_id] == [first, second]
    assert jobs.claim("w1", KINDS) is None


def test_of_many_workers_one_gets_the_job(database_url: str) -> None:
    """Each worker has connections of its own, as in a process of its own."""
    databases = [Database(database_url) for _ in range(6)]
    services = [shared_services(database) for database in databases]
    wanted = {start(services[0].jobs) for _ in range(10)}
    barrier = threading.Barrier(len(services))
    got: list[int] = []
    failures: list[BaseException] = []

    def run(jobs: Jobs, name: str) -> None:
        try:
            barrier.wait(20)
            while (lease := jobs.claim(name, KINDS)) is not None:
                got.append(lease.job_id)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(one.jobs, f"w{index}")) for index, one in enumerate(services)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    # A worker that lost a race for all it saw may stop early; what is left is still there, and nothing was taken twice.
    while (lease := services[0].jobs.claim("last", KINDS)) is not None:
        got.append(lease.job_id)
    assert sorted(got) == sorted(wanted)
    for database in databases:
        database.close()


def test_expired_lease_is_taken_over_after_the_last_step(jobs: Jobs, clock: SettableClock) -> None:
    job_id = start(jobs)
    dead = claimed(jobs, "dead")
    jobs.record_step(dead, "check", {"tree": "abc"}, START)
    clock.advance(seconds=29)
    assert jobs.claim("w2", KINDS) is None
    clock.advance(seconds=2)
    heir = claimed(jobs, "w2")
    assert (heir.job_id, heir.takeovers) == (job_id, 1)
    assert [step.name for step in heir.steps] == ["check"]
    for write in (
        lambda: jobs.record_step(dead, "sign", {}, START),
        lambda: jobs.renew(dead),
        lambda: jobs.finish(dead),
        lambda: jobs.fail(dead, "late"),
        lambda: jobs.wait(dead, until=START),
        lambda: jobs.give_back(dead),
    ):
        with pytest.raises(LeaseLostError, match="taken over by w2"):
            write()
    jobs.record_step(heir, "sign", {}, START)
    jobs.finish(heir)
    assert look(jobs, job_id).state is JobState.DONE


def test_renewed_lease_is_not_taken_over(jobs: Jobs, clock: SettableClock) -> None:
    start(jobs)
    lease = claimed(jobs)
    for _ in range(3):
        clock.advance(seconds=20)
        assert jobs.renew(lease, progress=0.5, message="half-way") is False
    assert jobs.claim("w2", KINDS) is None
    running = look(jobs, lease.job_id)
    assert (running.progress, running.message) == (0.5, "half-way")


def test_waiting_until_a_time_holds_no_lease(jobs: Jobs, clock: SettableClock) -> None:
    job_id = start(jobs)
    jobs.wait(claimed(jobs), until=START + timedelta(minutes=5), message="waits for the update interval")
    waiting = look(jobs, job_id)
    assert (waiting.state, waiting.worker, waiting.message) == (JobState.WAITING, None, "waits for the update interval")
    clock.advance(minutes=4)
    assert jobs.claim("w2", KINDS) is None
    clock.advance(minutes=1)
    assert claimed(jobs).job_id == job_id


@pytest.mark.parametrize("event", ["approval:12", "signature:12", "live:irma-demo.RU-3"])
def test_waiting_for_an_event_ends_with_it(jobs: Jobs, database: Database, event: str) -> None:
    job_id = start(jobs)
    jobs.wait(claimed(jobs), until=START + timedelta(days=1), event=event)
    assert database.write(lambda session: jobs.signal(session, "approval:99")) == 0
    assert jobs.claim("w2", KINDS) is None
    assert database.write(lambda session: jobs.signal(session, event)) == 1
    assert claimed(jobs).job_id == job_id
    assert look(jobs, job_id).wait_for is None


def test_jobs_of_one_series_run_one_at_a_time(jobs: Jobs, clock: SettableClock) -> None:
    first, second = start(jobs, serial="publish:irma-demo"), start(jobs, serial="publish:irma-demo")
    other = start(jobs, serial="publish:pbdf")
    lease = claimed(jobs)
    assert lease.job_id == first
    assert claimed(jobs).job_id == other
    assert jobs.claim("w2", KINDS) is None
    # Even lost, the first is taken over before the second begins.
    clock.advance(seconds=31)
    taken = {claimed(jobs).job_id, claimed(jobs).job_id}
    assert taken == {first, other}
    assert jobs.claim("w2", KINDS) is None
    clock.advance(seconds=31)
    jobs.finish(claimed(jobs))
    assert claimed(jobs).job_id in {second, other}


def test_race_within_a_series_is_lost_quietly(postgresql_database_url: str, clock: SettableClock) -> None:
    """Two workers claim different jobs of one series at the same moment: the second waits for the first at the index, and yields."""
    here, there = Database(postgresql_database_url), Database(postgresql_database_url)
    jobs, rival = shared_services(here, clock=clock).jobs, shared_services(there, clock=clock).jobs
    first, second = start(jobs, serial="s"), start(jobs, serial="s")
    outcome: list[Lease | None] = []
    with there.write_sessions.begin() as session:
        assert rival._claim(session, worker="rival", job_id=second, state=JobState.QUEUED, lease_token=None) is not None
        thread = threading.Thread(target=lambda: outcome.append(jobs.claim("w1", KINDS)))
        thread.start()
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        with here.engine.connect() as watching:

            def is_waiting() -> bool:
                count = watching.execute(waiting).scalar_one()
                watching.rollback()
                return bool(count)

            wait_until(is_waiting, "the second worker to wait for the first")
    thread.join()
    assert outcome == [None]
    assert (look(jobs, first).state, look(jobs, second).worker) == (JobState.QUEUED, "rival")
    here.close()
    there.close()


def test_cancelling_a_queued_job(jobs: Jobs) -> None:
    job_id = start(jobs)
    jobs.cancel(ADMIN, job_id, reason="mistake")
    lease = claimed(jobs)
    assert lease.cancel_asked
    jobs.end_cancelled(lease)
    assert look(jobs, job_id).state is JobState.CANCELLED
    with pytest.raises(ConflictError, match="has ended"):
        jobs.cancel(ADMIN, job_id)


def test_cancelling_a_running_job_is_told_to_its_worker(jobs: Jobs) -> None:
    job_id = start(jobs)
    lease = claimed(jobs)
    assert jobs.renew(lease) is False
    jobs.cancel(ADMIN, job_id)
    assert jobs.renew(lease) is True


def test_cancelling_a_waiting_job_wakes_it(jobs: Jobs) -> None:
    job_id = start(jobs)
    jobs.wait(claimed(jobs), until=START + timedelta(days=1), event="approval:1")
    jobs.cancel(ADMIN, job_id)
    assert claimed(jobs).cancel_asked


def test_cancel_that_came_before_the_wait_is_not_slept_over(jobs: Jobs) -> None:
    job_id = start(jobs)
    lease = claimed(jobs)
    jobs.cancel(ADMIN, job_id)
    jobs.wait(lease, until=START + timedelta(days=1))
    assert claimed(jobs).cancel_asked


def test_failed_job_tells_why(jobs: Jobs) -> None:
    job_id = start(jobs)
    jobs.fail(claimed(jobs), "the remote refused the push")
    failed = look(jobs, job_id)
    assert (failed.state, failed.error) == (JobState.FAILED, "the remote refused the push")


def test_lists_are_filtered(jobs: Jobs) -> None:
    first, second = start(jobs), start(jobs, kind="rotate")
    jobs.finish(claimed(jobs))
    assert [job.id for job in jobs.list(ADMIN)] == [second, first]
    assert [job.id for job in jobs.list(ADMIN, unfinished=True)] == [second]
    assert [job.id for job in jobs.list(ADMIN, kind="publish")] == [first]
    assert jobs.list(ADMIN, object="scheme:other") == ()


def test_start_and_cancel_are_audited(database: Database, clock: SettableClock) -> None:
    services = shared_services(database, clock=clock)
    job_id = start(services.jobs)
    services.jobs.cancel(ADMIN, job_id, reason="mistake")
    assert [(entry.action, entry.object, entry.reason) for entry in services.audit.entries(ADMIN)] == [
        ("job.cancel", f"job:{job_id}", "mistake"),
        ("job.start", f"job:{job_id}", None),
    ]


def test_unknown_job(jobs: Jobs) -> None:
    with pytest.raises(NotFoundError, match="there is no job 99"):
        jobs.get(ADMIN, 99)


def test_rights(jobs: Jobs) -> None:
    job_id = start(jobs)
    for call in (
        lambda: jobs.enqueue(actor(Role.AUDITOR), "publish", {}, object="scheme:x"),
        lambda: jobs.enqueue(actor(Role.SCHEME_MANAGER, "scheme:pbdf"), "publish", {}, object="scheme:irma-demo", scope="scheme:irma-demo"),
        lambda: jobs.cancel(actor(Role.REQUESTOR_ADMIN), job_id),
        lambda: jobs.get(NOBODY, job_id),
        lambda: jobs.list(NOBODY),
    ):
        with pytest.raises(PermissionDeniedError):
            call()

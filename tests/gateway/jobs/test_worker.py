"""The worker: runs flows step by step, and nothing is lost with it."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.database import Database
from gateway.jobs.flow import Cancelled, Done, Flow, JobContext, Step, StepFailedError, Wait
from gateway.jobs.service import MOST_TAKEOVERS, JobInfo, Jobs
from gateway.jobs.worker import Worker
from gateway.models import Job, JobState
from tests.support.clock import START, SettableClock
from tests.support.factories.actors import ADMIN
from tests.support.factories.services import shared_services
from tests.support.processes import wait_until


class Killed(BaseException):
    """Stands for a worker that was killed: nobody catches it."""


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def jobs(sqlite_database: Database, clock: SettableClock) -> Jobs:
    return shared_services(sqlite_database, clock=clock).jobs


def start(jobs: Jobs, arguments: Mapping[str, Any] | None = None) -> int:
    return jobs.enqueue(ADMIN, "flow", arguments or {}, object="scheme:irma-demo")


def worker(jobs: Jobs, clock: SettableClock, *steps: Step, **options: Any) -> Worker:
    return Worker(jobs, [Flow("flow", steps, **options)], clock=clock, name="w")


def look(jobs: Jobs, job_id: int) -> JobInfo:
    return jobs.get(ADMIN, job_id)


def step(name: str, run: Callable[[JobContext], Done | Wait] = lambda _: Done(), *, cancellable: bool = True) -> Step:
    return Step(name, run, cancellable)


def test_steps_run_in_order_and_hand_on_their_outputs(jobs: Jobs, clock: SettableClock) -> None:
    seen: list[Any] = []

    def second(context: JobContext) -> Done:
        seen.append((context.job_id, context.arguments["tree"], context.outputs["first"]["commit"], context.actor.name, context.clock()))
        return Done()

    job_id = start(jobs, {"tree": "abc"})
    running = worker(jobs, clock, step("first", lambda _: Done({"commit": "123"})), step("second", second))
    assert running.run_one() is True
    assert seen == [(job_id, "abc", "123", "worker for alice", START)]
    assert look(jobs, job_id).state is JobState.DONE
    assert running.run_one() is False


@pytest.mark.parametrize("fatal", [0, 1, 2])
def test_killed_in_any_step_another_goes_on_from_there(jobs: Jobs, clock: SettableClock, fatal: int) -> None:
    names = ["check", "sign", "push"]
    ran: list[str] = []
    killed: list[str] = []

    def run(name: str) -> Callable[[JobContext], Done]:
        def run_step(_context: JobContext) -> Done:
            ran.append(name)
            if names.index(name) == fatal and not killed:
                killed.append(name)
                raise Killed
            return Done()

        return run_step

    job_id = start(jobs)
    steps = [step(name, run(name)) for name in names]
    with pytest.raises(Killed):
        worker(jobs, clock, *steps).run_one()
    assert worker(jobs, clock, *steps).run_one() is False
    clock.advance(seconds=31)
    assert worker(jobs, clock, *steps).run_one() is True
    assert look(jobs, job_id).state is JobState.DONE
    assert ran == names[: fatal + 1] + names[fatal:]


def test_job_that_kills_its_worker_fails_in_the_end(jobs: Jobs, clock: SettableClock) -> None:
    def kill(_context: JobContext) -> Done:
        raise Killed

    ended: list[str] = []
    job_id = start(jobs)
    deadly = worker(jobs, clock, step("kill", kill), on_end=lambda job, arguments, error: ended.append(error))
    for _ in range(MOST_TAKEOVERS):
        with pytest.raises(Killed):
            deadly.run_one()
        clock.advance(seconds=31)
    deadly.run_one()
    failed = look(jobs, job_id)
    assert (failed.state, failed.error) == (JobState.FAILED, "the worker was lost 5 times in the same step")
    assert ended == [failed.error]


def test_waiting_step_is_run_again_at_its_time(jobs: Jobs, clock: SettableClock) -> None:
    live = START + timedelta(minutes=5)
    asked: list[int] = []

    def see_live(context: JobContext) -> Done | Wait:
        asked.append(1)
        return Done() if context.clock() >= live else Wait(live, "live:irma-demo.RU-3", "waits until clients know the key")

    job_id = start(jobs)
    running = worker(jobs, clock, step("publish"), step("see live", see_live))
    running.run_one()
    waiting = look(jobs, job_id)
    assert (waiting.state, waiting.step, waiting.message) == (JobState.WAITING, "publish", "waits until clients know the key")
    assert running.run_one() is False
    clock.now = live
    running.run_one()
    assert look(jobs, job_id).state is JobState.DONE
    assert len(asked) == 2


class TellingError(Exception):
    """An error of the flow's own, whose message is for people."""


def test_errors_that_the_flow_tells_reach_people(jobs: Jobs, clock: SettableClock) -> None:
    for error in (TellingError("the base is stale: rebase first"), StepFailedError("the remote refused")):

        def fail(_context: JobContext, error: Exception = error) -> Done:
            raise error

        job_id = start(jobs)
        worker(jobs, clock, step("sign", fail), told=(TellingError,)).run_one()
        failed = look(jobs, job_id)
        assert (failed.state, failed.error) == (JobState.FAILED, str(error))


def test_unforeseen_errors_stay_in_the_log(jobs: Jobs, clock: SettableClock, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_context: JobContext) -> Done:
        raise KeyError("something-private")

    job_id = start(jobs)
    with caplog.at_level(logging.ERROR):
        worker(jobs, clock, step("sign", fail)).run_one()
    failed = look(jobs, job_id)
    assert failed.error == "sign: KeyError; the worker's log tells more"
    assert "something-private" in caplog.text


def test_cancelled_before_it_began(jobs: Jobs, clock: SettableClock) -> None:
    ran: list[str] = []
    ended: list[str] = []
    job_id = start(jobs)
    jobs.cancel(ADMIN, job_id)
    worker(
        jobs, clock, step("check", lambda _: ran.append("check") or Done()), on_end=lambda job, arguments, error: ended.append(error)
    ).run_one()
    assert look(jobs, job_id).state is JobState.CANCELLED
    assert (ran, ended) == ([], ["cancelled"])


def test_cancelled_in_a_long_step(jobs: Jobs, clock: SettableClock) -> None:
    began = threading.Event()

    def search(context: JobContext) -> Done:
        began.set()
        wait_until(context.is_cancelled, "the cancellation")
        raise Cancelled

    job_id = start(jobs)
    thread = threading.Thread(target=worker(jobs, clock, step("generate", search)).run_one)
    thread.start()
    assert began.wait(20)
    jobs.cancel(ADMIN, job_id)
    thread.join()
    assert look(jobs, job_id).state is JobState.CANCELLED


def test_past_the_point_of_no_return_a_job_goes_on(jobs: Jobs, clock: SettableClock) -> None:
    cancelled: list[bool] = []

    def push(context: JobContext) -> Done:
        jobs.cancel(ADMIN, context.job_id)
        context.progress(0.5)
        cancelled.append(context.is_cancelled())
        return Done()

    job_id = start(jobs)
    worker(jobs, clock, step("check"), step("push", push, cancellable=False), step("switch", cancellable=False)).run_one()
    assert look(jobs, job_id).state is JobState.DONE
    assert cancelled == [False]


def test_progress_is_seen_while_a_step_runs(jobs: Jobs, clock: SettableClock) -> None:
    seen: list[tuple[float, str | None]] = []

    def generate(context: JobContext) -> Done:
        context.progress(0.4, "searching the second prime")
        job = look(jobs, context.job_id)
        seen.append((job.progress, job.message))
        return Done()

    job_id = start(jobs)
    worker(jobs, clock, step("generate", generate), step("store")).run_one()
    assert seen == [(0.4, "searching the second prime")]
    assert look(jobs, job_id).progress == 1.0


def test_lease_is_renewed_while_a_step_runs(jobs: Jobs, sqlite_database: Database, clock: SettableClock) -> None:
    release, began = threading.Event(), threading.Event()

    def long(_context: JobContext) -> Done:
        began.set()
        assert release.wait(30)
        return Done()

    def lease_ends_at() -> datetime | None:
        with sqlite_database.read() as session:
            return session.scalars(select(Job.lease_expires_at)).one()

    job_id = start(jobs)
    thread = threading.Thread(target=worker(jobs, clock, step("long", long)).run_one)
    thread.start()
    assert began.wait(20)
    clock.advance(seconds=29)
    wait_until(lambda: lease_ends_at() == START + timedelta(seconds=59), "a renewal")
    clock.advance(seconds=5)
    assert jobs.claim("other", frozenset({"flow"})) is None
    release.set()
    thread.join()
    assert look(jobs, job_id).state is JobState.DONE


def test_worker_that_lost_its_job_writes_nothing(jobs: Jobs, clock: SettableClock) -> None:
    def be_overtaken(context: JobContext) -> Done:
        clock.advance(seconds=31)
        heir = jobs.claim("heir", frozenset({"flow"}))
        assert heir is not None
        return Done()

    job_id = start(jobs)
    assert worker(jobs, clock, step("slow", be_overtaken)).run_one() is True
    running = look(jobs, job_id)
    assert (running.state, running.worker, running.steps) == (JobState.RUNNING, "heir", ())


def test_stopping_worker_gives_its_job_back(jobs: Jobs, clock: SettableClock) -> None:
    ran: list[str] = []

    def first(_context: JobContext) -> Done:
        ran.append("first")
        stopping.stop()
        return Done()

    job_id = start(jobs)
    steps = (step("first", first), step("second", lambda _: ran.append("second") or Done()))
    stopping = worker(jobs, clock, *steps)
    stopping.run()
    assert (look(jobs, job_id).state, ran) == (JobState.QUEUED, ["first"])
    worker(jobs, clock, *steps).run_one()
    assert (look(jobs, job_id).state, ran) == (JobState.DONE, ["first", "second"])


def test_run_takes_up_what_comes_and_survives_trouble(
    jobs: Jobs, clock: SettableClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claim = Jobs.claim
    trouble = [OSError("the database is away")]

    def troubled(self: Jobs, name: str, kinds: frozenset[str]) -> Any:
        if trouble:
            raise trouble.pop()
        return claim(self, name, kinds)

    monkeypatch.setattr(Jobs, "claim", troubled)
    running = worker(jobs, clock, step("only"))
    thread = threading.Thread(target=running.run)
    thread.start()
    job_id = start(jobs)
    running.wake()
    wait_until(lambda: look(jobs, job_id).state is JobState.DONE, "the job")
    running.stop()
    thread.join()
    assert "the database is away" in caplog.text


def test_flows_are_checked_when_they_are_written() -> None:
    with pytest.raises(ValueError, match="distinct names"):
        Flow("x", ())
    with pytest.raises(ValueError, match="distinct names"):
        Flow("x", (step("a"), step("a")))
    with pytest.raises(ValueError, match="cannot be cancellable"):
        Flow("x", (step("a", cancellable=False), step("b")))

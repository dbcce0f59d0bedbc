"""Jobs as their owners see them: who may act on what a job works on may see and stop it."""

from console.services import Services
from gateway.actor import Actor, system_actor
from gateway.authorization import EVERYTHING, Action, issuer_scope, may
from gateway.inputs import NotFoundError
from gateway.jobs.service import JobInfo


def job_scope(job: JobInfo) -> str:
    """The scope of what a job works on."""
    kind, _, name = job.object.partition(":")
    if kind == "scheme":
        return job.object
    if kind == "issuer_key":
        return issuer_scope(name.rpartition("-")[0])
    return EVERYTHING


def list_jobs(services: Services, actor: Actor, *, unfinished: bool = False, limit: int = 50) -> tuple[JobInfo, ...]:
    """The jobs that the actor may see, the newest first."""

    def visible(job: JobInfo) -> bool:
        return may(actor, Action.JOB_VIEW, job_scope(job))

    return services.jobs.list(system_actor("jobs"), unfinished=unfinished, keep=visible, limit=min(limit, 500))


def get_job(services: Services, actor: Actor, job_id: int) -> JobInfo:
    """A job.

    Raises:
        NotFoundError: there is none that the actor may see.
    """
    job = services.jobs.get(system_actor("jobs"), job_id)
    if not may(actor, Action.JOB_VIEW, job_scope(job)):
        raise NotFoundError("job", job_id)
    return job


def cancel_job(services: Services, actor: Actor, job_id: int, reason: str = "") -> JobInfo:
    """Ask a job to stop.

    Raises:
        PermissionDeniedError: the actor may not stop jobs there.
        ConflictError: it has ended.
    """
    services.jobs.cancel(actor, job_id, scope=job_scope(get_job(services, actor, job_id)), reason=reason or None)
    return get_job(services, actor, job_id)

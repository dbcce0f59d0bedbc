"""The typed objects of publishing."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.models import Channel, PublicationState


class StepState(Enum):
    """How far a step is."""

    TO_DO = "to_do"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StepView:
    """A step of a job as pages show it, in order. `name` is the step's name in the flow; `note` says what is waited for or what failed."""

    name: str
    state: StepState
    finished_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PublicationInfo:
    """A publication of a scheme.

    Attributes:
        id: the row.
        scheme_id, draft, channel: what was published; the draft is empty once its job was cleaned away.
        tree: the hash of the approved tree.
        required_approvals, approvals: how many are needed, and who gave one.
        state: see there.
        steps: every step of the flow with its state.
        job_id: the job that carries it.
        started_by, started_at: who and when.
        commit: the published commit, once there is one.
        timestamp: the version's time, once signed.
        live_at: when it was seen live.
        error: why it failed, and what to do; empty where it did not.
    """

    id: int
    scheme_id: str
    draft: str
    channel: Channel
    tree: str
    required_approvals: int
    approvals: tuple[str, ...]
    state: PublicationState
    steps: tuple[StepView, ...]
    job_id: int | None
    started_by: str
    started_at: datetime
    commit: str | None
    timestamp: datetime | None
    live_at: datetime | None
    error: str

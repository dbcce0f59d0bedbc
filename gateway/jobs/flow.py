"""Flows: what a kind of job does, as named steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from idemix.clock import Clock

from ..actor import Actor


@dataclass(frozen=True, slots=True)
class Done:
    """The step is complete.

    Attributes:
        output: what later steps need to know of it, for JSON; never a secret.
    """

    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    """The step cannot go on yet; the job gives its lease back, and the step is run again when it wakes up.

    Attributes:
        until: run it again then, at the latest.
        event: run it again as soon as `Jobs.signal` tells this event, such as `approval:12`, `signature:12`, `live:irma-demo.RU-3`.
        message: what it waits for, for people.
    """

    until: datetime
    event: str | None = None
    message: str | None = None


class JobContext(Protocol):
    """What a step sees of its job."""

    @property
    def job_id(self) -> int:
        """The job's number."""
        ...

    @property
    def actor(self) -> Actor:
        """Who acts: the worker on behalf of who started the job."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the job was started with."""
        ...

    @property
    def outputs(self) -> Mapping[str, Mapping[str, Any]]:
        """The outputs of the completed steps, by step."""
        ...

    @property
    def clock(self) -> Clock:
        """Tells the time."""
        ...

    def progress(self, fraction: float, message: str | None = None) -> None:
        """Tell how far the step is, from 0.0 to 1.0; written at most a few times a second."""
        ...

    def is_cancelled(self) -> bool:
        """Whether the step should stop: somebody asked, the lease was lost, or the worker is stopping. Cheap."""
        ...


class Cancelled(Exception):  # noqa: N818 - it ends a step at the job's wish; nothing went wrong
    """Raised by a step that stopped because `is_cancelled()`."""


class StepFailedError(Exception):
    """Raised by a step that cannot succeed, also when tried again.

    The message is shown to people, and so are those of the errors that a flow lists in `Flow.told`. Of any other error only the
    type is shown, and its traceback is in the worker's log.
    """


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        name: unique in its flow; it is recorded, and so it never changes its meaning.
        run: does the work. It is run again after a lost worker or a wait, so that it begins by looking what is already done.
        cancellable: whether the job may be cancelled before or in this step. After a step that is not, none is.
    """

    name: str
    run: Callable[[JobContext], Done | Wait]
    cancellable: bool = True


@dataclass(frozen=True, slots=True)
class Flow:
    """A kind of job.

    Attributes:
        kind: its name, recorded in jobs.
        steps: in order.
        told: errors whose message may be shown to people.
        on_end: called after the job failed or was cancelled, to tell the object of the job; idempotent.
    """

    kind: str
    steps: tuple[Step, ...]
    told: tuple[type[Exception], ...] = ()
    on_end: Callable[[int, Mapping[str, Any], str], None] | None = None

    def __post_init__(self) -> None:
        names = [step.name for step in self.steps]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"flow {self.kind}: steps must be there and have distinct names")
        flags = [step.cancellable for step in self.steps]
        if sorted(flags, reverse=True) != flags:
            raise ValueError(f"flow {self.kind}: a step after one that is not cancellable cannot be cancellable")

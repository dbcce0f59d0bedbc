"""Prometheus metrics: what is counted, and how it is written, correct with one process and with several.

With several processes each keeps its numbers in files of a shared folder (`PROMETHEUS_MULTIPROC_DIR`, which must be set before this
module is imported), and whichever process is asked adds them up. What every process knows alike, such as the age of the schemes, is
read from the state of the process that is asked.

No label holds a token or an attribute value, and each takes a bounded number of values.
"""

import os
import re
import threading
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

#: The environment variable with the folder of the numbers; the library's.
FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"

#: Requestors that have a label of their own; the sessions of all others are counted together.
MOST_REQUESTORS: Final = 100
OTHERS: Final = "(others)"
NOBODY: Final = "(none)"

# When a series began says nothing here, and doubles their number.
disable_created_metrics()  # type: ignore[no-untyped-call]

_REGISTRY: Final = CollectorRegistry()
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)

SESSIONS_STARTED: Final = Counter("irmahub_sessions_started", "Sessions that were started.", ("type", "requestor"), registry=_REGISTRY)
SESSIONS_ENDED: Final = Counter(
    "irmahub_sessions_ended",
    "Sessions that ended; result is the status of the proofs, or cancelled, failed or timeout.",
    ("type", "result", "requestor"),
    registry=_REGISTRY,
)
REFUSALS: Final = Counter(
    "irmahub_refusals", "Requests that were refused, by the error answered and its reason.", ("error", "reason"), registry=_REGISTRY
)
PERMISSIONS_MISSING: Final = Counter(
    "irmahub_permissions_missing", "Requests refused for want of a permission, by its kind.", ("kind", "requestor"), registry=_REGISTRY
)
REQUEST_SECONDS: Final = Histogram(
    "irmahub_request_seconds",
    "Time to answer a request; of an event stream, to open it.",
    ("application", "endpoint", "status"),
    buckets=_SECONDS,
    registry=_REGISTRY,
)
PROOF_SECONDS: Final = Histogram(
    "irmahub_proof_seconds",
    "Time to verify the proofs of a session, and to sign its credentials.",
    ("type",),
    buckets=_SECONDS,
    registry=_REGISTRY,
)
CALLBACK_SECONDS: Final = Histogram(
    "irmahub_callback_seconds",
    "Time of a call to a requestor's server, by its kind and outcome: answered, refused or unreachable.",
    ("kind", "outcome"),
    buckets=_SECONDS,
    registry=_REGISTRY,
)
DELIVERIES: Final = Counter(
    "irmahub_deliveries",
    "Results to be delivered to requestors, by what became of an attempt: delivered, retried, failed, expired or lost.",
    ("outcome",),
    registry=_REGISTRY,
)
STORE_ERRORS: Final = Counter("irmahub_store_errors", "Times that the session store could not be used.", registry=_REGISTRY)
ARCHIVE_WAITING: Final = Gauge(
    "irmahub_archive_waiting", "Events of sessions that wait to be written.", multiprocess_mode="livesum", registry=_REGISTRY
)
ARCHIVE_LOST: Final = Counter("irmahub_archive_lost", "Events of sessions that were never written.", registry=_REGISTRY)
LISTENERS: Final = Gauge("irmahub_event_listeners", "Open streams of status events.", multiprocess_mode="livesum", registry=_REGISTRY)


def reason_of(error: Exception) -> str:
    """The reason that a refusal stands for, by its kind, in the form of a label: `UnknownSessionError` is `unknown_session`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).lower()


class RequestorLabels:
    """Gives requestors their label: the first hundred their name, the others one together, so that series stay bounded."""

    def __init__(self, most: int = MOST_REQUESTORS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._names: set[str] = set()

    def of(self, name: str) -> str:
        """The label of a requestor; of "", a session that no requestor started, `NOBODY`."""
        if not name:
            return NOBODY
        with self._lock:
            if len(self._names) < self._most:
                self._names.add(name)
            return name if name in self._names else OTHERS


class _All(Collector):
    """The metrics of this process, as a part of another registry."""

    def collect(self) -> Iterable[Metric]:
        return _REGISTRY.collect()


def exposition(states: Iterable[Collector]) -> bytes:
    """All metrics in the text format of Prometheus.

    Args:
        states: collectors that read the state of this process.
    """
    registry = CollectorRegistry()
    if os.environ.get(FOLDER_VARIABLE):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(_All())
        ProcessCollector(registry=registry)
    for state in states:
        registry.register(state)
    return generate_latest(registry)


def forget_process(pid: int) -> None:
    """Take the gauges of a process that ended out of the sums; its counts stay."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]

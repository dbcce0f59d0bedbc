"""What metrics are taken from: sessions as their archive hears of them, and the schemes in force."""

from collections.abc import Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from idemix.clock import Clock
from idemix.request import RequestorRequest
from idemix.session.session import Session
from idemix.session.status import Status

from .metrics import PERMISSIONS_MISSING, SESSIONS_ENDED, SESSIONS_STARTED, RequestorLabels
from .permissions import Decision
from .requestors.constraints import Check
from .schemes import SchemeSource
from .sessions import SessionArchive


class CountedSessions:
    """An archive that counts what it hears of sessions before it passes that on.

    Args:
        archive: what keeps the records.
    """

    def __init__(self, archive: SessionArchive) -> None:
        self._archive = archive
        self._labels = RequestorLabels()

    def request_refused(self, requestor_name: str, request: RequestorRequest, decision: Decision | Check) -> None:
        missing = decision.kind.value if isinstance(decision, Decision) else decision.setting
        PERMISSIONS_MISSING.labels(missing, self._labels.of(requestor_name)).inc()
        self._archive.request_refused(requestor_name, request, decision)

    def session_started(self, session: Session) -> None:
        SESSIONS_STARTED.labels(session.action.value, self._labels.of(session.requestor)).inc()
        self._archive.session_started(session)

    def session_changed(self, session: Session) -> None:
        if session.status.is_finished:
            SESSIONS_ENDED.labels(session.action.value, _result(session), self._labels.of(session.requestor)).inc()
        self._archive.session_changed(session)


def _result(session: Session) -> str:
    if session.status is Status.DONE and session.proof_status is not None:
        return session.proof_status.value.lower()
    if session.status is Status.CANCELLED and session.error is not None:
        return "failed"
    return session.status.value.lower()


class SchemeState(Collector):
    """What a scrape reads from the schemes in force: their age, and how long their issuers' keys are still valid.

    Args:
        schemes: gives the schemes of the moment.
        clock: what their times are compared with.
    """

    def __init__(self, schemes: SchemeSource, clock: Clock) -> None:
        self._schemes = schemes
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        now, loaded = self._clock(), self._schemes.current
        age = GaugeMetricFamily("irmahub_scheme_age_seconds", "Time since a scheme was signed.", labels=("scheme",))
        for scheme in loaded.configuration.schemes.values():
            if scheme.timestamp is not None:
                age.add_metric((str(scheme.id),), now.timestamp() - scheme.timestamp)
        yield age
        left = GaugeMetricFamily("irmahub_issuer_key_days_left", "Days until an issuer's key expires.", labels=("issuer", "counter"))
        for key in loaded.issuer_keys.newest():
            if key.expires_at is not None:
                left.add_metric((str(key.issuer), str(key.counter)), (key.expires_at - now).total_seconds() / 86400)
        yield left

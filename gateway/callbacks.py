"""Calls to requestors: the result when a session ends, and the question for the next session of a chain.

A callback runs in the background, so that a slow backend never delays the app. One that fails is sent again, later and later,
until the session's result expires. The question for the next session is part of the answer to the app and is waited for.

Source: irmago `irma/server/api.go` (`DoResultCallback`), `irma/server/irmaserver/handle.go` (`nextSession`),
`irma/transport.go`.
"""

import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Final

import structlog

from idemix.clock import Clock
from idemix.session.session import Session

from .addresses import AddressRefusedError, origin, parse_url
from .background import fault
from .config import MAX_BODY_BYTES
from .deliveries.base import ClaimedDelivery, DeliveryQueue, NewDelivery, Outcome
from .deliveries.memory import MemoryDeliveries
from .metrics import CALLBACK_SECONDS, DELIVERIES
from .models.delivery import DeliveryState
from .outbound import OutboundClient, UnreachableError, UnusableAnswerError
from .request_id import HEADER, following
from .result_jwt import ResultSigner
from .stores.base import StoreError, UnknownSessionError

log = structlog.get_logger(__name__)

#: As the reference does: two more tries at once, where there was no answer.
QUICK_RETRIES: Final = 2
QUICK_RETRY_SECONDS: Final = 0.15
#: How long after each failed attempt the next one comes.
BACKOFF_SECONDS: Final = (5, 20, 60, 180, 600, 1800, 3600, 7200, 14_400, 28_800)
#: By so much of itself a wait is longer or shorter, so that what failed together does not come back together.
JITTER: Final = 0.2
#: The last attempt comes so long before the result expires, if one is due only after that.
BEFORE_EXPIRY: Final = timedelta(seconds=5)
#: Answers after which another attempt may help.
RETRIED_STATUSES: Final = frozenset({408, 425, 429, *range(500, 600)})

#: Calls at the same time: of all servers, of one, and of one that failed last time.
_WORKERS: Final = 32
_PER_SERVER: Final = 4
_PER_FAILING_SERVER: Final = 1
#: Ended sessions that wait to be kept; what comes on top is lost, and counted.
_INBOX: Final = 10_000
#: How often it is looked what is due, in seconds, and how often expired tokens are removed.
_LOOK_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 60.0
#: How long `close` sends what is due; in a database the rest stays for the next start.
_CLOSE_SECONDS: Final = 5.0
#: How long calls under way may take when the process stops.
DRAIN_SECONDS: Final = 10.0


class RequestorCallError(Exception):
    """The requestor's server could not be reached, or answered with an error."""


class RequestorCalls:
    """Calls requestors' servers.

    Args:
        signer: signs results; None to send them as plain JSON.
        client: calls the addresses; closed with this.
        load: reads a session from the store by its requestor token.
        clock: tells what is due.
        deliveries: keeps what is to be delivered; None keeps it in memory.
        appends_slash: whether `/` goes behind callback URLs, as with the reference's client.
        sleep: waits between quick retries.
    """

    def __init__(
        self,
        signer: ResultSigner | None,
        client: OutboundClient,
        load: Callable[[str], Session],
        clock: Clock,
        deliveries: DeliveryQueue | None = None,
        *,
        appends_slash: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._signer = signer
        self._client = client
        self._load = load
        self._clock = clock
        self._memory = MemoryDeliveries(clock)
        #: What cannot be kept in the database for the moment is kept in memory.
        self._queues: tuple[DeliveryQueue, ...] = (self._memory,) if deliveries is None else (deliveries, self._memory)
        self._appends_slash = appends_slash
        self._sleep = sleep
        self._inbox: queue.Queue[NewDelivery] = queue.Queue(_INBOX)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="callback")
        self._under_way: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._forget_at = 0.0
        self._close_at = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """How many attempts ended as `delivered`, `retried`, `failed` and `expired`, and how many results were `lost`."""
        with self._lock:
            return {name: self._counts[name] for name in ("delivered", "retried", "failed", "expired", "lost")}

    # Next sessions

    def ask_next_session(self, session: Session) -> bytes | None:
        """Post the result so far to the next-session URL.

        Returns:
            The body with the next session request, or None where the chain ends.

        Raises:
            RequestorCallError: there was no answer, or another than 200 and 204.
        """
        url = session.request.next_session_url
        if url is None:
            raise ValueError("the session has no next session")
        try:
            status, body = self._post("next_session", url, session, max_bytes=MAX_BODY_BYTES)
        except (AddressRefusedError, UnreachableError, UnusableAnswerError) as error:
            raise RequestorCallError(str(error)) from error
        if status == 204:
            return None
        if status != 200:
            raise RequestorCallError(f"the requestor's server answered with status {status}")
        return body

    # Results

    def send_result(self, session: Session, expires_at: datetime) -> None:
        """Have the result of an ended session posted to its callback URL, in the background.

        Args:
            session: it has a callback URL.
            expires_at: when the store forgets its result.
        """
        try:
            where = origin(parse_url(session.request.callback_url))
        except AddressRefusedError as error:
            self._count("failed")
            log.warning("callback.failed", requestor=session.requestor, error=str(error))
            return
        try:
            self._inbox.put_nowait(NewDelivery(session.requestor_token, session.requestor, where[:300], expires_at))
        except queue.Full:
            self._count("lost")
            log.error("callback.lost", requestor=session.requestor)
            return
        self.start()
        self._wake.set()

    def start(self) -> None:
        """Start sending what is due, also what another process left. Call it after a fork."""
        with self._lock:
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="callbacks", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send what is due now as far as a few seconds allow, wait for the calls under way, but for `DRAIN_SECONDS` at most, and close."""
        self._close_at = time.monotonic() + min(_CLOSE_SECONDS, DRAIN_SECONDS)
        self._stopping.set()
        self._wake.set()
        ends_at = time.monotonic() + DRAIN_SECONDS
        if self._thread is not None:
            self._thread.join()
        while self._under_way and time.monotonic() < ends_at:
            time.sleep(0.02)
        if self._under_way:
            log.error("callback.given_up", callbacks=self._under_way.total())
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()
        lost = len(self._memory)
        if lost:
            self._count("lost", lost)
            log.error("callback.lost", results=lost)

    def _run(self) -> None:
        while True:
            stops, is_idle, sent = self._stopping.is_set(), self._is_idle(), 0
            self._wake.clear()
            try:
                self._keep_new()
                sent = self._send_due()
                self._forget_tokens()
            except Exception as error:
                # The database may be away for a while; what is in memory is sent all the same.
                log.error("callbacks.failed", **fault(error))
            if not stops:
                self._wake.wait(_LOOK_SECONDS)
            elif (is_idle and not sent) or time.monotonic() > self._close_at:
                return
            else:
                self._wake.wait(_LOOK_SECONDS / 10)

    def _is_idle(self) -> bool:
        with self._lock:
            return self._inbox.empty() and not self._under_way

    def _keep_new(self) -> None:
        """Keep the sessions that ended since, so that they are not lost with this process."""
        new: list[NewDelivery] = []
        while len(new) < _INBOX:
            try:
                new.append(self._inbox.get_nowait())
            except queue.Empty:
                break
        if not new:
            return
        try:
            self._queues[0].add(new)
        except Exception as error:
            log.error("callbacks.not_kept", results=len(new), **fault(error))
            self._memory.add(new)

    def _send_due(self) -> int:
        """Hand what is due to the pool, as long as there is room there and at the servers; gives how many."""
        sent = 0
        for waiting in reversed(self._queues):
            while True:
                with self._lock:
                    limit = _WORKERS - self._under_way.total()
                    room = {where: self._room(where) - busy for where, busy in self._under_way.items()}
                    room |= {where: self._room(where) for where in self._failing if where not in room}
                claimed = waiting.claim(room, _PER_SERVER, limit) if limit > 0 else []
                if not claimed:
                    break
                with self._lock:
                    self._under_way.update(one.origin for one in claimed)
                for one in claimed:
                    self._pool.submit(self._attempt, waiting, one)
                sent += len(claimed)
        return sent

    def _room(self, where: str) -> int:
        return _PER_FAILING_SERVER if where in self._failing else _PER_SERVER

    def _forget_tokens(self) -> None:
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _FORGET_SECONDS
            for waiting in self._queues:
                waiting.forget_tokens()

    def _attempt(self, waiting: DeliveryQueue, claimed: ClaimedDelivery) -> None:
        """Send one, and note how that went."""
        try:
            outcome = self._deliver(claimed)
            waiting.settle(claimed, outcome)
            self._count(_name(outcome))
        except Exception as error:
            # Its lease ends by itself, and then it is sent again.
            log.error("callbacks.failed", **fault(error))
        finally:
            with self._lock:
                self._under_way[claimed.origin] -= 1
                if self._under_way[claimed.origin] <= 0:
                    del self._under_way[claimed.origin]
            self._wake.set()

    def _deliver(self, claimed: ClaimedDelivery) -> Outcome:
        session = self._session(claimed)
        if isinstance(session, Outcome):
            self._log(claimed, session)
            return session
        url = session.request.callback_url
        if self._appends_slash and not url.endswith("/"):
            url += "/"
        with following(session.request_id):
            outcome = self._call(claimed, url, session)
            self._log(claimed, outcome)
        return outcome

    def _session(self, claimed: ClaimedDelivery) -> Session | Outcome:
        """The session whose result is to be sent, or what becomes of the delivery without it."""
        if claimed.token is None or self._clock() >= claimed.expires_at:
            return _expired()
        try:
            return self._load(claimed.token)
        except UnknownSessionError:
            return _expired()
        except StoreError:
            return self._later(claimed, None, "the session store does not answer", sent=False)

    def _call(self, claimed: ClaimedDelivery, url: str, session: Session) -> Outcome:
        try:
            status, _ = self._post("callback", url, session, max_bytes=None)
        except UnreachableError as error:
            return self._failed(claimed, None, str(error), may_help=True)
        except (AddressRefusedError, UnusableAnswerError) as error:
            return self._failed(claimed, None, str(error), may_help=False)
        if 200 <= status < 300:
            with self._lock:
                self._failing.discard(claimed.origin)
            return Outcome(DeliveryState.DELIVERED, status)
        return self._failed(claimed, status, f"answered with status {status}", may_help=status in RETRIED_STATUSES)

    def _failed(self, claimed: ClaimedDelivery, status: int | None, error: str, *, may_help: bool) -> Outcome:
        with self._lock:
            if len(self._failing) < _INBOX:
                self._failing.add(claimed.origin)
        return self._later(claimed, status, error) if may_help else Outcome(DeliveryState.FAILED, status, error)

    def _later(self, claimed: ClaimedDelivery, status: int | None, error: str, *, sent: bool = True) -> Outcome:
        """What becomes of a delivery that failed and may succeed another time."""
        if claimed.attempts >= len(BACKOFF_SECONDS):
            return Outcome(DeliveryState.FAILED, status, error, sent=sent)
        now = self._clock()
        seconds = BACKOFF_SECONDS[claimed.attempts] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter, no secret
        due = now + timedelta(seconds=seconds)
        if due >= claimed.expires_at:
            due = claimed.expires_at - BEFORE_EXPIRY
            if due <= now + BEFORE_EXPIRY:
                return Outcome(DeliveryState.EXPIRED, status, f"{error}; then the result expired", sent=sent)
        return Outcome(DeliveryState.PENDING, status, error, due, sent=sent)

    def _log(self, claimed: ClaimedDelivery, outcome: Outcome) -> None:
        name = _name(outcome)
        write = log.info if outcome.state is DeliveryState.DELIVERED else log.warning
        write(
            f"callback.{name}",
            requestor=claimed.requestor_name,
            origin=claimed.origin,
            status=outcome.status,
            error=outcome.error or None,
            attempts=claimed.attempts + outcome.sent,
        )

    def _post(self, kind: str, url: str, session: Session, *, max_bytes: int | None) -> tuple[int, bytes]:
        """Post a result as `_send` does, and take the time."""
        began, outcome = time.perf_counter(), "unreachable"
        try:
            status, body = self._send(url, session, max_bytes=max_bytes)
            outcome = "answered" if status < 400 else "refused"
            return status, body
        finally:
            CALLBACK_SECONDS.labels(kind, outcome).observe(time.perf_counter() - began)

    def _send(self, url: str, session: Session, *, max_bytes: int | None) -> tuple[int, bytes]:
        """Post a result; gives the status and the body of the answer.

        Raises:
            AddressRefusedError, UnreachableError, UnusableAnswerError: as the client's.
        """
        if self._signer is None:
            content, kind = json.dumps(session.result.to_json()), "application/json; charset=UTF-8"
        else:
            content, kind = self._signer.sign_result(session), "text/plain; charset=UTF-8"
        headers = {"Content-Type": kind} | ({HEADER: session.request_id} if session.request_id else {})
        for attempt in range(QUICK_RETRIES + 1):
            try:
                answer = self._client.request("POST", url, content=content.encode(), headers=headers, max_bytes=max_bytes)
            except UnreachableError:
                if attempt == QUICK_RETRIES or self._stopping.is_set():
                    raise
                self._sleep(QUICK_RETRY_SECONDS)
            else:
                return answer.status, answer.body
        raise AssertionError("unreachable")

    def _count(self, name: str, number: int = 1) -> None:
        with self._lock:
            self._counts[name] += number
        DELIVERIES.labels(name).inc(number)


def _name(outcome: Outcome) -> str:
    """What an outcome is called in counts and logs."""
    return "retried" if outcome.state is DeliveryState.PENDING else outcome.state.value


def _expired() -> Outcome:
    return Outcome(DeliveryState.EXPIRED, None, "the result has expired", sent=False)

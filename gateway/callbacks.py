"""Calls to requestors: the result when a session ends, and the question for the next session of a chain.

A callback runs in the background, so that a slow backend never delays the app. The question for the next session is part of
the answer to the app and is waited for.

Source: irmago `irma/server/api.go` (`DoResultCallback`), `irma/server/irmaserver/handle.go` (`nextSession`),
`irma/transport.go`.
"""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

import structlog

from idemix.session.session import Session

from .addresses import AddressRefusedError
from .config import MAX_BODY_BYTES
from .metrics import CALLBACK_SECONDS
from .outbound import OutboundClient, UnreachableError, UnusableAnswerError
from .request_id import HEADER, following
from .result_jwt import ResultSigner

log = structlog.get_logger(__name__)

RETRIES: Final = 2
RETRY_SECONDS: Final = 0.15
#: How long callbacks under way may take when the process stops.
DRAIN_SECONDS: Final = 10.0
#: So many that some requestors whose servers do not answer do not keep the others from their results.
_WORKERS: Final = 32


class RequestorCallError(Exception):
    """The requestor's server could not be reached, or answered with an error."""


class RequestorCalls:
    """Posts results to requestors.

    Args:
        signer: signs results; None to send them as plain JSON.
        client: calls the addresses; closed with this.
        appends_slash: whether `/` goes behind callback URLs, as with the reference's client.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        signer: ResultSigner | None,
        client: OutboundClient,
        *,
        appends_slash: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._signer = signer
        self._client = client
        self._appends_slash = appends_slash
        self._sleep = sleep
        self._pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="callback")
        self._under_way: set[Future[None]] = set()
        self._closed = threading.Event()

    def send_result(self, session: Session) -> None:
        """Post the result of an ended session to its callback URL, in the background; failures are only logged."""
        url = session.request.callback_url
        if self._appends_slash and not url.endswith("/"):
            url += "/"
        future = self._pool.submit(self._callback, url, session)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)

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
        status, body = self._post("next_session", url, session, max_bytes=MAX_BODY_BYTES)
        if status == 204:
            return None
        if status != 200:
            raise RequestorCallError(f"the requestor's server answered with status {status}")
        return body

    def close(self) -> None:
        """Wait for the callbacks under way, but for `DRAIN_SECONDS` at most, and close the connections; what is left is given up."""
        left = wait(self._under_way.copy(), timeout=DRAIN_SECONDS).not_done
        if left:
            log.error("callback.given_up", callbacks=len(left))
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _callback(self, url: str, session: Session) -> None:
        with following(session.request_id):
            try:
                status, _ = self._post("callback", url, session, max_bytes=None)
            except RequestorCallError as error:
                log.warning("callback.failed", requestor=session.requestor, error=str(error))
                return
            if status >= 400:
                log.warning("callback.failed", requestor=session.requestor, status=status)
            else:
                log.info("callback.delivered", requestor=session.requestor, status=status)

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
        """Post a result; gives the status and the body of the answer."""
        if self._signer is None:
            content, kind = json.dumps(session.result.to_json()), "application/json; charset=UTF-8"
        else:
            content, kind = self._signer.sign_result(session), "text/plain; charset=UTF-8"
        headers = {"Content-Type": kind} | ({HEADER: session.request_id} if session.request_id else {})
        for attempt in range(RETRIES + 1):
            try:
                answer = self._client.request("POST", url, content=content.encode(), headers=headers, max_bytes=max_bytes)
            except UnreachableError as error:
                if attempt == RETRIES or self._closed.is_set():
                    raise RequestorCallError(str(error)) from error
                self._sleep(RETRY_SECONDS)
            except (AddressRefusedError, UnusableAnswerError) as error:
                raise RequestorCallError(str(error)) from error
            else:
                return answer.status, answer.body
        raise AssertionError("unreachable")

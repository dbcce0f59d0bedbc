"""Calls to requestors: the result when a session ends, and the question for the next session of a chain.

A callback runs in the background, so that a slow backend never delays the app. The question for the next session is part of
the answer to the app and is waited for.

Source: irmago `irma/server/api.go` (`DoResultCallback`), `irma/server/irmaserver/handle.go` (`nextSession`),
`irma/transport.go`.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Final

import httpx
import structlog

from idemix.session.session import Session

from .config import MAX_BODY_BYTES
from .result_jwt import ResultSigner

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS: Final = 20.0
#: How long an answer's body may take, once it has begun.
ANSWER_SECONDS: Final = 20.0
RETRIES: Final = 2
RETRY_SECONDS: Final = 0.15
USER_AGENT: Final = "irmago"
#: So many that some requestors whose servers do not answer do not keep the others from their results.
_WORKERS: Final = 32


class RequestorCallError(Exception):
    """The requestor's server could not be reached, or answered with an error."""


class RequestorCalls:
    """Posts results to requestors.

    Args:
        signer: signs results; None to send them as plain JSON.
        appends_slash: whether `/` goes behind callback URLs, as with the reference's client.
        sleep: waits between attempts.
        transport: carries the calls; by default the network.
    """

    def __init__(
        self,
        signer: ResultSigner | None,
        *,
        appends_slash: bool = True,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._signer = signer
        self._appends_slash = appends_slash
        self._sleep = sleep
        self._transport = transport
        self._pool = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="callback")

    @cached_property
    def _client(self) -> httpx.Client:
        """Made when first used: reading the trusted certificates takes a while."""
        headers = {"User-Agent": USER_AGENT}
        return httpx.Client(transport=self._transport, timeout=TIMEOUT_SECONDS, headers=headers, follow_redirects=False)

    def send_result(self, session: Session) -> None:
        """Post the result of an ended session to its callback URL, in the background; failures are only logged."""
        url = session.request.callback_url
        if self._appends_slash and not url.endswith("/"):
            url += "/"
        self._pool.submit(self._callback, url, session)

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
        status, body = self._post(url, session, _read)
        if status == httpx.codes.NO_CONTENT:
            return None
        if status != httpx.codes.OK:
            raise RequestorCallError(f"the requestor's server answered with status {status}")
        return body

    def close(self) -> None:
        """Wait for the callbacks under way, and close the connections."""
        self._pool.shutdown()
        if "_client" in vars(self):
            self._client.close()

    def _callback(self, url: str, session: Session) -> None:
        try:
            status, _ = self._post(url, session, lambda _: b"")
        except RequestorCallError as error:
            log.warning("callback.failed", requestor=session.requestor, error=str(error))
            return
        if status >= httpx.codes.BAD_REQUEST:
            log.warning("callback.failed", requestor=session.requestor, status=status)

    def _post(self, url: str, session: Session, read: Callable[[httpx.Response], bytes]) -> tuple[int, bytes]:
        """Post a result; gives the status of the answer, and what `read` takes of its body."""
        if self._signer is None:
            content, kind = json.dumps(session.result.to_json()), "application/json; charset=UTF-8"
        else:
            content, kind = self._signer.sign_result(session), "text/plain; charset=UTF-8"
        for attempt in range(RETRIES + 1):
            try:
                with self._client.stream("POST", url, content=content.encode(), headers={"Content-Type": kind}) as response:
                    return response.status_code, read(response)
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:
                raise RequestorCallError("the address cannot be used") from error
            except httpx.TransportError as error:
                if attempt == RETRIES:
                    raise RequestorCallError(f"the requestor's server cannot be reached: {type(error).__name__}") from error
                self._sleep(RETRY_SECONDS)
            except httpx.HTTPError as error:
                raise RequestorCallError(f"the requestor's answer cannot be read: {type(error).__name__}") from error
        raise AssertionError("unreachable")


def _read(response: httpx.Response) -> bytes:
    """Read an answer's body, which is limited in size and in time."""
    deadline = time.monotonic() + ANSWER_SECONDS
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise RequestorCallError("the requestor's answer is too large")
        if time.monotonic() > deadline:
            raise RequestorCallError("the requestor's answer takes too long")
    return bytes(body)

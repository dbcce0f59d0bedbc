"""Getting a time stamp from a server."""

from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from ..errors import InvalidTimestampError
from .keys import check_signature
from .messages import ED25519, StampRequest, StampResponse, Timestamp, encode_time_and_nonce

#: Errors after which work is done and the request repeated.
_WORK_ERRORS: Final = ("proof of work is missing", "proof of work is invalid")


class TimestampService(Protocol):
    """The way to time-stamp servers."""

    def post(self, url: str, body: bytes) -> bytes:
        """Post JSON to a server and return the body of its answer.

        Raises:
            IdemixError: there is no answer.
        """
        ...


def request_timestamp(service: TimestampService, url: str, value: bytes, *, now: datetime) -> Timestamp:
    """Have a value stamped; work that the server asks for is done once.

    Args:
        service: the way to the server.
        url: its address.
        value: what is to be stamped.
        now: the time for the stamp, where there is work to do; else it is the server's own.

    Raises:
        MalformedRequestError: the answer is none.
        InvalidTimestampError: the server reports an error, or the stamp does not hold.
        TooMuchWorkError: the server asks for too much work.
        IdemixError: what `service` raises.

    Source: go-atum `client.go` (SendRequest).
    """
    request = StampRequest(value, algorithm=ED25519)
    response = StampResponse.parse(service.post(url, request.print()))
    if response.error in _WORK_ERRORS and response.info is not None and ED25519 in response.info.required_work:
        time = int(now.timestamp())
        work = response.info.required_work[ED25519].fulfil(encode_time_and_nonce(time, value))
        response = StampResponse.parse(service.post(url, replace(request, time=time, proof_of_work=work).print()))
    if response.error is not None or response.stamp is None:
        raise InvalidTimestampError(f"the time-stamp server reports: {(response.error or 'no stamp')[:200]}")
    check_signature(response.stamp, value)
    return response.stamp

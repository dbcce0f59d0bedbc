"""What apps, verifiers and issuers ask a revocation server: updates, events, a stream of updates; and records of issuance.

Answers are CBOR, errors too. Nobody authenticates: updates are signed and public, and records carry the issuer's signature.

Source: irmago `irma/server/irmaserver/handle.go` (handleRevocationGetEvents and the following).
"""

from http import HTTPStatus
from typing import Any, Final

import structlog
from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from idemix import cbor
from idemix.errors import MalformedRequestError
from idemix.revocation import updates_to_cbor
from idemix.scheme.identifiers import CredentialTypeId

from ..background import fault
from ..errors import INTERNAL_ERROR, INVALID_REQUEST, InvalidRequestError, remote_error
from ..events import STREAM_HEADERS
from ..runtime import current_gateway

log = structlog.get_logger(__name__)

#: Where the endpoints stand below the prefix.
PATH: Final = "irma/revocation/"
CONTENT_TYPE: Final = "application/octet-stream"
#: Events never change.
EVENTS_MAX_AGE: Final = 3600


def blueprint(prefix: str) -> Blueprint:
    """The endpoints under a prefix, without its trailing slash."""
    api = Blueprint("revocation_api", __name__, url_prefix=f"{prefix}/{PATH}<name>")
    api.add_url_rule("/update/<int:count>", endpoint="updates", view_func=updates)
    api.add_url_rule("/update/<int:count>/<int:key_counter>", endpoint="update", view_func=update)
    api.add_url_rule("/events/<int:key_counter>/<int:start>/<int:stop>", view_func=events)
    api.add_url_rule("/updateevents", view_func=update_events)
    api.add_url_rule("/issuancerecord/<int:key_counter>", view_func=issuance_record, methods=["POST"])
    api.register_error_handler(Exception, _error)
    return api


def binary_response(value: Any, status: int = 200) -> Response:
    """A CBOR answer."""
    return Response(cbor.encode(value), status, content_type=CONTENT_TYPE)


def updates(name: str, count: int) -> Response:
    """The newest accumulator of each key, each with its last events."""
    found, fresh_seconds = current_gateway().revocation.latest(CredentialTypeId(name), count)
    return _kept(updates_to_cbor(found), fresh_seconds)


def update(name: str, count: int, key_counter: int) -> Response:
    """The newest accumulator of one key with its last events."""
    found, fresh_seconds = current_gateway().revocation.latest(CredentialTypeId(name), count, _counter(key_counter))
    return _kept(found[key_counter].to_cbor(), fresh_seconds)


def events(name: str, key_counter: int, start: int, stop: int) -> Response:
    """A block of events."""
    found = current_gateway().revocation.events(CredentialTypeId(name), _counter(key_counter), start, stop)
    # A block that is not full yet grows with the next revocation.
    return _kept(found.to_cbor(), EVENTS_MAX_AGE if found.end == stop else 0)


def update_events(name: str) -> Response:
    """The stream of updates, as JSON."""
    gateway, type_id = current_gateway(), CredentialTypeId(name)
    if gateway.revocation_updates is None:
        raise InvalidRequestError("not supported by this server")
    gateway.revocation.require_serving(type_id)
    stream = gateway.revocation_updates.open(type_id)
    return Response(stream, headers=STREAM_HEADERS, content_type="text/event-stream", direct_passthrough=True)


def issuance_record(name: str, key_counter: int) -> Response:
    """An issuer tells what it issued."""
    current_gateway().revocation.accept_record(CredentialTypeId(name), _counter(key_counter), request.get_data())
    response = Response(b"")
    del response.headers["Content-Type"]
    return response


def _counter(number: int) -> int:
    """A number that a key can have; the others name no key."""
    if number >= 1 << 32:
        raise MalformedRequestError("key counter", "must be below 2^32", departure="revocation-request")
    return number


def _kept(body: bytes, max_age: int) -> Response:
    """An answer that may be kept for so many seconds."""
    return Response(body, content_type=CONTENT_TYPE, headers={"Cache-Control": f"max-age={max_age}"})


def _error(error: Exception) -> Response:
    """Any error, by the table of remote errors."""
    g.refusal = error
    if isinstance(error, RequestEntityTooLarge):
        error = InvalidRequestError("http: request body too large")
    elif isinstance(error, HTTPException):
        status = error.code or HTTPStatus.BAD_REQUEST.value
        return binary_response({"status": status, "error": INVALID_REQUEST.error}, status)
    entry, message = remote_error(error)
    if entry is INTERNAL_ERROR:
        log.error("request.failed", endpoint=request.endpoint, **fault(error))
    return binary_response(entry.to_json(message), entry.status)

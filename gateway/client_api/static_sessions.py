"""POST /irma/session/{name}: a session that the configuration describes, behind a QR that never changes."""

import flask

from idemix.errors import IdemixError
from idemix.request import parse_session_request

from ..errors import InvalidRequestError, MalformedInputError
from ..runtime import current_gateway, json_response
from ..stores.base import StoreError


def start_static_session(name: str) -> flask.Response:
    """Start the session and give its QR. It belongs to no requestor; the result goes to the callback of the configuration."""
    gateway = current_gateway()
    content = gateway.config.static_sessions.get(name)
    if content is None:
        raise InvalidRequestError("unknown static session")
    try:
        package = gateway.sessions.start(parse_session_request(content), "")
    except StoreError:
        raise
    except IdemixError as error:
        raise MalformedInputError(str(error)) from error
    return json_response(package.pointer.to_json())

"""GET /session/{token}/result, /result-jwt and /getproof: what a session gave, plain or signed."""

from flask import Response

from ..errors import SigningUnsupportedError
from ..result_jwt import ResultSigner
from ..runtime import current_gateway, json_response, requestor_session, text_response


def session_result(token: str) -> Response:
    """The result as JSON, in whatever status the session is."""
    return json_response(requestor_session(token).result.to_json())


def session_result_jwt(token: str) -> Response:
    """The result as a signed JWT."""
    signer = _signer()
    return text_response(signer.sign_result(requestor_session(token)))


def session_proof(token: str) -> Response:
    """The result in its legacy form, signed."""
    signer = _signer()
    return text_response(signer.sign_proof(requestor_session(token)))


def _signer() -> ResultSigner:
    signer = current_gateway().signer
    if signer is None:
        raise SigningUnsupportedError("JWT signing not supported")
    return signer

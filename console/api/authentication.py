"""Who calls the JSON API: a bearer token, and nothing else; a browser's cookie counts for nothing here."""

from flask import g, request
from flask.typing import ResponseReturnValue

from console.api.errors import error_answer
from console.authentication import services
from console.errors import LogInError
from gateway.actor import Actor


def requires_bearer_token() -> ResponseReturnValue | None:
    """Demand a valid token in `Authorization: Bearer …`."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer" or not secret.strip():
            raise LogInError("the header Authorization must be “Bearer” and a token")
        g.api_actor = services().accounts.authenticate_token(secret.strip(), address=request.remote_addr, request_id=g.get("request_id"))
    except LogInError as error:
        answer, status = error_answer(401, "unauthenticated", str(error))
        answer.headers["WWW-Authenticate"] = 'Bearer realm="irmahub"'
        return answer, status
    return None


def caller() -> Actor:
    """Who the token of this request acts for."""
    found: Actor = g.api_actor
    return found
